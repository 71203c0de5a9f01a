"""What `auto` stands for, and what is said of a precision that is slow here."""

import time
from pathlib import Path

import pytest
import torch
from torch import nn

from cnnlab.config.config import check_config
from cnnlab.core.yaml import parse
from cnnlab.fit.compilation import compile_remark, compiled
from cnnlab.fit.precision import chosen_precision, precision_remark, relative_time
from cnnlab.network.session import Session
from cnnlab.training.setup import TrainingSetup, set_up_training
from tests.bad_inputs.case import TINY

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def setup_with(precision: str) -> TrainingSetup:
    config = check_config(
        parse(TINY, "tiny.yaml"), [f"training.precision={precision}"], default_name="tiny", base=Path()
    )
    return set_up_training(config, Session(device_name="cpu"))


def test_the_trial_is_short_draws_nothing_and_is_made_once() -> None:
    relative_time.cache_clear()
    before, began = torch.get_rng_state(), time.process_time()
    ratio = relative_time("bf16")
    assert time.process_time() - began < 1
    assert torch.equal(torch.get_rng_state(), before)
    assert ratio > 0
    assert relative_time("bf16") == ratio
    assert relative_time("fp32") > 0.1  # against itself


@pytest.mark.parametrize(
    ("ratio", "chosen", "slow"), [(0.5, "bf16", None), (0.95, "fp32", None), (16.04, "fp32", "take 16 times as long")]
)
def test_auto_is_what_is_faster_and_a_run_keeps_it(monkeypatch, ratio: float, chosen: str, slow: str | None) -> None:
    monkeypatch.setattr("cnnlab.fit.precision.relative_time", lambda precision: ratio)
    setup = setup_with("auto")
    assert setup.config.training.precision == setup.precision == chosen
    assert setup.remarks[0].startswith(f"training.precision auto is {chosen} here: a small convolution")
    asked = setup_with("bf16")
    assert asked.precision == "bf16"
    assert [slow in remark for remark in asked.remarks if "precision" in remark] == ([True] if slow else [])
    assert precision_remark("fp32", CPU) is None


def test_auto_on_a_gpu(monkeypatch) -> None:
    for has_it, chosen in ((True, "bf16"), (False, "fp16")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, has_it=has_it: has_it)
        assert chosen_precision("auto", GPU) == chosen
        assert precision_remark("auto", GPU) == f"training.precision auto is {chosen} on cuda"
        assert precision_remark("bf16", GPU) is None


def test_modes_of_the_compiler(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(torch, "compile", lambda network, mode: asked.append(mode) or nn.Identity())
    network = nn.Flatten()
    assert compiled(network, False) is network
    for choice in (True, "reduce-overhead", "max-autotune"):
        assert isinstance(compiled(network, choice), nn.Identity)
    assert asked == [None, "reduce-overhead", "max-autotune"]
    assert "CUDA graphs" in str(compile_remark("reduce-overhead", CPU))
    assert compile_remark("reduce-overhead", GPU) is compile_remark("max-autotune", CPU) is None
