"""Planted knowledge of places, and none where the border does not tell any."""

from collections import OrderedDict
from typing import Any

import pytest
import torch
from networks import network_of
from subject_steps import outcome
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.network.session import Session
from cnnlab.probe.position.facts import PositionFacts
from cnnlab.probe.position.readout import told
from cnnlab.probe.position.report import position_report
from cnnlab.probe.position.run import position
from cnnlab.stats.claim import Finding


def probed(model: nn.Module, **options: Any) -> PositionFacts:
    network = network_of(model.eval(), (2, 16, 16))
    _, facts = outcome(position(network, Session(device_name="cpu"), **{"count": 64, **options}))
    assert isinstance(facts, PositionFacts)
    return facts


def stack(**options: Any) -> nn.Sequential:
    torch.manual_seed(0)
    layers: dict[str, nn.Module] = {}
    for number, channels in enumerate((2, 12, 12)):
        layers[f"conv{number}"] = nn.Conv2d(channels, 12, 3, padding=1, stride=2 if number == 1 else 1, **options)
        layers[f"relu{number}"] = nn.ReLU()
    return nn.Sequential(OrderedDict(layers, pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten()))


def test_a_read_out_finds_what_is_linear_and_nothing_in_noise() -> None:
    torch.manual_seed(0)
    places = torch.rand(40, 16, 2)
    features = torch.cat([places @ torch.tensor([[1.0, 2.0], [-1.0, 1.0]]), torch.randn(40, 16, 3)], 2)
    assert told(features, places).shape == (20,)
    assert float(told(features, places).min()) > 0.999
    assert abs(float(told(torch.randn(40, 16, 5), places).mean())) < 0.02
    # more features than samples: what was learned by heart is not believed
    assert float(told(torch.randn(300, 1, 200), torch.rand(300, 1, 2)).mean()) > -0.15
    # what never varies tells nothing
    assert float(told(torch.ones(40, 16, 1), places).mean()) == pytest.approx(0, abs=0.1)


def test_zeros_at_the_border_tell_the_place_and_circular_padding_does_not() -> None:
    facts = probed(stack(), what_if=["padding=reflect"])
    last = facts.maps[-1]
    assert (last.name, last.output) == ("relu2", "12 × 8 × 8")
    assert last.told["as it is"].mean > 0.2
    assert abs(last.told["padding=circular"].mean) < 0.05
    assert last.told["padding=reflect"].mean < last.told["as it is"].mean
    findings = {claim.sentence: claim.finding for claim in facts.claims}
    assert set(findings.values()) == {Finding.SUPPORTED}
    # the same patterns a whole number of cells apart: what is pooled over the torus cannot differ
    assert facts.answers[-1].told["as it is"].mean > facts.answers[-1].told["padding=circular"].mean
    assert facts.answers[-1].told["padding=circular"].mean < 0.1
    assert position_report(facts).title == "Does net know where it is?"


def test_a_network_that_is_told_its_places_is_found_without_any_padding() -> None:
    class Coordinates(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            rows = torch.arange(x.shape[2]) / x.shape[2]
            planes = torch.stack(torch.meshgrid(rows, rows, indexing="ij"))
            return x.sum(1, keepdim=True) * 0 + planes

    facts = probed(nn.Sequential(nn.Conv2d(2, 2, 1), Coordinates()), count=8)
    assert list(facts.alterations) == ["as it is"]
    assert abs(facts.maps[0].told["as it is"].mean) < 0.1
    assert facts.maps[1].told["as it is"].mean > 0.99
    assert facts.claims == ()


def test_too_few_images_are_refused() -> None:
    with pytest.raises(RequestError, match="`count` is 3"):
        probed(stack(), count=3)


def test_a_network_that_diverged_is_refused() -> None:
    model = stack()
    next(model.parameters()).data.fill_(float("nan"))
    with pytest.raises(WorkError, match="of net puts out is NaN"):
        probed(model, count=4)
