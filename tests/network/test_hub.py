"""What lies beside weights in a repository of a hub: transformers' and timm's files, as they stand there."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.network.description import Description, description_of
from cnnlab.network.open import open_network
from cnnlab.network.session import Session

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
RESNET = {"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0.875, "do_normalize": True, "do_resize": True,
          "image_mean": MEAN, "image_std": STD, "resample": 3, "size": {"shortest_edge": 224}}  # fmt: skip
VIT = {"do_normalize": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2,
       "size": 224}  # fmt: skip
CLIP = {"crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "image_mean": MEAN, "image_std": STD,
        "do_resize": True, "resample": 3, "size": {"shortest_edge": 256}}  # fmt: skip
EFFICIENT = {"crop_size": {"height": 289, "width": 289}, "do_center_crop": False, "image_mean": MEAN, "image_std": STD,
             "do_resize": True, "resample": 0, "size": {"height": 346, "width": 346}}  # fmt: skip
MOBILENET = {"do_resize": True, "do_center_crop": True, "do_normalize": False, "do_rescale": True, "size": 256,
             "crop_size": 224, "rescale_factor": 1 / 127.5, "rescale_offset": True}  # fmt: skip
TIMM = {
    "architecture": "resnet50",
    "num_classes": 3,
    "label_names": ["n01", "n02", "n03"],
    "label_descriptions": {"n01": "crane", "n03": "crane"},
    "pretrained_cfg": {"input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "center",
                       "mean": MEAN, "std": STD, "num_classes": 3},
}  # fmt: skip


def beside(folder: Path, **files: Any) -> Description:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return description_of({"weights": folder / "model.safetensors"})


@pytest.mark.parametrize(
    ("content", "size", "fit", "share", "interpolation"),
    [
        (RESNET, "3,224,224", "crop", 224 / 256, "bicubic"),
        (RESNET | {"size": {"shortest_edge": 384}}, "3,384,384", "stretch", None, "bicubic"),
        (VIT, "3,224,224", "stretch", None, "bilinear"),
        (CLIP, "3,224,224", "crop", 224 / 256, "bicubic"),
        (EFFICIENT, "3,346,346", "stretch", None, "bilinear"),
        (EFFICIENT | {"do_center_crop": True}, "3,289,289", "stretch", 289 / 346, "bilinear"),
    ],
)
def test_transformers_images(
    content: Any, size: str, fit: str, share: float | None, interpolation: str, tmp_path: Path
) -> None:
    said = beside(tmp_path, preprocessor_config=content)
    assert (said.size, said.fit, said.crop_share, said.interpolation) == (size, fit, share, interpolation)
    assert (said.mean, said.std) == (tuple(content["image_mean"]), tuple(content["image_std"]))
    assert said.remarks[0].startswith("size, mean, std, fit")
    assert any("pillow's filter 0" in remark for remark in said.remarks) == (content.get("resample") == 0)


def test_pixels_that_are_not_0_to_1_become_so(tmp_path: Path) -> None:
    said = beside(tmp_path, preprocessor_config=MOBILENET | {"do_flip_channel_order": True})
    assert (said.size, said.fit, said.crop_share) == ("224,224", "crop", 224 / 256)
    assert (said.mean, said.std) == ((0.5,), (0.5,))  # x / 127.5 − 1
    assert "blue, green, red" in said.remarks[-1]
    raw = beside(tmp_path, preprocessor_config={**VIT, "do_rescale": False, "image_mean": 127.5, "image_std": 255})
    assert (raw.mean, raw.std) == ((0.5,), (1.0,))


def test_transformers_network(tmp_path: Path) -> None:
    network = {"model_type": "vit", "id2label": {"1": "dog, hound", "0": "cat"}, "image_size": 32, "num_channels": 1,
               "problem_type": "multi_label_classification"}  # fmt: skip
    said = beside(tmp_path, config=network)
    assert (said.size, said.classes, said.activation) == ("1,32,32", ("cat", "dog, hound"), "sigmoid")
    assert beside(tmp_path, config=network, preprocessor_config=VIT).size == "3,224,224"
    unnamed = network | {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}
    assert beside(tmp_path, config=unnamed).classes is None


def test_timm_s_repository(tmp_path: Path) -> None:
    said = beside(tmp_path, config=TIMM)
    assert (said.size, said.fit, said.interpolation, said.mean) == ("3,224,224", "crop", "bicubic", tuple(MEAN))
    assert said.crop_share == pytest.approx(224 / 235)
    assert said.classes == ("crane", "n02", "crane (2)")


def test_others_files_are_left_alone_and_broken_ones_told(tmp_path: Path) -> None:
    assert beside(tmp_path, config={"lr": 0.1, "epochs": 3}) == Description()
    (tmp_path / "config.json").write_text("{")
    assert description_of({"weights": tmp_path / "w.pt"}) == Description()
    with pytest.raises(RequestError, match=r"config\.json: is no JSON"):
        description_of({"preparation": tmp_path / "config.json"})
    with pytest.raises(ConfigError, match=r"preprocessor_config\.json: 'std' is"):
        beside(tmp_path, preprocessor_config=VIT | {"image_std": [0.0] * 3})
    with pytest.raises(RequestError, match="its numbers are none"):
        beside(tmp_path, preprocessor_config=VIT | {"size": {"width": 3}})


def test_a_network_takes_what_lies_beside_its_weights(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    labels = {"id2label": {"0": "cat", "1": "dog"}}
    for name, content in (("preprocessor_config", CLIP), ("config", labels)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    here = Session(device_name="cpu")
    found = open_network(model, here, weights=tmp_path / "model.safetensors", size=8, fit="stretch", for_images=True)
    assert (found.shape, found.classes, found.preparation.fit) == ((3, 8, 8), ("cat", "dog"), "stretch")
    assert found.preparation.crop_share is None
    assert any("preprocessor_config.json and " in remark for remark in found.remarks)
    torch.testing.assert_close(torch.tensor(found.preparation.statistics.mean), torch.tensor(MEAN))
    labels["id2label"]["2"] = "fox"
    (tmp_path / "config.json").write_text(json.dumps(labels))
    assert open_network(model, here, weights=tmp_path / "model.safetensors", size=8, for_images=True).classes == ()
