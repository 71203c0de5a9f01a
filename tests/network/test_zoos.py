"""Networks of torchvision and timm get the images of their own evaluations: against the libraries' transforms."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

from cnnlab.network.image_files import Source
from cnnlab.network.open import open_network
from cnnlab.network.preparation import Preparation
from cnnlab.network.prepared_images import images_of_files
from cnnlab.network.session import Session
from cnnlab.network.zoos import TIMM_CROP, preparation_of_timm, timm

SESSION = Session(device_name="cpu")


def preparation(text: str, **options: Any) -> Preparation:
    return open_network(text, SESSION, values=False, for_images=True, **options).preparation


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (301, 450, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


# bilinear and bicubic, cut and not, from below its size and from above
@pytest.mark.parametrize(
    "name", ["resnet18", "resnet50", "efficientnet_v2_m", "efficientnet_b1", "swin_t", "inception_v3"]
)
def test_torchvision_s_images_are_those_of_its_transforms(name: str, photo: Path) -> None:
    ours = preparation(f"torchvision:{name}")
    ((image,), _) = images_of_files([Source(str(photo))], ours, ())
    transforms = list(models.get_model_weights(name))[-1].transforms()
    with Image.open(photo) as opened:
        torch.testing.assert_close(ours.inputs(image.pixels[None])[0], transforms(opened.convert("RGB")))


def test_another_size_keeps_the_share_and_another_fit_leaves_it() -> None:
    assert preparation("torchvision:resnet18").crop_share == 224 / 256
    assert preparation("torchvision:resnet18", size=64).fitting.window(100, 100).resized == (73, 73)
    assert preparation("torchvision:resnet18", size="64,160").fitting.window(100, 100).resized == (183, 183)
    assert preparation("torchvision:resnet18", fit="stretch").crop_share is None
    assert preparation("torchvision:resnet18", fit="stretch", crop_share=0.5).crop_share == 0.5
    assert preparation("torchvision:resnet18", mean=0.5, std=0.5).crop_share == 224 / 256
    assert preparation("torchvision:swin_t", interpolation="bilinear").interpolation == "bilinear"


def test_a_file_of_a_preparation_says_it(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("crop_share: 0.5\ninterpolation: bicubic\nfit: crop\n")
    made = preparation("torchvision:resnet18", preparation=tmp_path / "p.yaml")
    assert (made.crop_share, made.interpolation) == (0.5, "bicubic")
    assert made.sentence.startswith("each image: its shorter side resized to 448 px (bicubic), the middle 224 × 224 px")


def evaluations() -> dict[tuple[Any, ...], dict[str, Any]]:
    """One of timm's networks for each way in which it prepares images, those of small images."""
    from timm.models import get_pretrained_cfg, list_pretrained

    found = {}
    for name in list_pretrained():
        own = get_pretrained_cfg(name).to_dict()
        way = own["input_size"], own.get("crop_pct"), own.get("interpolation"), own.get("crop_mode")
        if max(own["input_size"]) <= 400 and own.get("crop_mode") != "border":
            found[way] = own
    return found


def test_timm_s_images_are_those_of_its_transforms(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = pytest.importorskip("timm")
    from timm.data.transforms_factory import transforms_imagenet_eval

    class Named(torch.nn.Module):
        def __init__(self, default_cfg: dict[str, Any]) -> None:
            super().__init__()
            self.default_cfg = default_cfg

    ways = evaluations()
    assert len(ways) > 30
    for (size, share, interpolation, mode), own in ways.items():
        monkeypatch.setattr(library, "create_model", lambda *_, own=own, **__: Named(own))
        ours = timm("resnet18", values=False).preparation
        ((image,), _) = images_of_files([Source(str(photo))], ours, ())
        theirs = transforms_imagenet_eval(
            img_size=size[1:], crop_pct=share or TIMM_CROP, crop_mode=mode, interpolation=interpolation,
            mean=own["mean"], std=own["std"],
        )  # fmt: skip
        with Image.open(photo) as opened:
            torch.testing.assert_close(ours.inputs(image.pixels[None])[0], theirs(opened))


def test_timm_s_networks_of_imagenet_know_its_classes() -> None:
    pytest.importorskip("timm")
    names = timm("resnet18", values=False).classes
    assert (len(names), len(set(names)), names[0], names[517]) == (1000, 1000, "tench, Tinca tinca", "crane (517)")
    assert timm("resnet18", values=False, classes=1000).classes == ()


def test_timm_s_border_leaves_the_same_image_between_its_bars(photo: Path) -> None:
    pytest.importorskip("timm")
    from timm.data.transforms_factory import transforms_imagenet_eval

    own = {"crop_mode": "border", "crop_pct": 1.0, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    ours = preparation_of_timm({**own, "input_size": (3, 56, 56), "interpolation": "bicubic"})
    ((image,), _) = images_of_files([Source(str(photo))], ours, ())
    theirs: Any = transforms_imagenet_eval(img_size=(56, 56), interpolation="bicubic", **own)  # of a black mean
    with Image.open(photo) as opened:
        torch.testing.assert_close(ours.inputs(image.pixels[None])[0], theirs(opened))
    assert "bars have the mean's colour" in ours.sentence
