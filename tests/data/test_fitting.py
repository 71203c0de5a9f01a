"""Fitting images to a size: against the plain way for squares, against torchvision's own presets, and by hand."""

from typing import Any, get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torchvision import models
from torchvision.transforms.v2 import functional

from cnnlab.core.errors import RequestError
from cnnlab.data.fitting import LONGEST, Fit, Fitting, Interpolation

FITS_THAT_FILL: tuple[Fit, ...] = ("crop", "stretch")


def square(size: int, fit: Fit) -> Fitting:
    return Fitting((size, size), fit)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def plain_square(image: Tensor, size: int, fit: Fit) -> Tensor:
    """What makes a square of an image, step by step with torchvision's functions."""
    height, width = image.shape[1:]
    if fit == "crop":
        image = functional.center_crop(image, [min(height, width)] * 2)
    if fit != "letterbox":
        return functional.resize(image, [size, size], antialias=True)
    height, width = (max(1, round(side * size / max(height, width))) for side in (height, width))
    left, top = (size - width) // 2, (size - height) // 2
    resized = functional.resize(image, [height, width], antialias=True)
    return F.pad(resized, (left, size - width - left, top, size - height - top))


@given(
    st.integers(2, 90), st.integers(2, 90), st.integers(2, 60), st.sampled_from(get_args(Fit)), st.sampled_from([1, 3])
)
@settings(deadline=None, max_examples=100)
def test_a_square_is_to_the_bit_what_torchvision_makes_of_it(
    height: int, width: int, size: int, fit: Fit, channels: int
) -> None:
    image = noise(channels, height, width)
    if fit == "letterbox" and width * size / max(height, width) < 2:
        return  # torch fails on a single column
    assert torch.equal(square(size, fit)(image), plain_square(image, size, fit))


def presets() -> dict[tuple[int, int, str], Any]:
    """One of torchvision's weights for each way in which it prepares images."""
    found = {}
    for name in models.list_models(module=models):
        for weights in models.get_model_weights(name):
            made = weights.transforms()
            found[made.resize_size[0], made.crop_size[0], made.interpolation.value] = made
    return found


def test_each_preset_of_torchvision_is_met_to_the_bit() -> None:
    known = presets()
    assert len(known) > 20
    for (resized, crop, interpolation), made in known.items():
        fitting = Fitting((crop, crop), "crop", interpolation, crop / resized)
        for size in ((97, 333), (500, 300), (crop, crop), (resized, resized), (31, 40)):
            image = noise(3, *size)
            pillow = Image.fromarray(image.permute(1, 2, 0).numpy())
            resize = functional.resize(pillow, made.resize_size, made.interpolation)
            expected = functional.pil_to_tensor(functional.center_crop(resize, made.crop_size))
            assert torch.equal(fitting(image), expected), (resized, crop, interpolation, size)


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (3, 400)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_of_a_very_long_image_what_is_seen_is_as_if_all_of_it_had_been_resized(
    size: tuple[int, int], interpolation: Interpolation
) -> None:
    image, fitting = noise(3, *size), Fitting((16, 24), "crop", interpolation, 0.8)
    high, wide = fitting.window(*size).resized
    assert high * wide > LONGEST * 16 * 24
    pillow = Image.fromarray(image.permute(1, 2, 0).numpy())
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    whole = np.asarray(pillow.resize((wide, high), filters[interpolation]))
    top, left = fitting.window(*size).corner
    off = fitting(image).permute(1, 2, 0).int() - torch.from_numpy(whole[top : top + 16, left : left + 24].astype(int))
    assert off.abs().max() <= 2


@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 40), st.sampled_from(get_args(Fit)),
    st.sampled_from(["bilinear", "bicubic"]), st.sampled_from([None, 0.5, 0.875, 1.0]),
)  # fmt: skip
@example(1, 90, 40, 3, "crop", "bicubic", 0.875)
@settings(deadline=None, max_examples=100)
def test_any_image_comes_to_any_size_and_a_plain_one_stays_plain(
    height: int, width: int, high: int, wide: int, fit: Fit, interpolation: Interpolation, share: float | None
) -> None:
    if fit == "letterbox" and share is not None:
        with pytest.raises(RequestError, match="letterbox keeps all of it"):
            Fitting((high, wide), fit, interpolation, share)
        return
    fitting = Fitting((high, wide), fit, interpolation, share)
    made = fitting(torch.full((3, height, width), 200, dtype=torch.uint8))
    assert made.shape == (3, high, wide)
    assert made.dtype == torch.uint8
    (_, _, tall, broad), resized = fitting.window(height, width).cut, fitting.window(height, width).resized
    assert 1 <= tall <= height
    assert 1 <= broad <= width
    seen = min(high, resized[0]) * min(wide, resized[1])
    assert (made == 200).sum() == 3 * seen
    assert fit == "letterbox" or seen == high * wide
    assert fit != "letterbox" or high in (resized[0], resized[0] + 1) or wide in (resized[1], resized[1] + 1)


def test_a_cut_has_the_shape_of_what_the_network_sees() -> None:
    assert Fitting((64, 160)).window(100, 100).cut == (30, 0, 40, 100)
    assert Fitting((64, 160)).window(100, 1000).cut == (0, 375, 100, 250)
    assert Fitting((160, 64)).window(100, 100).cut == (0, 30, 100, 40)


