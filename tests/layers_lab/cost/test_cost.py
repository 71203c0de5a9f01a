"""`cnnlab cost`: counts against torch's, times that add up, and both networks side by side."""

import csv

import pytest
import torch
from command_line import Place
from torch.utils.flop_counter import FlopCounterMode

from cnnlab.layers_lab.cost.facts import CostFacts
from cnnlab.layers_lab.cost.report import cost_json, cost_report
from cnnlab.layers_lab.cost.run import cost_facts
from cnnlab.network.network import Network
from cnnlab.network.open import open_network
from cnnlab.network.session import Session
from cnnlab.view.blocks import Text, inside, tables


@pytest.fixture(scope="module")
def network() -> Network:
    return open_network("torchvision:resnet18", Session(device_name="cpu"), size="40")


@pytest.fixture(scope="module")
def facts(network: Network) -> CostFacts:
    session = Session(device_name="cpu", max_batch=3)
    *_, found = cost_facts(network, session, swap="depthwise_separable", repeats=5)
    assert isinstance(found, CostFacts)
    return found


def test_counts_are_those_of_torch_for_both_networks(network: Network, facts: CostFacts) -> None:
    assert facts.swap is not None
    for model, found in zip((network.model, facts.swap.model), facts.networks, strict=True):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.zeros(1, 3, 40, 40))
        assert found.costs.macs == counter.get_total_flops() / 2 == sum(one.macs for one in found.layers)
        assert found.costs.parameters == sum(parameter.numel() for parameter in model.parameters())
    of_3x3 = [one for one in facts.swap.swapped if one.kernel == (3, 3)]
    assert len(of_3x3) == 16
    assert 7.8 < sum(one.weights for one in of_3x3) / sum(one.weights_after for one in of_3x3) < 9


def test_times_of_the_layers_add_up_to_the_pass(facts: CostFacts) -> None:
    for found in facts.networks:
        assert sum(one.seconds for one in found.layers) + found.between == pytest.approx(found.watched)
        assert sum(one.share for one in found.layers) <= 1
        assert [one.seconds for one in found.layers] == sorted((one.seconds for one in found.layers), reverse=True)
        assert sum(one.seconds for one in found.kinds) == pytest.approx(sum(one.seconds for one in found.layers))
        assert found.unwatched > 0
    assert {"Conv2d 3×3 depthwise", "Conv2d 7×7 depthwise"} <= {one.kind for one in facts.networks[1].kinds}


def test_the_page_says_both_and_the_rest(facts: CostFacts) -> None:
    assert [speed.batch for speed in facts.network.speeds] == [1, 2, 3]
    report = cost_report(facts)
    found = {table.name: table for table in tables(report)}
    assert {"side_by_side", "speed", "layers", "layers_swapped", "kinds", "kinds_swapped", "exchanged", "kept"} <= {
        *found
    }
    shares = [row[3] for row in found["layers"].rows]
    assert sum(share for share in shares if isinstance(share, float)) == pytest.approx(1)
    assert [row[0] for row in found["kept"].rows] == ["1 × 1: pointwise already"]
    words = " ".join(b.text for b in inside(report) if isinstance(b, Text)) + found["layers"].note
    assert "17 convolutions exchanged" in words
    assert "a rest of" in words
    document = cost_json(facts)
    assert document["swap"]["seconds_times"][0]["repeats"] == 5
    assert document["networks"][0]["layers"][0]["flops_per_second"] > 0


def test_all_of_it_lies_in_the_folder(cnnlab: Place) -> None:
    found = cnnlab("cost", "torchvision:squeezenet1_1", "--input", "32", "--max-batch", "1", "--repeats", "2",
                   "--threads", "1", "--json").json()  # fmt: skip
    assert found["networks"][0]["parameters"] == 1_235_496
    assert found["machine"]["threads"] == 1
    assert found["swap"] is None
    folder = cnnlab.runs / "cost" / "torchvision-squeezenet1_1"
    assert {"index.html", "facts.json", "time.png", "layers.csv", "kinds.csv", "speed.csv"} <= {
        path.name for path in folder.iterdir()
    }
    rows = list(csv.DictReader((folder / "layers.csv").open(encoding="utf-8")))
    assert rows[-1]["layer"] == "between the layers"
