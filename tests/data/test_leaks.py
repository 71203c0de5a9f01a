import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cnnlab.data import leaks
from cnnlab.data.dataset import Dataset
from cnnlab.data.leaks import dataset_leaks, find_leaks, perceptual_hashes, shared_groups


def photographs(count: int, seed: int, side: int = 32) -> Tensor:
    """Smooth random images: enough low frequencies for a hash to hold on to."""
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    smooth = F.interpolate(coarse, (side, side), mode="bicubic", align_corners=False)
    return (smooth.clamp(0, 1) * 255).byte()


def test_copies_are_found_and_paired() -> None:
    a, b = photographs(60, 0), photographs(40, 1)
    b[7], b[31] = a[50], a[2]
    found = find_leaks(a, b)
    assert found.exact.tolist() == [[50, 7], [2, 31]]
    assert found.near.tolist() == []
    assert (found.compared, found.flat, found.found) == (40, 0, True)


def test_a_copy_in_other_light_or_size_is_near() -> None:
    a, b = photographs(60, 0), photographs(40, 1)
    b[3] = (a[11].float() * 0.8 + 20).byte()
    b[4] = (F.avg_pool2d(a[12:13].float(), 3, 1, 1, count_include_pad=False)).byte()[0]
    found = find_leaks(a, b)
    assert found.exact.tolist() == []
    assert found.near.tolist() == [[11, 3], [12, 4]]
    assert (found.distances <= 4).all()
    larger = F.interpolate(b[3:4].float(), (64, 48), mode="bilinear").byte()
    assert find_leaks(a, larger).near.tolist() == [[11, 0]]


def test_images_that_have_nothing_in_common_do_not_leak() -> None:
    found = find_leaks(photographs(200, 0), photographs(200, 1))
    assert not found.found
    assert found.distances.tolist() == []


def test_flat_images_are_only_compared_pixel_by_pixel() -> None:
    a = torch.stack([torch.full((3, 16, 16), value, dtype=torch.uint8) for value in (0, 90)])
    b = torch.stack([torch.full((3, 16, 16), value, dtype=torch.uint8) for value in (1, 90, 200)])
    found = find_leaks(a, b)
    assert found.exact.tolist() == [[1, 1]]
    assert found.near.tolist() == []
    assert found.flat == 3


def test_blocks_change_nothing(monkeypatch) -> None:
    a, b = photographs(50, 0), photographs(30, 1)
    b[5] = (a[44].float() * 0.9).byte()
    whole = find_leaks(a, b, max_distance=28)
    monkeypatch.setattr(leaks, "_IMAGES_AT_ONCE", 7)
    monkeypatch.setattr(leaks, "_OTHERS_AT_ONCE", 11)
    monkeypatch.setattr(leaks, "_PIXELS_AT_ONCE", 1)
    blocks = find_leaks(a, b, max_distance=28)
    assert len(whole.near) > 1
    assert torch.equal(blocks.near, whole.near)
    assert torch.equal(blocks.distances, whole.distances)


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 1000))
def test_the_nearest_is_what_counting_bits_finds(n: int, m: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    a = torch.rand(n, 64, generator=generator) < 0.5
    b = torch.rand(m, 64, generator=generator) < 0.5
    index, distance = leaks._nearest(a, b)
    counted = (a[None] != b[:, None]).sum(2)
    assert torch.equal(distance, counted.min(1).values)
    assert torch.equal(counted.gather(1, index[:, None])[:, 0], distance)


def test_the_hash_is_that_of_the_plain_formula() -> None:
    images = photographs(5, 3)
    hashes, contrast = perceptual_hashes(images)
    x = np.arange(32)
    for bits, value, image in zip(hashes.numpy(), contrast.tolist(), images.numpy(), strict=True):
        gray = image.mean(0) / 255
        assert abs(gray.std() - value) < 1e-6
        # The DCT-II by its definition, double sum and all.
        frequencies = np.array(
            [
                [
                    (np.cos(np.pi * (2 * x + 1) * u / 64)[:, None] * np.cos(np.pi * (2 * x + 1) * v / 64) * gray).sum()
                    * (1 if u else 0.5**0.5)
                    * (1 if v else 0.5**0.5)
                    for v in range(8)
                ]
                for u in range(8)
            ]
        ).flatten()
        assert (bits == (frequencies > np.sort(frequencies)[31])).all()


def test_groups_on_both_sides() -> None:
    assert shared_groups(["b", "a", "c"], ["c", "d", "b"]) == ("b", "c")
    assert shared_groups(None, ["a"]) == ()
    images = photographs(4, 0)
    whole = Dataset("toy", "train", images, torch.zeros(4, dtype=torch.int64), ("thing",), groups=("a", "b", "a", "c"))
    found = dataset_leaks(whole.take(torch.tensor([0, 1])), whole.take(torch.tensor([2, 3])))
    assert found.groups == ("a",)
    assert found.found
