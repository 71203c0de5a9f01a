"""`cnnlab sweep`: a study shared by processes, a dead worker's trial, Ctrl-C, pruning, another config."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cnnlab.config import QUICKSTART
from cnnlab.config.config import Config, read_config
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.network.session import Session
from cnnlab.recipe.importances import importances
from cnnlab.recipe.sweep_facts import Sweep
from cnnlab.recipe.sweep_run import PreparedSweep, SweepOptions, prepared_sweep, sweep
from cnnlab.runs.folder import Run

pytest.importorskip("optuna")

SMALL = (
    "data.dataset={shapes: {train_count: 64, size: 16}}",
    "data.validation=0.25",
    "data.augment=[]",
    "model=[{conv: {channels: 4}}, relu, global_avg_pool, linear]",
    "training.batch_size=32",
    "training.clean_train_pictures=0",
)
SPACE = ("optimizer.lr=log(0.01,1)", "schedule=choice(constant,cosine)")
SESSION = Session(device_name="cpu")


def prepared(
    folder: Path, *, trials: int, epochs: int = 2, space: Sequence[str] = SPACE, seed: int = 0, **more: Any
) -> PreparedSweep:
    def make(changes: Sequence[str]) -> Config:
        return read_config(QUICKSTART, [*SMALL, f"training.epochs={epochs}", *changes])

    options = SweepOptions(space, trials, **more)
    return prepared_sweep(make, options, replace(SESSION, seed=seed), out=folder, config_folder=QUICKSTART.parent)


def ended(asked: PreparedSweep) -> Sweep:
    *_, found = sweep(asked, SESSION)
    assert isinstance(found, Sweep)
    return found


def states(asked: PreparedSweep) -> list[str]:
    return [one.state.name for one in asked.study.study.get_trials(deepcopy=False)]


EPOCHS = 25


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    """Another process on the same study, stopped in the middle of its first trial."""
    words = [*SMALL, f"training.epochs={EPOCHS}", "--trials", "1", "--device", "cpu", "--out", str(tmp_path)]
    for text in SPACE:
        words += ["--space", text]
    command = [sys.executable, "-m", "cnnlab", "sweep", str(QUICKSTART), *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    metrics, until = tmp_path / "trials" / "trial-0000" / "metrics.jsonl", time.monotonic() + 120
    while not (metrics.exists() and '"kind": "epoch"' in metrics.read_text()):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < until
        time.sleep(0.003)
    process.send_signal(signal.SIGSTOP)
    yield process
    process.kill()
    process.wait()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no such signal")
def test_a_killed_workers_trial_is_taken_up_again_by_another_process(worker: Any, tmp_path: Path) -> None:
    asked = prepared(tmp_path, trials=1, epochs=EPOCHS)
    assert states(asked) == ["RUNNING"]
    assert asked.study.take_up_dead() == [], "it is slow, and lives"
    worker.kill()
    worker.wait()
    before = len(Run(tmp_path / "trials" / "trial-0000").epochs())
    assert 0 < before < EPOCHS
    found = ended(asked)
    assert states(asked) == ["FAIL", "COMPLETE"]
    assert [one.run for one in found.trials] == ["trial-0000"]
    dead, again = asked.study.study.get_trials(deepcopy=False)
    assert again.params == dead.params
    run = Run(tmp_path / "trials" / "trial-0000")
    assert [point["epoch"] for point in run.epochs()] == list(range(1, EPOCHS + 1))
    assert sorted(again.intermediate_values) == list(range(1, EPOCHS + 1))
    assert run.record.outcome.status == "finished"


def interrupt(steps: Iterator[Any]) -> None:
    for step in steps:
        if isinstance(step, Advance) and step.what.startswith("epochs"):
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_queues_the_trial_again_and_its_run_goes_on(tmp_path: Path) -> None:
    asked = prepared(tmp_path, trials=3, epochs=3)
    with pytest.raises(KeyboardInterrupt):
        interrupt(sweep(asked, SESSION))
    assert states(asked) == ["FAIL", "WAITING"]
    again = prepared(tmp_path, trials=3, epochs=3)
    found = ended(again)
    assert [one.run for one in found.trials] == ["trial-0000", "trial-0002", "trial-0003"]
    assert [len(Run(tmp_path / "trials" / one.run).epochs()) for one in found.trials] == [3] * 3
    assert ended(again).trials == found.trials, "nothing is left to do"
    assert found.best is not None
    best = read_config(tmp_path / "best.yaml")
    assert best.optimizer.options["lr"] == found.best.values["optimizer.lr"]
    assert best.schedule.name == found.best.values["schedule"]
    assert found.best.accuracy == Run(tmp_path / "trials" / found.best.run).record.outcome.val_accuracy

    with pytest.raises(RequestError, match=r"another config: training\.epochs is 3 there, and 2 now"):
        prepared(tmp_path, trials=3, epochs=2)
    with pytest.raises(RequestError, match=r"another space: optimizer\.lr is log\(0\.01,1\.0\) there, and log\(0\.1"):
        prepared(tmp_path, trials=3, epochs=3, space=("optimizer.lr=log(0.1,1)", SPACE[1]))
    with pytest.raises(RequestError, match="another seed: seed is 0 there, and 1 now"):
        prepared(tmp_path, trials=3, epochs=3, seed=1)


def test_what_lags_behind_is_pruned_and_its_run_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import optuna

    asked = prepared(tmp_path, trials=2, epochs=3, sampler="random")
    monkeypatch.setattr(optuna.trial.Trial, "should_prune", lambda trial: trial.number == 1)
    found = ended(asked)
    assert [(one.state, one.epochs) for one in found.trials] == [("complete", 3), ("pruned", 1)]
    assert Run(tmp_path / "trials" / "trial-0001").record.outcome.status == "interrupted"
    assert found.best == found.trials[0]


def test_values_depend_on_the_seed_and_the_number_not_on_who_asks(tmp_path: Path) -> None:
    values = []
    for place in ("one", "other"):
        asked = prepared(tmp_path / place, trials=1, sampler="random")
        trial = asked.study.ask()
        values.append({one.key: one.suggest(trial) for one in asked.space})
    assert values[0] == values[1]
    other = prepared(tmp_path / "other", trials=1, sampler="random").study.ask()
    assert asked.space[0].suggest(other) != values[0]["optimizer.lr"]


def test_fanova_tells_what_mattered() -> None:
    import optuna

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_float("a", 0, 1) + 0.01 * trial.suggest_float("b", 0, 1), n_trials=12)
    found, method = importances(study, ["a", "b"])
    assert list(found) == ["a", "b"]
    assert (found["a"] > 0.8, method) == (True, "fANOVA")
    assert importances(optuna.create_study(), ["a"]) == ({}, "")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"sampler": "grid"}, "`sampler` is 'grid', expected tpe or random"),
        ({"pruner": "all"}, "`pruner` is 'all', expected median or none"),
        ({"storage": "nosql://x"}, "`storage` nosql://x: cannot be opened"),
        ({"name": "a b"}, "'a b' cannot name a run"),
    ],
)
def test_what_is_no_study_is_one_sentence(more: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as raised:
        prepared(tmp_path, trials=1, **more)
    assert said in str(raised.value)


def test_without_optuna_the_way_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(RequestError, match=r"needs Optuna, which is not installed: pip install 'cnnlab\[sweep\]'"):
        prepared(tmp_path, trials=1)
