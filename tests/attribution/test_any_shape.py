"""Maps of a network of 64 × 160 px lie on images of any size where the evidence is, whatever was cut or added."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

NETWORK = """
import torch
from torch import nn

class Red(nn.Module):
    '''Says 0 for red and 1 for blue, by the mean of each.'''

    def __init__(self):
        super().__init__()
        self.colours, self.act, self.pool = nn.Conv2d(3, 2, 1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        self.colours.weight.data = torch.tensor([[1.0, 0, -1], [-1, 0, 1]])[..., None, None]

    def forward(self, images):
        return self.pool(self.act(self.colours(images))).flatten(1)
"""
ROWS, COLUMNS = (52, 62), (70, 85)
OPTIONS = ("--input", "64,160", "--mean", "0", "--std", "1", "--classes", "red,blue")


@pytest.fixture
def photo(cnnlab: Any) -> Path:
    (cnnlab.folder / "net.py").write_text(NETWORK)
    grey = np.random.default_rng(0).integers(0, 200, (120, 100, 1), dtype=np.uint8).repeat(3, 2)
    grey[slice(*ROWS), slice(*COLUMNS)] = (255, 0, 0)
    Image.fromarray(grey).save(cnnlab.folder / "photo.png")
    return Path(cnnlab.folder / "photo.png")


@pytest.mark.parametrize("fit", ["crop", "letterbox", "stretch"])
@pytest.mark.parametrize("command", [("gradcam", "--layer", "act"), ("saliency", "--method", "gradient_x_input")])
def test_the_evidence_lies_on_the_marker(cnnlab: Any, photo: Path, fit: str, command: tuple[str, ...]) -> None:
    name, *method = command
    result = cnnlab(name, "net.py:Red", "photo.png", *OPTIONS, "--fit", fit, *method, "--out", fit, "--json")
    assert result.code == 0, result.err
    (one,) = result.json()["images"]
    raw = np.load(cnnlab.folder / one["raw"])
    assert raw.shape == (64, 160)
    row, column = one["peak"]
    assert ROWS[0] <= row < ROWS[1]
    assert COLUMNS[0] <= column < COLUMNS[1]
    # as large as the marker is, of what is seen of the image
    seen = {"crop": 40 * 100, "letterbox": 120 * 300, "stretch": 120 * 100}[fit]
    assert (raw > raw.max() / 2).mean() == pytest.approx(10 * 15 / seen, rel=0.25)
    assert result.json()["provenance"]["preparation"]["shape"] == [3, 64, 160]
    with Image.open(cnnlab.folder / one["overlay"]) as overlay:
        assert overlay.width > 0


@pytest.mark.figures
def test_a_field_is_drawn_on_the_image_as_the_network_gets_it(cnnlab: Any, photo: Path) -> None:
    words = ("receptive-field", "net.py:Red", *OPTIONS, "--layer", "act", "--image", "photo.png", "--fit", "letterbox")
    result = cnnlab(*words, "--out", "field")
    assert result.code == 0, result.err
    with Image.open(cnnlab.folder / "field" / "box.png") as figure:
        pixels = np.asarray(figure.convert("RGB")).astype(int)
    red = np.argwhere((pixels[..., 0] > 200) & (pixels[..., 1:].max(2) < 60))
    black = np.argwhere(pixels.max(2) == 0)
    high, wide = np.ptp(red, 0) + 1
    assert wide / high == pytest.approx(15 / 10, rel=0.2)  # not stretched
    assert np.ptp(black[:, 1]) > 4 * wide  # the bars beside it
