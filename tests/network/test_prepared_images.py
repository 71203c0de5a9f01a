"""Files of every kind become images of one or three channels and of any shape, and lie where they were taken from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.network.image_files import Source
from cnnlab.network.network import Network
from cnnlab.network.open import open_network
from cnnlab.network.prepared_images import images_of_files, images_of_part
from cnnlab.network.session import Session

GREY = np.linspace(0, 255, 30 * 20).reshape(20, 30).round().astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], 2)
LUMA = np.asarray(Image.fromarray(COLOUR).convert("L"))


def network(channels: int, size: str, **more: Any) -> Network:
    model = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return open_network(model, Session(device_name="cpu"), size=size, mean=0, std=1, for_images=True, **more)


def files(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images by name, with what they are in grey and in colour."""
    grey = GREY, np.repeat(GREY[..., None], 3, 2)
    Image.fromarray(GREY).save(folder / "grey.png")
    Image.fromarray(GREY.astype(np.uint16) * 257).save(folder / "deep.png")
    Image.fromarray(COLOUR).save(folder / "colour.png")
    clear = np.dstack([COLOUR, np.full_like(GREY, 255)])
    Image.fromarray(clear).save(folder / "alpha.png")
    Image.fromarray(GREY).convert("P").save(folder / "palette.png")
    turned = Image.fromarray(np.rot90(COLOUR, 1).copy())
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned clockwise by 90°
    turned.save(folder / "turned.png", exif=exif)
    colour = LUMA, COLOUR
    return {"grey": grey, "deep": grey, "palette": grey, "colour": colour, "alpha": colour, "turned": colour}


@pytest.mark.parametrize("channels", [1, 3])
def test_files_of_every_kind_are_read_in_the_network_s_channels(channels: int, tmp_path: Path) -> None:
    made = files(tmp_path)
    found = network(channels, f"{channels},20,30")
    images, unreadable = images_of_files(
        [Source(str(tmp_path / f"{name}.png")) for name in made], found.preparation, ()
    )
    assert unreadable == []
    for image, (grey, colour) in zip(images, made.values(), strict=True):
        expected = grey[None] if channels == 1 else colour.transpose(2, 0, 1)
        assert np.array_equal(image.pixels.numpy(), expected), image.name
    inputs = found.preparation.inputs(torch.stack([image.pixels for image in images]))
    assert found.model(inputs).shape == (6, 2)


def test_channels_are_those_of_the_first_convolution() -> None:
    assert network(1, "28").shape == (1, 28, 28)
    assert network(3, "28,40").shape == (3, 28, 40)


@pytest.mark.parametrize("channels", [2, 4])
def test_other_channels_are_no_files_in_one_sentence(channels: int) -> None:
    with pytest.raises(RequestError, match=f"takes images of {channels} channels, and image files have 1") as caught:
        network(channels, "16")
    assert len(caught.value.lines) == 1
    assert network(channels, "16", any_channels=True).shape == (channels, 16, 16)


@pytest.mark.parametrize("fit", ["crop", "letterbox", "stretch"])
def test_a_part_of_another_shape_is_what_its_files_are_there(fit: str, tmp_path: Path) -> None:
    """Stored at one shape and asked for at another: fitted once, as the files given by name are."""
    for name in ("cat", "dog"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(2):
            Image.fromarray(COLOUR).save(tmp_path / "own" / name / f"{number}.png")
    config = tmp_path / "own.yaml"
    config.write_text(
        f"data: {{dataset: {{folder: {{path: own, size: [8, 24], fit: {fit}, cache: false}}}}, validation: 0}}\n"
        "model: [{conv_bn_act: {channels: 4}}, global_avg_pool, linear]\n"
    )
    session = Session(device_name="cpu")
    for size in (None, "16,16"):
        found = open_network(config, session, size=size, for_images=True)
        part = found.part("train", session.place)
        assert part.shape == ((3, 8, 24) if size is None else (3, 16, 16))
        image = images_of_part(part, "train", found.preparation, count=1, seed=0)[0]
        ((again,), _) = images_of_files([Source(image.name)], found.preparation, ())
        assert torch.equal(image.pixels, again.pixels)
        assert image.placement == again.placement
