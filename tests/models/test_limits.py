"""Networks that are too large are one sentence, before their memory is filled."""

import resource
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from cnnlab.config.config import Config, check_config
from cnnlab.config.least_memory import check_memory_suffices, least_memory
from cnnlab.core import memory
from cnnlab.core.errors import RequestError
from cnnlab.core.yaml import parse
from cnnlab.models import build as building
from cnnlab.models.build import Tally, TooLargeError, build, parameter_count, parameters_counted


def config_of(model: str, rest: str = "") -> Config:
    return check_config(parse(f"model: [{model}]\n{rest}", "x"), [], default_name="x", base=Path())


@pytest.mark.parametrize(
    "model",
    [
        "{conv: {channels: 1000000}}, {conv: {channels: 20000}}, global_avg_pool, linear",
        "{residual: {layers: [{conv: {channels: 60000}}, {conv: {channels: 60000}}]}}, global_avg_pool, linear",
        "{conv: {channels: 4, kernel: 40001, padding: 30000}}, global_avg_pool, linear",
        "flatten, {linear: {features: 9000000}}, linear",
        "{locally_connected: {channels: 9000000}}, global_avg_pool, linear",
    ],
)
def test_parameters_beyond_the_memory_are_told_before_they_are_filled(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "machine_memory", lambda: 2 * 10**9)
    config = config_of(model)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with pytest.raises(RequestError, match=r"x:1:\d+: layer '\w+' .*memory"):
        build(config.model, (3, 16, 16), classes=10)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000, "kilobytes"
    assert time.perf_counter() - began < 5


def test_the_error_names_the_layer_and_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "machine_memory", lambda: 10**6)
    with pytest.raises(RequestError) as caught:
        build(
            config_of("{conv: {channels: 64}}, {conv: {channels: 512}}, global_avg_pool, linear").model,
            (3, 8, 8),
            classes=2,
        )
    assert str(caught.value) == (
        "x:1:34: layer 'conv' (2nd of the model) is too large: with it the network has 296,704 parameters, which take "
        "0.0 GB with their gradients, and this machine has 0.0 GB of memory"
    )


def test_the_count_is_that_of_the_network_and_the_hook_goes() -> None:
    tally = Tally()
    with parameters_counted(tally):
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.LazyLinear(3))
    network_alone = sum(p.numel() for p in network[:2].parameters())
    assert (tally.parameters, tally.bytes) == (network_alone, 4 * network_alone)
    with parameters_counted(tally), torch.device("meta"):
        nn.Linear(10**6, 10**6)
    nn.Linear(5, 5)
    assert tally.parameters == network_alone


@pytest.mark.parametrize(
    "model",
    [
        "relu, " * 51 + "global_avg_pool, linear",
        "{repeat: {times: 30, layers: [relu, relu]}}, global_avg_pool, linear",
        "{repeat: {times: 1000, layers: [{repeat: {times: 1000, layers: [relu]}}]}}, global_avg_pool, linear",
    ],
)
def test_too_many_layers_are_told_before_they_are_built(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "MOST_LAYERS", 50)
    config = config_of(model)
    with pytest.raises(RequestError, match=r"x:1:\d+: the model has more than 50 layers; expected fewer"):
        build(config.model, (3, 4, 4), classes=10)
    with pytest.raises(TooLargeError):
        Tally(layers=50).add_layers(1)


def test_least_memory_of_a_training_by_hand() -> None:
    config = config_of("{conv: {channels: 8}}, relu, global_avg_pool, linear", "training: {batch_size: 50}")
    network = build(config.model, (3, 16, 16), classes=10)
    assert network.largest_layer == (8 + 8) * 16 * 16, "the ReLU's"
    least = least_memory(network, config, largest_layer=network.largest_layer, train=1000, evaluated=100)
    assert least.parameters == 2 * 4 * parameter_count(network)
    assert (least.batch, least.what) == (100, "training.evaluation_batch_size")
    assert least.activations == 4 * 100 * 4096
    assert least_memory(network, config, largest_layer=network.largest_layer, train=1000, evaluated=20).batch == 50
    huge = config_of("relu, global_avg_pool, linear", "training: {batch_size: 1000000000}")
    assert least_memory(network, huge, largest_layer=network.largest_layer, train=60, evaluated=6).batch == 60, (
        "there are no more images"
    )


def test_a_training_beyond_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of("{conv: {channels: 8}}, relu, global_avg_pool, linear")
    network = build(config.model, (3, 16, 16), classes=10)
    network.largest_layer = 10**9
    least = least_memory(network, config, largest_layer=network.largest_layer, train=128, evaluated=1)
    monkeypatch.setattr(memory.os, "sysconf", lambda name: 10**5)
    with pytest.raises(RequestError) as caught:
        check_memory_suffices(least, torch.device("cpu"))
    assert str(caught.value) == (
        "this machine has 10.0 GB of memory, and the weights and their gradients take 0.0 GB, and the input and "
        "output of the largest layer 512 GB for a batch of 128 images (training.batch_size); a smaller batch, "
        "smaller images or fewer channels need less"
    )


def test_a_container_s_limit_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "limit").write_text("12345\n")
    monkeypatch.setattr(memory, "CONTAINERS", (tmp_path / "max", tmp_path / "limit", tmp_path / "absent"))
    memory._limits.cache_clear()
    assert memory.machine_memory() == 12345
    memory._limits.cache_clear()
