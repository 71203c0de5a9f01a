"""The trainings of an experiment: done once, taken up where they stopped, of one config."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnlab.config import QUICKSTART
from cnnlab.config.config import Config, read_config
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.training.trials import Trained, Trial, trained

SMALL = [
    "data.dataset={shapes: {train_count: 128, size: 16}}",
    "data.validation=0.25",
    "model=[{conv: {channels: 4}}, relu, global_avg_pool, linear]",
    "training.batch_size=32",
    "training.epochs=2",
]
SESSION = Session(device_name="cpu")


def config(*overrides: str) -> Config:
    return read_config(QUICKSTART, [*SMALL, *overrides])


def ends(trials: list[Trial], folder: Path) -> list[Trained]:
    return [one for one in trained(trials, folder, SESSION) if isinstance(one, Trained)]


def weights(run: Run) -> dict[str, list[float]]:
    return {name: tensor.flatten().tolist() for name, tensor in run.weights("last")[0].items()}


def interrupt_at(name: str, steps: Iterator[Advance | Trained]) -> None:
    """Ctrl-C in the second step of a trial."""
    for step in steps:
        if isinstance(step, Advance) and (step.what, step.done) == (name, 2):
            signal.raise_signal(signal.SIGINT)


def test_an_interrupted_trial_goes_on_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    trials = [Trial(f"seed{seed}", config(f"seed={seed}")) for seed in (0, 1)]
    whole = ends(trials, tmp_path / "whole")
    assert [one.reused for one in whole] == [False, False]
    with pytest.raises(KeyboardInterrupt):
        interrupt_at("seed1", trained(trials, tmp_path / "cut", SESSION))
    assert Run(tmp_path / "cut" / "seed1").record.outcome.status == "interrupted"
    cut = ends(trials, tmp_path / "cut")
    assert [one.reused for one in cut] == [True, False]
    assert [weights(one.run) for one in cut] == [weights(one.run) for one in whole]
    assert [len(one.rows) for one in cut] == [2, 2]


def test_another_config_under_the_same_name_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    ends([Trial("once", config("training.epochs=1"))], tmp_path)
    with pytest.raises(RequestError, match=r"once\.yaml: was trained with training\.epochs 1, and now it is 2"):
        ends([Trial("new", config()), Trial("once", config())], tmp_path)
    assert not (tmp_path / "new").exists()


def test_a_diverged_trial_is_an_outcome(tmp_path: Path) -> None:
    deep = "model=[{conv: {channels: 4}}, {conv: {channels: 4}}, {conv: {channels: 4}}, global_avg_pool, linear]"
    wild = config("optimizer={sgd: {lr: 1.0e+6}}", "schedule=constant", "clipping=null", deep)
    assert [one.status for one in ends([Trial("wild", wild), Trial("calm", config())], tmp_path)] == [
        "diverged",
        "finished",
    ]
    assert [one.reused for one in ends([Trial("wild", wild)], tmp_path)] == [True]


def test_two_trials_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="two trials are called twin"):
        ends([Trial("twin", config()), Trial("twin", config("seed=1"))], tmp_path)
