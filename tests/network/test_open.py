"""A network by what a person calls it, from Python."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.network.open import open_network
from cnnlab.network.session import Session

CPU = Session(device_name="cpu")


def test_a_folder_and_a_config_may_be_paths(trained) -> None:
    session = Session(device_name="cpu", runs=trained.place.runs)
    assert open_network(trained.run, session).name == "tiny"
    assert open_network(trained.place.folder / "tiny.yaml", session).origin == "config"


def test_where_no_data_is_loaded_a_network_is_made_for_the_classes_that_its_config_assumes(tmp_path: Path) -> None:
    config = tmp_path / "head.yaml"
    config.write_text(
        "data: {dataset: {shapes: {train_count: 40, test_count: 10}}, assumed_classes: 1000}\n"
        "model: [conv: {channels: classes}, global_avg_pool]\n"
    )
    assert open_network(config, CPU).logits == 1000
    found = open_network(config, CPU, for_images=True)
    assert found.logits == len(found.classes) == found.model[0].out_channels < 1000


OTHER = save({"other.weight": torch.zeros(2, 2)})
"""A file of another network's weights."""


@pytest.mark.parametrize("content", [None, b"", b"no weights", OTHER])
def test_a_file_without_its_weights_is_told_before_data_is_loaded(tmp_path: Path, content: bytes | None) -> None:
    config, weights = tmp_path / "absent.yaml", tmp_path / "w.pt"
    config.write_text("data: {dataset: {folder: {path: absent, size: 8}}}\nmodel: [global_avg_pool, linear]\n")
    if content is not None:
        weights.write_bytes(content)
    with pytest.raises(RequestError, match=r"^[^ ]*w\.pt: "):
        open_network(config, CPU, for_images=True, weights=str(weights))
    with pytest.raises(RequestError, match="absent: no such folder"):
        open_network(config, CPU, for_images=True)


@pytest.mark.parametrize("classes", [10, 3])
def test_a_config_is_for_its_data_with_weights_for_as_many_classes_alone(tmp_path: Path, classes: int) -> None:
    config, weights = tmp_path / "head.yaml", tmp_path / "w.safetensors"
    data = "data: {dataset: {shapes: {train_count: 40, test_count: 10, size: 16}}, assumed_classes: 1000}\n"
    config.write_text(f"{data}model: [global_avg_pool, linear]\n")
    values = torch.arange(3.0 * classes).reshape(classes, 3)
    weights.write_bytes(save({"linear1.weight": values, "linear1.bias": torch.zeros(classes)}))
    found = open_network(config, CPU, for_images=True, weights=weights)
    assert torch.equal(found.model.get_parameter("linear1.weight"), values)
    assert (found.trained, found.logits, found.config is not None) == (True, classes, classes == 10)
    assert (found.preparation.shape, len(found.classes)) == ((3, 16, 16), 10 if classes == 10 else 0)
    assert any("the weights are for 3 classes" in remark for remark in found.remarks) == (classes == 3)


def test_a_size_may_be_a_number() -> None:
    shapes = [open_network("torchvision:resnet18", CPU, size=size, values=False).shape for size in (64, "64")]
    assert shapes == [(3, 64, 64), (3, 64, 64)]


@pytest.mark.parametrize("size", ["", 0, "64,", "1,2,3,4"])
def test_what_is_no_size_is_refused(size: str | int) -> None:
    with pytest.raises(RequestError, match=f"`size` is '{size}', expected a size in pixels"):
        open_network("torchvision:resnet18", CPU, size=size, values=False)


def test_a_module_is_itself_put_into_evaluation_mode() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout()).train()
    network = open_network(module, CPU, size=16)
    assert (network.model is module, module.training, network.shape) == (True, False, (3, 16, 16))
    with pytest.raises(RequestError, match="`size`: a module does not tell what images it is for"):
        open_network(module, CPU)


class Two(nn.Module):
    """Images, and numbers beside them."""

    def forward(self, image: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        return image.mean((2, 3)) + numbers


class Without(nn.Module):
    def forward(self) -> torch.Tensor:
        return torch.zeros(1, 2)


@pytest.mark.parametrize(("module", "takes"), [(Two(), "image and numbers"), (Without(), "nothing")])
def test_a_network_that_takes_something_else_than_images(module: nn.Module, takes: str) -> None:
    with pytest.raises(RequestError, match=f"^{type(module).__name__} takes {takes}, and is given images alone"):
        open_network(module, CPU, size="3,8,8", for_images=True)


@pytest.mark.parametrize(
    ("last", "classes", "activation"),
    [(nn.Sigmoid(), 1, "softmax"), (nn.Sigmoid(), 3, "sigmoid"), (nn.Softmax(1), 3, "softmax")],
)
def test_probabilities_become_the_logits_that_they_were_made_of(last: nn.Module, classes: int, activation: str) -> None:
    plain = nn.Sequential(nn.Conv2d(3, classes, 2), nn.AdaptiveAvgPool2d(1))
    whole = open_network(nn.Sequential(plain, last), CPU, size="3,4,4", for_images=True)
    images = torch.randn(5, 3, 4, 4, requires_grad=True)
    expected, found = plain(images).flatten(1), whole.model(images)
    if isinstance(last, nn.Softmax):  # all of them may be larger by the same number
        expected = expected.log_softmax(1)
    assert torch.allclose(found, expected, atol=1e-5)
    slopes = [torch.autograd.grad(one[:, 0].sum(), images, retain_graph=True)[0] for one in (found, expected)]
    assert torch.allclose(*slopes, atol=1e-5)
    assert whole.activation == activation
    assert any("the logits are worked out of its probabilities" in remark for remark in whole.remarks)
    chosen = open_network(nn.Sequential(plain, last), CPU, size="3,4,4", for_images=True, activation="softmax")
    assert chosen.activation == "softmax"


def test_logits_between_0_and_1_stay_as_they_are() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 4), nn.Flatten())
    nn.init.constant_(module[0].bias, 0.5)
    found = open_network(module, CPU, size="3,4,4", for_images=True)
    images = torch.randn(2, 3, 4, 4)
    assert torch.equal(found.model(images), module(images))


@pytest.mark.parametrize(("mean", "told"), [("123.7", True), ("0.5", False)])
def test_a_mean_of_pixels_up_to_255_is_doubted(mean: str, told: bool) -> None:
    found = open_network(nn.Flatten(), CPU, size="3,1,1", for_images=True, mean=mean, std="0.2")
    assert any("0 … 255 are to be divided by 255" in remark for remark in found.remarks) is told


def test_weights_of_a_file_may_be_a_path(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(2, 2))
    torch.save({"0.weight": torch.eye(2), "0.bias": torch.ones(2)}, tmp_path / "some.pt")
    open_network(module, CPU, size=16, weights=tmp_path / "some.pt")
    assert module[0].bias.tolist() == [1, 1]


def test_a_run_that_is_not_there_is_told_in_sentences(trained) -> None:
    with pytest.raises(RequestError) as caught:
        open_network("tinny", Session(device_name="cpu", runs=trained.place.runs))
    assert "Did you mean 'tiny'? MODEL is a run" in str(caught.value)


def test_a_part_that_was_not_kept_leaves_the_training_part(place_of, no_report, tmp_path: Path) -> None:
    place = place_of(tmp_path)
    place.config()
    assert place("train", "tiny.yaml", "training.epochs=1", "data.validation=0", "--json").code == 0
    found = place("gradcam", "tiny", "--split", "validation", "--json")
    assert found.code == 2
    assert "the run tiny keeps no validation part (data.validation is 0); use --split train" in found.err
