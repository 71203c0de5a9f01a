import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as oracle

from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.core.registry import component
from cnnlab.data import augmentations  # noqa: F401  (fills the registry)
from cnnlab.data.augment import Draw, augment
from cnnlab.data.augmentations.affine import inverse_maps, warped
from cnnlab.data.augmentations.color import blurred, with_brightness, with_contrast, with_hue, with_saturation
from cnnlab.data.augmentations.crop import mirrored, padded, windows
from cnnlab.data.augmentations.erase import rectangles
from cnnlab.data.augmentations.mix import mixed_targets
from cnnlab.data.registry import AUGMENTATIONS

# Each with options under which it surely does something.
EVERY = {
    "crop": {},
    "flip": {},
    "vertical_flip": {},
    "erase": {"probability": 1.0},
    "cutout": {},
    "color_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "grayscale": {"probability": 0.5},
    "rotate": {},
    "affine": {"degrees": 10, "translate": 0.1, "scale": (0.8, 1.2), "shear": 5},
    "resized_crop": {},
    "blur": {},
    "noise": {},
    "mixup": {},
    "cutmix": {"probability": 1.0},
}


def some_images(count: int = 16, channels: int = 3, height: int = 12, width: int = 10, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, channels, height, width), dtype=torch.uint8, generator=generator)


def draw_for(count: int, *, epoch: int = 0, step: int = 0, seed: int = 0) -> Draw:
    generator = torch.Generator().manual_seed(1000 * epoch + step)
    return Draw(generator, epoch, seed, torch.arange(count) * 3 + 7, step)


def built(name: str, **options: object) -> Callable[..., tuple[Tensor, Tensor]]:
    return component("augmentation", name, **options).build(classes=10)


def applied(name: str, images: Tensor, *, epoch: int = 0, step: int = 0, **options: object) -> Tensor:
    targets = torch.arange(len(images)) % 10
    return augment(images, targets, draw_for(len(images), epoch=epoch, step=step), [built(name, **options)])[0]


def test_every_augmentation_is_tried_here() -> None:
    assert {entry.name for entry in AUGMENTATIONS} == set(EVERY)
    assert all(entry.summary.endswith(".") for entry in AUGMENTATIONS)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["bytes", "numbers"])
def test_kind_shape_and_range_are_kept_and_the_arguments_too(name: str, channels: int, kind: str) -> None:
    images = some_images(channels=channels)
    images = images if kind == "bytes" else images.float() / 255
    targets = torch.arange(16) % 10
    before, targets_before = images.clone(), targets.clone()
    augmentation = built(name, **EVERY[name])
    changed, new_targets = augment(images, targets, draw_for(16), [augmentation])
    assert torch.equal(images, before)
    assert torch.equal(targets, targets_before)
    assert changed.shape == images.shape
    if augmentation.on_float:
        images = images.float() / 255 if kind == "bytes" else images
    assert changed.dtype == images.dtype
    if changed.is_floating_point():
        assert changed.min() >= 0
        assert changed.max() <= 1 + 1e-6
    if name in ("mixup", "cutmix"):
        assert new_targets.shape == (16, 10)
        torch.testing.assert_close(new_targets.sum(1), torch.ones(16))
    else:
        assert torch.equal(new_targets, targets)
    if channels == 3 or name != "grayscale":
        assert not torch.equal(changed, images)


@pytest.mark.parametrize("name", EVERY)
def test_the_same_draw_makes_the_same_images(name: str) -> None:
    images = some_images()
    first, again, later = (applied(name, images, step=step, **EVERY[name]) for step in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)


