from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab.core.errors import RequestError
from cnnlab.network.given_images import GivenImages, sources_of

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def as_read(images: GivenImages, channels: int = 3) -> list[np.ndarray]:
    return [source.read(channels).permute(1, 2, 0).numpy() for source in sources_of(images)]  # type: ignore[arg-type]


def test_every_form_of_an_image_is_the_same_image(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    tensor = torch.from_numpy(PIXELS).permute(2, 0, 1)
    forms: list[GivenImages] = [
        PIXELS, tensor, tensor.contiguous(), tensor[None], PIXELS[None], Image.fromarray(PIXELS),
        tmp_path / "a.png", str(tmp_path / "a.png"), tmp_path, [PIXELS], (tensor,), Image.open(tmp_path / "a.png"),
    ]  # fmt: skip
    for form in forms:
        (read,) = as_read(form)
        assert np.array_equal(read, PIXELS)


def test_grey_and_transparent_images() -> None:
    grey = PIXELS[..., 0]
    for form in (grey, torch.from_numpy(grey), torch.from_numpy(grey)[None], grey[..., None]):
        (read,) = as_read(form)
        assert np.array_equal(read, np.repeat(grey[..., None], 3, 2))
    clear = np.concatenate([PIXELS, np.zeros_like(PIXELS[..., :1])], 2)
    assert np.array_equal(as_read(clear)[0], np.full_like(PIXELS, 255))


def test_turned_photos_are_turned_and_stay_as_they_are() -> None:
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = 6  # to be turned by 90° clockwise
    assert np.array_equal(as_read(image)[0], np.rot90(PIXELS, -1))
    assert image.size == (9, 6)


def test_images_are_numbered_through(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    batch = torch.from_numpy(PIXELS).permute(2, 0, 1).expand(2, -1, -1, -1)
    names = [source.name for source in sources_of([PIXELS, tmp_path / "a.png", batch])]
    assert names == ["image 0", str(tmp_path / "a.png"), "image 2", "image 3"]


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (PIXELS / 255, "image 0 has values of float64, and an image has bytes"),
        (torch.rand(3, 4, 4), r"image 0 has values of float32.*give \(255 \* image\)\.round\(\) as uint8"),
        (PIXELS.transpose(2, 0, 1), r"has the shape \(3, 6, 9\).*image\.transpose\(1, 2, 0\)"),
        (torch.from_numpy(PIXELS), r"shape \(6, 9, 3\), expected \(channels, height, width\); give image\.permute"),
        (np.zeros((0, 4, 3), np.uint8), r"the shape \(0, 4, 3\)"),
        (np.zeros(3, np.uint8), r"the shape \(3,\)"),
        ([], "`images` has no image"),
        (3, "images is of type int, expected a path"),
        ([3], "image 0 is of type int, expected a path"),
        ("nothing/here.png", "nothing/here.png: no such image, folder or pattern"),
    ],
)
def test_what_is_no_image(images: object, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        sources_of(images)  # type: ignore[arg-type]
