"""The plan of the lab: which parts a network can be asked, and what is said where it cannot."""

from pathlib import Path

import pytest
import torch
from torch import nn

import cnnlab
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.network.network import Network
from cnnlab.network.open import open_network
from cnnlab.network.session import Session
from cnnlab.probe.norm.lab import NormOptions
from cnnlab.probe.norm.run import NormFacts, measured, norm_report, planned

SESSION = Session(device_name="cpu")
CHEAP = ["formulas", "state", "modes", "statistics", "running", "folding"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    path = tmp_path_factory.mktemp("plan") / "plan.yaml"
    path.write_text(
        "data: {dataset: {shapes: {train_count: 60}}, validation: 0.1}\n"
        "model: [{conv_bn_act: {channels: 4, stride: 4, bias: true}}, global_avg_pool, linear]\n"
        "training: {batch_size: 4}\n"
    )
    return open_network(str(path), SESSION, for_images=True)


def module(*layers: nn.Module) -> Network:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return open_network(model, SESSION, size="16", for_images=True)


def refused(network: Network, **options: object) -> str:
    with pytest.raises(RequestError) as error:
        planned(network, SESSION, NormOptions(**options))  # type: ignore[arg-type]
    return str(error.value)


def test_what_takes_seconds_is_done_and_warns_of_few_images_a_batch(network: Network) -> None:
    plan = planned(network, SESSION, NormOptions(count=24))
    assert [part.name for part in plan.parts] == CHEAP
    assert list(plan.costs()) == []
    *_, facts = measured(plan)
    assert isinstance(facts, NormFacts)
    assert facts.recommendation.warns
    assert facts["folding"].redundant == 4
    assert facts["statistics"].untouched
    assert any("left out (conversion)" in note for note in facts.notes)
    report = norm_report(facts)
    assert [block.key for block in report.blocks if hasattr(block, "key")] == [*CHEAP, "claims"]


def test_a_network_without_images_is_asked_for_its_formulas() -> None:
    plan = planned(module(nn.BatchNorm2d(4)), SESSION)
    assert [part.name for part in plan.parts] == ["formulas"]
    assert "`data`" in refused(module(nn.BatchNorm2d(4)), parts=("modes",))


def test_what_cannot_be_asked_is_said(network: Network) -> None:
    assert "no normalisation layer" in refused(module())
    assert "no batch norm" in refused(module(nn.GroupNorm(2, 4)), parts=("statistics",))
    assert "no config to train by" in refused(module(nn.BatchNorm2d(4)), train=True)
    assert "Did you mean 'modes'" in refused(network, parts=("mode",))
    assert "`epochs`" in refused(network, epochs=3)
    assert "is no run" in refused(network, parts=("fine-tuning",))
    assert "`batch_sizes`" in refused(network, parts=("batch-size",), batch_sizes=(1, 4))
    assert "50 training images" in refused(network, parts=("batch-size",), batch_sizes=(4, 64))


def test_what_it_costs_is_said_before(network: Network, tmp_path: Path) -> None:
    plan = planned(network, SESSION, NormOptions(parts=("training",), epochs=2), folder=tmp_path)
    (said,) = plan.costs()
    assert said.startswith("training: 2 trainings of 2 epochs on 50 images: about")
    assert list(tmp_path.iterdir()) == []


def test_a_module_is_asked_about_images_that_are_given() -> None:
    """Any network with a norm, and labelled images in memory."""
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    images = torch.randint(256, (6, 3, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    opened = cnnlab.open(model, size=12, classes=["day", "night"], device="cpu")
    found = opened.norms((images, [0, 1, 0, 1, 1, 0]), parts=["modes", "conversion"])
    assert found["modes"].mates[0].kept == 1
    assert found["conversion"].layers[0].is_instance
    assert model.training  # as it was
    assert [claim.finding.value for claim in found.claims][:1] == ["supported"]
    assert found.to_dict()["parts"]["modes"]["split"] == "all"


def test_a_network_that_diverged_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    next(model.parameters()).data.fill_(float("nan"))
    opened = cnnlab.open(model, size=12, classes=["day", "night"], device="cpu")
    with pytest.raises(WorkError, match="puts out is NaN"):
        opened.norms((torch.zeros(4, 3, 12, 12, dtype=torch.uint8), [0, 1, 0, 1]), parts=["modes"])