def test_a_letterbox_of_another_shape_has_its_bars_where_the_image_ends() -> None:
    made = Fitting((64, 160), "letterbox")(torch.full((1, 50, 50), 9, dtype=torch.uint8))[0]
    assert made[:, 48:112].unique().tolist() == [9]
    assert made[:, :48].sum() == made[:, 112:].sum() == 0


@pytest.mark.parametrize(
    ("fitting", "sentence"),
    [
        (Fitting((32, 32)), "the middle square is cut out, resized to 32 × 32 px"),
        (Fitting((64, 160)), "the middle is cut out in the ratio 64 : 160, resized to 64 × 160 px"),
        (Fitting((32, 32), "letterbox"), "black bars make it square, resized to 32 × 32 px"),
        (
            Fitting((64, 160), "letterbox", "bicubic"),
            "black bars give it the ratio 64 : 160, resized to 64 × 160 px (bicubic)",
        ),
        (Fitting((64, 160), "stretch"), "stretched, resized to 64 × 160 px"),
        (Fitting((224, 224), crop_share=0.875), "its shorter side resized to 256 px, the middle 224 × 224 px cut out"),
        (Fitting((70, 140), crop_share=0.5), "resized to at least 140 × 280 px, the middle 70 × 140 px cut out"),
        (Fitting((7, 7), "stretch", "bicubic", 0.5), "stretched to 14 × 14 px (bicubic), the middle 7 × 7 px cut out"),
    ],
)
def test_a_sentence_says_it(fitting: Fitting, sentence: str) -> None:
    assert fitting.sentence == sentence


@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.sampled_from(["crop", "letterbox", "stretch"]),
    st.sampled_from([1, 3]), st.integers(0, 255),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_a_plain_image_of_any_size_fits_and_stays_plain(
    height: int, width: int, size: int, fit: Fit, channels: int, value: int
) -> None:
    image = torch.full((channels, height, width), value, dtype=torch.uint8)
    result = square(size, fit)(image)
    assert result.shape == (channels, size, size)
    assert result.dtype == torch.uint8
    if fit != "letterbox":
        assert (result == value).all()
    else:
        assert set(result.unique().tolist()) <= {0, value}
        narrow = max(1, round(size / max(height, width) * min(height, width)))
        assert value == 0 or (result == value).sum() == channels * size * narrow


def test_crop_keeps_the_middle_pad_everything_and_stretch_everything_distorted() -> None:
    wide = torch.zeros(1, 4, 12, dtype=torch.uint8)
    wide[:, :, :4], wide[:, :, 4:8], wide[:, :, 8:] = 50, 100, 200
    assert square(4, "crop")(wide).unique().tolist() == [100]
    stretched = square(6, "stretch")(wide)
    assert stretched[0, 0, [0, 5]].tolist() == [50, 200]
    padded = square(12, "letterbox")(wide)
    assert padded[0, 4:8].equal(wide[0])
    assert padded[0, :4].sum() == padded[0, 8:].sum() == 0


def test_an_image_of_one_pixel_and_a_very_long_one_fit() -> None:
    assert square(32, "crop")(torch.full((3, 1, 1), 7, dtype=torch.uint8)).unique().tolist() == [7]
    long = torch.full((3, 1, 100_000), 7, dtype=torch.uint8)
    for fit in FITS_THAT_FILL:
        assert square(8, fit)(long).unique().tolist() == [7]
    assert (square(8, "letterbox")(long) == 7).sum() == 3 * 8


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 12), st.integers(1, 3), st.integers(0, 2**31))
@settings(deadline=None, max_examples=60)
def test_resizing_agrees_with_pillow(height: int, width: int, size: int, tall: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height * tall, width), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR)).astype(int)
    result = square(size, "stretch")(torch.from_numpy(pixels)[None])[0].numpy()
    assert np.abs(result - expected).max() <= 1


def test_a_tall_image_padded_to_a_width_of_one_pixel_keeps_its_brightness() -> None:
    tall = torch.arange(250, dtype=torch.uint8)[None, :, None].repeat(3, 1, 2)
    column = square(10, "letterbox")(tall)[:, :, 4].int()
    assert (column - (torch.arange(10) * 25 + 12))[:, 1:-1].abs().max() <= 1  # at the ends the filter is one-sided


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_any_size_is_resized_as_pillow_does(width: int, channels: int) -> None:
    """Also to one row or column, where torch's own resizing is wrong in another way on each kind of processor."""
    generator = torch.Generator().manual_seed(width)
    for height in (1, 2, 5, 60):
        one_image = torch.randint(0, 256, (channels, height, width), dtype=torch.uint8, generator=generator)
        image = Image.fromarray(one_image.permute(1, 2, 0).squeeze(2).numpy())
        for size in ((1, 1), (1, 4), (4, 1), (3, 2), (9, 10)):
            expected = np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR)).reshape(*size, channels)
            found = Fitting(size, "stretch")(one_image).permute(1, 2, 0).numpy()
            assert abs(found.astype(int) - expected).max() <= 1, size


def test_a_square_image_of_the_right_size_is_not_touched() -> None:
    image = torch.randint(0, 256, (3, 9, 9), dtype=torch.uint8)
    for fit in get_args(Fit):
        assert torch.equal(square(9, fit)(image), image)
