"""Images that are odd and not bad: they are read as they are meant."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from bad_inputs.images import animation, cmyk_jpeg, content, png, sixteen_bits
from PIL import Image

from cnnlab.data.dataset import DataPlace
from cnnlab.data.folder import folder

RED, WHITE = (255, 0, 0), (255, 255, 255)
ODD = {
    "one pixel": ("a.png", content(Image.new("RGB", (1, 1), RED), "PNG"), RED),
    "one pixel high": ("a.png", content(Image.new("RGB", (500, 1), RED), "PNG"), RED),
    "CMYK": ("a.jpg", cmyk_jpeg(), RED),
    "16 bits, rounded to 8": ("a.png", sixteen_bits(), (128, 128, 128)),
    "an animation, its first frame": ("a.gif", animation(), RED),
    "a palette": ("a.gif", content(Image.new("RGB", (8, 8), RED).quantize(4), "GIF"), RED),
    "black and white": ("a.png", content(Image.new("1", (8, 8), 1), "PNG"), WHITE),
    "transparent, on white": ("a.png", content(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "PNG"), WHITE),
    "a name with another ending": ("a.jpg", content(Image.new("RGB", (8, 8), RED), "PNG"), RED),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_is_read_right(odd: str, fit: str, tmp_path: Path) -> None:
    name, written, colour = ODD[odd]
    for number, label in enumerate(("other", "odd")):
        (tmp_path / label).mkdir()
        (tmp_path / label / name).write_bytes(written if label == "odd" else png(number))
    images = folder(DataPlace(tmp_path / "data"), "train", path=str(tmp_path), size=4, fit=fit, cache=False)  # type: ignore[arg-type]
    assert images.classes == ("odd", "other")
    assert not images.skipped
    expected = torch.tensor(colour)[:, None, None].expand(3, 4, 4)
    assert (images.images[0].int() - expected).abs().max() <= 2  # a JPEG is not exact
