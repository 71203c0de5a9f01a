"""The trainings of an experiment: done once, taken up where they stopped, of one config."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnlab.config import QUICKSTART
from cnnlab.config.config import Config, read_config
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.training import trial_processes
from cnnlab.training.loop import TrainOptions
from cnnlab.training.trial_processes import Job, processes_of
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


def interrupt_after(name: str, steps: Iterator[Advance | Trained], ended: list[str]) -> None:
    """Ctrl-C as soon as one trial has ended and the other, `name`, is under way."""
    for step in steps:
        if isinstance(step, Trained):
            ended.append(step.trial.name)
        elif ended and step.what == name:
            signal.raise_signal(signal.SIGINT)


def test_side_by_side_each_is_as_it_is_alone_and_ctrl_c_stops_all_of_them(tmp_path: Path) -> None:
    """Each begins with the weights of a run that is named."""
    session = Session(runs=tmp_path / "runs", device_name="cpu")
    ends([Trial("origin", config("seed=2", "training.epochs=1"))], session.runs)
    short = Trial("short", config("init_from=origin", "training.epochs=1"))
    long = Trial("long", config("init_from=origin", "seed=1", "training.epochs=100000"))
    ended: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupt_after("long", trained([short, long], tmp_path / "cut", session, jobs=2), ended)
    assert ended == ["short"]
    assert Run(tmp_path / "cut" / "long").record.outcome.status == "interrupted"
    (alone,) = [one for one in trained([short], tmp_path / "alone", session) if isinstance(one, Trained)]
    assert weights(Run(tmp_path / "cut" / "short")) == weights(alone.run)


FAKE = """
import json, sys
job = json.loads(sys.stdin.readline())
print("somebody's plugin says hello")
if job["name"] == "crashes":
    sys.exit("its last words")
if job["name"] == "refuses":
    print(json.dumps({"error": ["there is", "no such thing"], "is_request": True}), flush=True)
else:
    print(json.dumps({"done": job["threads"], "total": 9}), flush=True)
    sys.stdin.read()  # until it is told to stop
"""


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [("crashes", WorkError, "the training crashes ended with exit code 1: its last words"),
     ("refuses", RequestError, "there is\nno such thing")],
)  # fmt: skip
def test_what_ends_one_of_several_stops_the_others(
    name: str, error: type[Exception], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fake_training.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(trial_processes, "MODULE", "fake_training")
    jobs = [Job.of(one, TrainOptions(SESSION)) for one in ("waits", name, "is never begun")]
    steps: list[Advance | str] = []
    with pytest.raises(error, match=f"^{said}$"):
        steps.extend(processes_of(jobs, 2, stop=False))
    assert all(step == Advance("waits", 1, 9) for step in steps)


def test_no_training_at_a_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="`jobs` is 0"):
        next(iter(trained([Trial("one", config())], tmp_path, SESSION, jobs=0)))


def test_another_config_under_the_same_name_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    ends([Trial("once", config("training.epochs=1"))], tmp_path)
    with pytest.raises(RequestError, match=r"once\.yaml: was trained with training\.epochs 1, and now it is 2"):
        ends([Trial("new", config()), Trial("once", config())], tmp_path)
    assert not (tmp_path / "new").exists()


def test_a_training_kept_before_an_option_was_there_is_taken_as_it_is(tmp_path: Path) -> None:
    ends([Trial("once", config())], tmp_path)
    kept = tmp_path / "once.yaml"
    lines = [line for line in kept.read_text().splitlines() if "frozen_statistics" not in line and "take:" not in line]
    kept.write_text("\n".join(lines))
    assert [one.reused for one in ends([Trial("once", config())], tmp_path)] == [True]
    with pytest.raises(RequestError, match="was trained with frozen_statistics True, and now it is False"):
        ends([Trial("once", config("frozen_statistics=false"))], tmp_path)


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