# crop


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 6),
    st.sampled_from([1, 3]),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 5),
    st.integers(0, 99),
)
def test_windows_are_slices(count: int, channels: int, height: int, width: int, more: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = some_images(count, channels, height + more, width + more, seed)
    tops, lefts = (torch.randint(more + 1, (count,), generator=generator) for _ in range(2))
    for kind in (images, images.float(), images.to(memory_format=torch.channels_last)):
        found = windows(kind, tops, lefts, (height, width))
        for k, (top, left) in enumerate(zip(tops.tolist(), lefts.tolist(), strict=True)):
            assert torch.equal(found[k], kind[k, :, top : top + height, left : left + width])


@pytest.mark.parametrize("mode", ["zero", "reflect"])
@pytest.mark.parametrize("padding", [0, 1, 4, 9])
def test_padding_is_torchs(mode: str, padding: int) -> None:
    images = some_images().float()
    expected = F.pad(images, (padding,) * 4, mode="constant" if mode == "zero" else mode)
    assert torch.equal(padded(images, padding, mode), expected)
    assert torch.equal(padded(images.byte(), padding, mode), expected.byte())


def test_every_offset_of_the_crop_comes_up() -> None:
    place = torch.arange(1, 17, dtype=torch.uint8).view(1, 1, 4, 4).expand(4000, 1, 4, 4)
    corners = applied("crop", place, padding=2, mode="zero")[:, 0]
    kinds, counts = corners.flatten(1).unique(dim=0, return_counts=True)
    assert len(kinds) == 25
    assert counts.min() > 4000 / 25 * 0.6


def test_a_mirror_larger_than_the_image() -> None:
    with pytest.raises(RequestError, match="12×10 pixels cannot be mirrored by 10; padding is at most 9"):
        applied("crop", some_images(), padding=10, mode="reflect")


# flip


@settings(deadline=None, max_examples=20)
@given(st.lists(st.booleans(), min_size=1, max_size=8), st.sampled_from([2, 3]))
def test_the_chosen_ones_are_mirrored(chosen: list[bool], dim: int) -> None:
    images = some_images(len(chosen))
    found = mirrored(images, torch.tensor(chosen), dim=dim)
    turned = oracle.hflip(images) if dim == 3 else oracle.vflip(images)
    for k, is_chosen in enumerate(chosen):
        assert torch.equal(found[k], (turned if is_chosen else images)[k])


def mask_of_flip(images: Tensor, **where: int) -> list[bool]:
    changed = applied("flip", images, mode="alternate", **where)
    return [not torch.equal(one, other) for one, other in zip(changed, images, strict=True)]


def test_alternating_flips_turn_over_in_every_odd_epoch() -> None:
    images = some_images(64)
    even, odd, next_even = (mask_of_flip(images, epoch=epoch, step=epoch) for epoch in (0, 1, 8))
    assert even == next_even
    assert odd == [not mirror for mirror in even]
    assert 16 < sum(even) < 48


def test_an_alternating_flip_belongs_to_the_image_not_to_its_place() -> None:
    images, order = some_images(32), torch.randperm(32, generator=torch.Generator().manual_seed(1))
    draw = draw_for(32)
    shuffled = Draw(draw.generator, 0, 0, draw.indices[order], 5)
    flip = built("flip", mode="alternate")
    targets = torch.zeros(32, dtype=torch.int64)
    assert torch.equal(flip(images, targets, draw)[0][order], flip(images[order], targets, shuffled)[0])


def test_fixed_numbers_are_uniform_and_independent_of_seed_and_purpose() -> None:
    indices = torch.arange(50_000)

    def fixed(seed: int, purpose: str) -> Tensor:
        return Draw(torch.Generator(), 0, seed, indices).fixed(purpose)

    one, seeded, named = fixed(0, "flip"), fixed(1, "flip"), fixed(0, "other")
    assert one.min() >= 0
    assert one.max() < 1
    # Standard deviation of a count in one of 20 bins: √(50,000 · 0.05 · 0.95) = 49.
    assert (one.histc(20, 0, 1) - 2500).abs().max() < 5 * 49
    for other in (seeded, named, one.roll(1)):
        assert abs(torch.corrcoef(torch.stack([one, other]))[0, 1]) < 0.02


# colour: torchvision's functions are the oracle, for one factor at a time


@pytest.mark.parametrize(
    ("ours", "theirs", "factors"),
    [
        (with_brightness, oracle.adjust_brightness, (0.0, 0.3, 1.0, 1.7)),
        (with_contrast, oracle.adjust_contrast, (0.0, 0.3, 1.0, 1.7)),
        (with_saturation, oracle.adjust_saturation, (0.0, 0.3, 1.0, 1.7)),
        (with_hue, oracle.adjust_hue, (-0.5, -0.2, 0.0, 0.03, 0.5)),
    ],
)
def test_colour_changes_are_torchvisions(ours, theirs, factors) -> None:
    images = some_images().float() / 255
    images[0] = 0.25
    images[1, :2] = 0.5  # two equal channels: on the border between sixths of the colour circle
    images = images.repeat(len(factors), 1, 1, 1)
    found = ours(images, torch.tensor(factors).repeat_interleave(16))
    expected = torch.cat([theirs(part, factor) for part, factor in zip(images.split(16), factors, strict=True)])
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)


