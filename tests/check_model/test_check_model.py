"""`check-model`: what is understood of networks whose manners are known, and which commands it says will work."""

from pathlib import Path

import pytest
import torch
from command_line import Place
from token_networks import ViT, seeded
from torch import Tensor, nn

from cnnlab.check_model.report import check_json, preparation_yaml
from cnnlab.check_model.run import ModelCheck, check_model
from cnnlab.network.description import description_of
from cnnlab.network.open import open_network
from cnnlab.network.session import Session


class Net(nn.Module):
    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, classes)

    def maps(self, images: Tensor) -> Tensor:
        return torch.relu(self.first(images))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.maps(images).mean((2, 3)))
        return logits


class Drops(Net):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(nn.functional.dropout(images, 0.5, self.training))


class Draws(Net):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images + torch.randn_like(images))


class Mixes(Net):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images - images.mean(0, keepdim=True))


class Cuts(Net):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.detach().round())


class Dense(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(3 * 16 * 16, 5))


def checked(model: nn.Module) -> ModelCheck:
    return check_model(open_network(model, Session(device_name="cpu"), size="3,16,16", for_images=True))


def works(found: ModelCheck) -> dict[str, str]:
    return {check.command: check.works for check in found.commands}


def test_a_plain_network() -> None:
    found = checked(Net())
    assert (found.kind, found.parameters, found.logits, found.works) == ("Net", 3 * 4 * 9 + 4 + 25, 5, True)
    assert found.layer is not None
    assert (found.layer.name, found.layer.height) == ("first", 16)
    assert (found.differs_in_training, found.steadiness.draws, found.steadiness.mixes) == (False, False, False)
    assert works(found)["eval"] == "with --data"


def test_each_class_by_itself_is_no_evaluation_of_images_with_one_class() -> None:
    network = open_network(Net(), Session(device_name="cpu"), size="3,16,16", activation="sigmoid", for_images=True)
    told = works(check_model(network))
    assert (told["eval"], told["report"]) == ("no", "no")
    assert (told["predict"], told["audit"], told["report-card"]) == ("yes", "with --data", "with --data")


@pytest.mark.parametrize(
    ("model", "differs", "draws", "mixes"),
    [(Drops(), True, False, False), (Draws(), False, True, False), (Mixes(), False, False, True)],
    ids=lambda one: type(one).__name__,
)
def test_manners(model: nn.Module, differs: bool, draws: bool, mixes: bool) -> None:
    found = checked(model)
    assert (found.differs_in_training, found.steadiness.draws, found.steadiness.mixes) == (differs, draws, mixes)


def test_what_will_not_work_is_said_with_the_reason() -> None:
    assert works(checked(Cuts()))["saliency"] == "no"
    dense = checked(Dense())
    assert {name for name, answer in works(dense).items() if answer == "no"} == {
        "gradcam",
        "report-card",
        "visualize filters",
        "visualize features",
        "visualize patches",
    }
    assert all(check.reason for check in dense.commands if check.works == "no")
    assert not dense.works
    assert check_json(dense)["layer"] is None


def test_the_network_is_as_it_was() -> None:
    model = Drops().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    checked(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_the_preparation_that_is_printed_says_the_same_again(tmp_path: Path) -> None:
    session = Session(device_name="cpu")
    said = {"mean": [0.5, 0.25, 0.1], "std": 0.2, "classes": ["it's", "b: c", "#d", "1", "no"], "fit": "letterbox"}
    network = open_network(Net(), session, size="3,16,16", for_images=True, **said)  # type: ignore[arg-type]
    (tmp_path / "preparation.yaml").write_text(preparation_yaml(check_model(network)), encoding="utf-8")
    again = description_of({"preparation": tmp_path / "preparation.yaml"})
    assert (again.size, again.mean, again.std) == ("3,16,16", (0.5, 0.25, 0.1), (0.2, 0.2, 0.2))
    assert (again.classes, again.fit, again.activation) == (tuple(said["classes"]), "letterbox", "softmax")


NETWORK = """
import torch.nn as nn
print("loud")
class Net(nn.Sequential):
    def __init__(self, classes=3):
        super().__init__(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
class Dense(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(192, 5))
"""


def test_on_the_command_line(cnnlab: Place) -> None:
    (cnnlab.folder / "net.py").write_text(NETWORK)
    done = cnnlab("check-model", "net.py:Net", "--input", "3,8,8", "--classes", "a,b", "--json")
    assert done.code == 0, done.err
    assert done.json()["classes"] == ["a", "b"]
    assert done.json()["logits"] == 2
    done = cnnlab("check-model", "net.py:Dense", "--input", "3,8,8")
    assert done.code == 1
    assert "visualize filters" in done.out
    done = cnnlab("check-model", "net.py:Net", "--input", "3,8,8", "--print-preparation")
    assert done.out.startswith("# What net.py:Net needs")
    assert "# classes: [3 names" in done.out


def test_layers_of_tokens() -> None:
    """The grid is said, and layers whose patches lead nowhere are not among those that could be named."""
    found = check_json(checked(seeded(ViT)))
    assert found["layer"]["name"] == "blocks.1.norm1"
    assert found["layer"]["tokens"] == "tokens of a grid of 4 × 4, 1 class token left out"
    assert "blocks.0" in found["layers"]
    assert not {"blocks", "blocks.1.norm2", "norm"} & set(found["layers"])
    assert found["works"]