def test_grayscale_is_torchvisions() -> None:
    images = some_images().float() / 255
    torch.testing.assert_close(applied("grayscale", images, probability=1.0), oracle.rgb_to_grayscale(images, 3))


def test_jitter_factors_stay_in_their_range() -> None:
    images = torch.full((2000, 3, 1, 1), 0.5)
    factors = applied("color_jitter", images, brightness=0.4)[:, 0, 0, 0] / 0.5
    assert 0.6 <= factors.min() < 0.62
    assert 1.38 < factors.max() <= 1.4 + 1e-6


def test_colours_of_other_images() -> None:
    with pytest.raises(RequestError, match="color_jitter is for images of 1 or 3 channels; these have 4"):
        applied("color_jitter", some_images(channels=4), hue=0.1)


# geometry


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("degrees", [-170.0, -30.0, 0.0, 7.5, 90.0])
def test_rotation_is_torchvisions(interpolation: str, degrees: float) -> None:
    images = some_images(4).float() / 255
    none, one = torch.zeros(4), torch.ones(4)
    found = warped(images, inverse_maps(none + degrees, one, none, none, none), "zero", interpolation)
    expected = oracle.rotate(images, degrees, InterpolationMode(interpolation))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("degrees", "scale", "right", "down"), [(20.0, 1.3, 0, 0), (0.0, 0.7, 3, -2), (-50.0, 0.9, -1, 2)]
)
def test_affine_maps_are_torchvisions(degrees: float, scale: float, right: int, down: int) -> None:
    images = some_images(2).float() / 255
    one = torch.ones(2)
    maps = inverse_maps(degrees * one, scale * one, 0 * one, right * one, down * one)
    # torchvision's affine counts angles clockwise, its rotate counter-clockwise.
    expected = oracle.affine(images, -degrees, [right, down], scale, [0.0, 0.0], InterpolationMode.BILINEAR)
    torch.testing.assert_close(warped(images, maps, "zero", "bilinear"), expected, atol=1e-5, rtol=0)


def test_shear_moves_a_row_in_proportion_to_its_height() -> None:
    images = some_images(1, 1, 9, 9).float() / 255
    one, none = torch.ones(1), torch.zeros(1)
    found = warped(images, inverse_maps(none, one, 45 * one, none, none), "zero", "nearest")
    for row in range(9):
        by = row - 4  # the slope is 1
        expected = torch.zeros(9)
        kept = images[0, 0, row, max(0, -by) : 9 - max(0, by)]
        expected[max(0, by) : max(0, by) + len(kept)] = kept
        assert torch.equal(found[0, 0, row], expected)


def test_a_crop_of_everything_changes_nothing() -> None:
    images = some_images().float() / 255
    found = applied("resized_crop", images, area=(1.0, 1.0), ratio=(10 / 12, 10 / 12))
    torch.testing.assert_close(found, images, atol=1e-5, rtol=0)


def test_a_resized_crop_is_a_slice_stretched() -> None:
    ramp = torch.linspace(0, 1, 64).expand(200, 1, 64, 64)
    found = applied("resized_crop", ramp, area=(0.25, 0.25), ratio=(1.0, 1.0))
    # A quarter of the area is half of the width: the stretched ramp rises half as steeply.
    slope = (found[:, 0, 32, 40] - found[:, 0, 32, 24]) / 16
    torch.testing.assert_close(slope, torch.full((200,), 0.5 / 63), atol=1e-5, rtol=0)
    assert found[:, 0, 32, 0].std() > 0.1


# erasing


@settings(deadline=None, max_examples=30)
@given(st.integers(-3, 9), st.integers(-3, 9), st.integers(1, 12), st.integers(1, 12))
def test_rectangles_are_slices(top: int, left: int, tall: int, wide: int) -> None:
    found = rectangles(*(torch.tensor([float(value)]) for value in (top, left, tall, wide)), (8, 7))
    expected = torch.zeros(8, 7, dtype=torch.bool)
    expected[max(0, top) : max(0, top + tall), max(0, left) : max(0, left + wide)] = True
    assert torch.equal(found[0], expected)


def test_erased_area_and_ratio() -> None:
    images = torch.zeros(2000, 1, 40, 60, dtype=torch.uint8)
    erased = applied("erase", images, probability=1.0, area=(0.1, 0.2), ratio=(0.5, 2.0), value=1.0)[:, 0] == 255
    shares = erased.float().mean((1, 2))
    assert shares.min() > 0.08
    assert shares.max() < 0.22
    tall, wide = erased.any(2).sum(1), erased.any(1).sum(1)
    assert torch.equal(tall * wide, erased.sum((1, 2)))  # a rectangle
    assert (tall / wide).min() > 0.45
    assert (tall / wide).max() < 2.2
    # Every pixel is erased now and then, the corners too.
    assert erased.any(0).all()


def test_half_of_the_images_are_erased() -> None:
    images = torch.zeros(1000, 1, 8, 8)
    erased = applied("erase", images, value=0.25).flatten(1).amax(1)
    assert set(erased.tolist()) == {0.0, 0.25}
    assert 420 < (erased > 0).sum() < 580


def test_cutout_is_a_square_that_may_hang_over_the_edge() -> None:
    images = torch.zeros(500, 2, 16, 16, dtype=torch.uint8)
    erased = applied("cutout", images, size=6, value=1.0) == 255
    assert torch.equal(erased[:, 0], erased[:, 1])
    tall, wide = erased[:, 0].any(2).sum(1), erased[:, 0].any(1).sum(1)
    assert (tall.max(), wide.max()) == (6, 6)
    assert (tall.min(), wide.min()) == (3, 3)


def test_noise_fills_with_noise() -> None:
    images = torch.zeros(50, 3, 16, 16, dtype=torch.uint8)
    values = applied("cutout", images, size=16, value="noise")
    assert values.unique().numel() == 256


# quality


def test_blur_is_torchvisions() -> None:
    images = some_images(3, 3, 20, 24).float() / 255
    sigmas = torch.tensor([0.5, 1.0, 2.0])
    found = blurred(images, sigmas, radius=4)
    for k, sigma in enumerate(sigmas.tolist()):
        expected = oracle.gaussian_blur(images[k : k + 1], [9, 9], [sigma, sigma])
        torch.testing.assert_close(found[k : k + 1], expected, atol=1e-5, rtol=0)


def test_blur_of_tiny_images() -> None:
    assert applied("blur", some_images(4, 3, 1, 2), sigma=3.0).shape == (4, 3, 1, 2)


def test_noise_has_the_given_strength() -> None:
    images = torch.full((8, 3, 64, 64), 0.5)
    changed = applied("noise", images, std=0.05, probability=1.0)
    assert abs(changed.std() - 0.05) < 1e-3


# mixing


def test_mixup_blends_images_and_targets_alike() -> None:
    # An image that is its own target: whatever happens to one must happen to the other.
    targets = torch.arange(10)
    images = F.one_hot(targets, 10).float().view(10, 1, 10, 1)
    for step in range(5):
        mixed, shares = built("mixup", alpha=1.0)(images, targets, draw_for(10, step=step))
        torch.testing.assert_close(mixed.view(10, 10), shares)


def test_cutmix_shares_are_those_of_the_pixels() -> None:
    targets = torch.arange(10)
    images = (targets * 20).byte()[:, None, None, None].expand(10, 2, 12, 10).contiguous()
    for step in range(20):
        mixed, shares = built("cutmix", probability=1.0)(images, targets, draw_for(10, step=step))
        pixels = torch.stack([(mixed == 20 * k).float().mean((1, 2, 3)) for k in range(10)], 1)
        torch.testing.assert_close(pixels, shares)


def test_what_is_mixed_twice_keeps_its_sum() -> None:
    images, targets = some_images(10), torch.arange(10)
    chain = [built("cutmix", probability=1.0), built("mixup", alpha=1.0)]
    _, shares = augment(images, targets, draw_for(10), chain)
    torch.testing.assert_close(shares.sum(1), torch.ones(10))
    assert (shares > 0).sum(1).max() > 2


def test_mixing_happens_as_often_as_said() -> None:
    cutmix = built("cutmix", probability=0.3)
    targets = torch.arange(10)
    mixed = sum(cutmix(some_images(10), targets, draw_for(10, step=step))[1].dim() == 2 for step in range(400))
    # Standard deviation √(400 · 0.3 · 0.7) = 9.
    assert abs(mixed - 120) < 4 * 9


def test_shares_of_mixup_follow_the_beta_distribution() -> None:
    numbers = [draw_for(1, step=step).host("mixup").betavariate(0.2, 0.2) for step in range(2000)]
    # The variance of Beta(a, a) is 1 / (4 · (2a + 1)).
    mean = sum(numbers) / 2000
    assert abs(mean - 0.5) < 0.04
    assert math.isclose(sum((x - mean) ** 2 for x in numbers) / 2000, 1 / (4 * 1.4), rel_tol=0.05)


# options


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("crop", {"padding": -1}, "padding"),
        ("crop", {"mode": "mirror"}, "mode"),
        ("flip", {"probability": 1.5}, "probability"),
        ("erase", {"value": "red"}, "value"),
        ("color_jitter", {"hue": 0.6}, "hue"),
        ("rotate", {"degrees": 181}, "degrees"),
        ("mixup", {"alpha": 0}, "alpha"),
        ("cutout", {"size": 0}, "size"),
        ("cutout", {"size": 2**64}, "size"),
    ],
)
def test_options_out_of_range(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        component("augmentation", name, **options)


def test_options_are_read_from_text() -> None:
    # YAML scalars arrive as text.
    assert component("augmentation", "erase", value="0.25", area=["0.1", "0.2"]).options["value"] == 0.25
    assert component("augmentation", "cutout", value="noise").options["value"] == "noise"


def test_a_range_the_wrong_way_round() -> None:
    with pytest.raises(
        RequestError, match=r"erase: area goes from 0\.4 to 0\.1; write the smaller first: \[0\.1, 0\.4\]"
    ):
        built("erase", area=(0.4, 0.1))


# devices


def test_nothing_is_made_on_another_device() -> None:
    # Fake tensors know their device and hold no values: an operation that mixes devices fails without a GPU as well.
    with FakeTensorMode():
        images = torch.empty(8, 3, 32, 32, dtype=torch.uint8, device="cuda")
        whole, number = (torch.empty(8, dtype=kind, device="cuda") for kind in (torch.int64, torch.float32))
        scaled = images.float()
        made = [
            *(windows(padded(images, 4, mode), whole, whole, (32, 32)) for mode in ("zero", "reflect")),
            mirrored(images, number < 0.5, dim=3),
            *(change(scaled, number) for change in (with_brightness, with_contrast, with_saturation, with_hue)),
            warped(scaled, inverse_maps(number, number, number, number, number), "edge", "bilinear"),
            rectangles(number, number, number, number, (32, 32)),
            blurred(scaled, number, radius=3),
            mixed_targets(whole, number[:, None].expand(8, 10), 0.3, 10),
        ]
        assert {tensor.device.type for tensor in made} == {"cuda"}
