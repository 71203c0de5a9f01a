"""A run that was interrupted ends where an uninterrupted one ends, to the bit."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import cnnlab.training.loop as workflow
from cnnlab.config.config import read_config
from cnnlab.core.errors import RequestError, WriteError
from cnnlab.core.files import write_whole
from cnnlab.fit.checkpoints import load_state, load_weights_file
from cnnlab.fit.fit import StepDone
from cnnlab.fit.progress import Progress
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.runs.lock import training_lock
from cnnlab.runs.writer import RunWriter, free_name
from cnnlab.training.continuation import curve_remark
from cnnlab.training.events import Finished, Started, StopWish
from cnnlab.training.loop import TrainOptions
from cnnlab.training.report import EpochRow
from cnnlab.training.run import resume, train

CONFIG = """
name: tiny
data:
  dataset: {shapes: {train_count: 200, size: 16}}
  augment:
    - crop: {padding: 2}
    - flip: {mode: alternate}
    - color_jitter: {brightness: 0.2}
    - mixup: {probability: 0.5}
model:
  - whitening: {images: 50}
  - conv_bn_act: {channels: 4, stride: 2}
  - dropout: {probability: 0.2}
  - global_avg_pool
  - linear
training: {epochs: 6, batch_size: 32, accumulate: 2, sizes: {0: 12, 0.6: 16}}
optimizer: {sgd: {lr: 0.05, nesterov: true}}
schedule: {one_cycle: {}}
ema: {decay: 0.9}
lookahead: {every: 2}
logging: {every_steps: 1, histograms_every_epochs: 0, snapshots_every_epochs: 2, pictures: false, graph: false}
"""


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing it takes most of the time of a tiny training, and no weight depends on it."""
    monkeypatch.setattr(workflow, "write_training_report", lambda *arguments, **options: (None, None))


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG)
    return path


def options(runs: Path, **changes: object) -> TrainOptions:
    return TrainOptions(Session(runs=runs, device_name="cpu"), **changes)  # type: ignore[arg-type]


def train_whole(config_file: Path, runs: Path, **changes: object) -> Run:
    events = list(train(read_config(config_file), options(runs, **changes), StopWish()))
    assert isinstance(events[-1], Finished)
    return Run.open("tiny", runs)


def tensors(value: object, path: str = "") -> dict[str, torch.Tensor]:
    """Every tensor of a nested state, by its path."""
    if isinstance(value, torch.Tensor):
        return {path: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return {k: v for key, inner in items for k, v in tensors(inner, f"{path}/{key}").items()}


def assert_same_end(one: Run, other: Run) -> None:
    states = [tensors(load_state(run.last_state, torch.device("cpu"))) for run in (one, other)]
    assert states[0].keys() == states[1].keys()
    different = [name for name in states[0] if not torch.equal(states[0][name], states[1][name])]
    assert not different
    clock = {"seconds", "images_per_second"}
    metrics = [[{k: v for k, v in point.items() if k not in clock} for point in run.metrics()] for run in (one, other)]
    assert metrics[0] == metrics[1]
    assert one.weights("best")[1] == other.weights("best")[1]
    kept = [{epoch: load_weights_file(path) for epoch, path in run.snapshots().items()} for run in (one, other)]
    assert list(kept[0]) == list(kept[1]) == [2, 4, 6]
    for epoch, (weights, facts) in kept[0].items():
        again, facts_again = kept[1][epoch]
        assert facts == facts_again
        assert not [name for name, tensor in weights.items() if not torch.equal(tensor, again[name])]


def test_three_epochs_and_three_more_are_six(config_file: Path, tmp_path: Path) -> None:
    whole = train_whole(config_file, tmp_path / "whole")
    half = train_whole(config_file, tmp_path / "parts", stop_after=3)
    assert half.record.outcome.status == "paused"
    with pytest.raises(RequestError, match="`stop_after` is 3, and the run tiny has done 3 epochs already"):
        list(resume(half, [], options(tmp_path / "parts", stop_after=3), StopWish()))
    events = list(resume(half, [], options(tmp_path / "parts"), StopWish()))
    assert isinstance(events[-1], Finished)
    assert events[-1].status == "finished"
    assert_same_end(whole, Run.open("tiny", tmp_path / "parts"))


@pytest.mark.parametrize("step", [1, 4, 7])
def test_stopped_in_the_middle_of_an_epoch(config_file: Path, tmp_path: Path, step: int) -> None:
    whole = train_whole(config_file, tmp_path / "whole")
    stop = StopWish()
    for event in train(read_config(config_file), options(tmp_path / "parts"), stop):
        if isinstance(event, StepDone) and event.step == step:
            stop.signal = signal.SIGINT
    stopped = Run.open("tiny", tmp_path / "parts")
    assert stopped.record.outcome.status == "interrupted"
    list(resume(stopped, [], options(tmp_path / "parts"), StopWish()))
    assert_same_end(whole, Run.open("tiny", tmp_path / "parts"))


def test_killed_while_an_epoch_is_closed_for_the_second_time(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after the last step of an epoch, resumed, and killed between the epoch's point and its checkpoint."""
    whole = train_whole(config_file, tmp_path / "whole")
    stop = StopWish()
    for event in train(read_config(config_file), options(tmp_path / "parts"), stop):
        if isinstance(event, StepDone) and event.step == 6:
            stop.signal = signal.SIGINT
    stopped = Run.open("tiny", tmp_path / "parts")
    assert len(stopped.epochs()) == 1  # of three steps each

    def killed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "save_weights", killed)
        with pytest.raises(KeyboardInterrupt):
            list(resume(stopped, [], options(tmp_path / "parts"), StopWish()))
    assert len(stopped.epochs()) == 2
    assert Run.open("tiny", tmp_path / "parts").record.outcome.status == "failed"
    list(resume(stopped, [], options(tmp_path / "parts"), StopWish()))
    assert_same_end(whole, Run.open("tiny", tmp_path / "parts"))
    events = EventAccumulator(str(stopped.path / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    for tag, count in (("lr", 18), ("gradient_norm", 18), ("validation/loss", 6)):
        steps = [point.step for point in events.Scalars(tag)]
        assert len(steps) == len(set(steps)) == count, tag


def test_the_last_snapshot_is_the_last_weights(config_file: Path, tmp_path: Path) -> None:
    run = train_whole(config_file, tmp_path)
    weights, facts = load_weights_file(run.snapshots()[6])
    last, last_facts = run.weights("last")
    assert facts == last_facts
    assert all(torch.equal(weights[name], tensor) for name, tensor in last.items())


def test_snapshots_of_epochs_that_are_made_again_are_removed(config_file: Path, tmp_path: Path) -> None:
    """Killed between an epoch's snapshot and its checkpoint, and no longer asked for snapshots."""
    half = train_whole(config_file, tmp_path, stop_after=3)
    half.snapshots()[2].rename(half.path / "checkpoints" / "epoch-004.safetensors")
    list(resume(half, ["logging.snapshots_every_epochs=0"], options(tmp_path), StopWish()))
    assert half.snapshots() == {}


def test_a_stop_in_the_last_validation_comes_too_late_to_stop_anything(config_file: Path, tmp_path: Path) -> None:
    stop = StopWish()
    for event in train(read_config(config_file), options(tmp_path), stop):
        if isinstance(event, EpochRow) and event.epoch == 6:
            stop.signal = signal.SIGINT
    assert Run.open("tiny", tmp_path).record.outcome.status == "finished"


def test_a_run_that_was_killed_before_its_report_gets_it(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(workflow, "write_training_report", killed)
        with pytest.raises(KeyboardInterrupt):
            list(train(read_config(config_file), options(tmp_path), StopWish()))
    made: list[int] = []
    monkeypatch.setattr(
        workflow, "write_training_report", lambda *arguments, **options: made.append(len(arguments[3])) or (None, None)
    )
    run = Run.open("tiny", tmp_path)
    assert run.record.outcome.status == "failed"
    assert isinstance(list(resume(run, [], options(tmp_path), StopWish()))[-1], Finished)
    assert made == [6]  # rows, one an epoch
    assert Run.open("tiny", tmp_path).record.outcome.status == "finished"


def test_killed_in_the_middle_of_an_epoch(config_file: Path, tmp_path: Path) -> None:
    whole = train_whole(config_file, tmp_path / "whole")
    # each step sleeps, so that the kill lands inside an epoch
    code = f"""
import time, torch
torch.set_num_threads({torch.get_num_threads()})
import cnnlab.fit.fit as fit
from cnnlab.main import main
step = fit._step
fit._step = lambda *arguments: (time.sleep(0.05), step(*arguments))[1]
main()
"""
    command = [sys.executable, "-c", code, "train", config_file, "--runs", tmp_path / "parts", "--device", "cpu"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    metrics = tmp_path / "parts" / "tiny" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        lines = metrics.read_text().splitlines() if metrics.exists() else []
        closed = sum('"kind": "epoch"' in line for line in lines)
        if closed >= 2 and lines[-1:] and '"kind": "step"' in lines[-1]:
            break
        time.sleep(0.01)
    assert Run.open("tiny", tmp_path / "parts").status == "running"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    killed = Run.open("tiny", tmp_path / "parts")
    assert (killed.record.outcome.status, killed.status) == ("running", "killed")
    assert len(killed.metrics()) > len(killed.epochs())
    list(resume(killed, [], options(tmp_path / "parts"), StopWish()))
    assert_same_end(whole, Run.open("tiny", tmp_path / "parts"))
    assert Run.open("tiny", tmp_path / "parts").status == "finished"


def test_a_finished_run_is_extended_by_epochs_only(config_file: Path, tmp_path: Path) -> None:
    run = train_whole(config_file, tmp_path)
    with pytest.raises(RequestError, match=r"has done its 6 epochs; training.epochs=12 `stretch_schedule` extends it"):
        list(resume(run, [], options(tmp_path), StopWish()))
    with pytest.raises(RequestError, match=r"'optimizer.lr=1' would make it another run"):
        list(resume(run, ["optimizer.lr=1"], options(tmp_path), StopWish()))
    with pytest.raises(RequestError, match=r"would jump from 2e-07 to .* after epoch 6: .* `stretch_schedule` takes"):
        list(resume(run, ["training.epochs=7"], options(tmp_path), StopWish()))
    assert Run.open("tiny", tmp_path).config().training.epochs == 6  # refused before anything is written
    events = list(resume(run, ["training.epochs=7"], options(tmp_path, stretch_schedule=True), StopWish()))
    assert isinstance(events[0], Started)
    assert any("would jump from 2e-07" in remark for remark in events[0].remarks)
    assert isinstance(events[-1], Finished)
    assert events[-1].epochs == 7


def test_a_resumption_says_what_computes_otherwise_and_the_record_keeps_both(config_file: Path, tmp_path: Path) -> None:
    run = train_whole(config_file, tmp_path, stop_after=1)
    (arithmetic,) = run.record.arithmetic
    more = arithmetic.threads + 1
    replace(run.record, arithmetic=(replace(arithmetic, threads=more),)).write(run.path / "run.json")
    command = ("cnnlab", "train", "--resume", "tiny", "--threads", "7")
    changed = options(tmp_path, stop_after=2, command=command)
    events = list(resume(Run.open("tiny", tmp_path), [], changed, StopWish()))
    assert isinstance(events[0], Started)
    remark, _ = events[0].remarks  # the other is of the sizes of the images
    assert f"computed with {arithmetic.threads} thread" in remark
    assert f"instead of {more}: not to the bit" in remark
    assert remark.endswith(f"to repeat it to the bit: cnnlab train --resume tiny --threads {more}")
    assert [one.threads for one in Run.open("tiny", tmp_path).record.arithmetic] == [more, arithmetic.threads]
    events = list(resume(Run.open("tiny", tmp_path), [], options(tmp_path, stop_after=3), StopWish()))
    assert isinstance(events[0], Started)
    assert not [one for one in events[0].remarks if "computed with" in one]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_full_disk_is_one_sentence_and_costs_nothing(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_whole(config_file, tmp_path / "whole")
    run = tmp_path / "parts" / "tiny"
    saved: list[Path] = []

    def full(path: Path, content: bytes) -> None:
        saved.append(path)
        if len(saved) == 3:
            raise WriteError(path, "cannot be written: No space left on device", "make room and repeat the command")
        write_whole(path, content)

    with monkeypatch.context() as patch:
        patch.setattr("cnnlab.fit.checkpoints.write_whole", full)
        patch.setattr("cnnlab.runs.writer.save_weights", lambda *arguments: None)
        with pytest.raises(WriteError) as caught:
            list(train(read_config(config_file), options(tmp_path / "parts"), StopWish()))
    assert str(caught.value) == (
        f"{run}/checkpoints/last.pt: cannot be written: No space left on device; make room, then go on from the last "
        f"checkpoint, which is whole: cnnlab train --resume {run}"
    )
    failed = Run.open("tiny", tmp_path / "parts")
    assert failed.record.outcome.status == "failed"
    assert failed.record.outcome.message
    assert "last.pt: cannot be written" in failed.record.outcome.message
    shutil.copytree(
        whole.path / "checkpoints",
        run / "checkpoints",
        ignore=shutil.ignore_patterns("last.pt", "epoch*"),
        dirs_exist_ok=True,
    )
    list(resume(failed, ["logging.snapshots_every_epochs=0"], options(tmp_path / "parts"), StopWish()))
    states = [tensors(load_state(one.last_state, torch.device("cpu"))) for one in (whole, failed)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_run_that_is_being_trained_is_left_alone(config_file: Path, tmp_path: Path) -> None:
    half = train_whole(config_file, tmp_path, stop_after=1)
    with training_lock(half.path):
        before = files_of(tmp_path)
        with pytest.raises(RequestError, match=f"the run tiny is being trained by process {os.getpid()}"):
            list(resume(half, [], options(tmp_path), StopWish()))
        assert files_of(tmp_path) == before


def begun(config_file: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training that ended before its first checkpoint."""

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "save_weights", killed)
        with pytest.raises(KeyboardInterrupt):
            list(train(read_config(config_file), options(runs), StopWish()))
    return runs / "tiny"


@pytest.mark.parametrize("name", ["tiny", None])
def test_a_training_without_a_checkpoint_is_started_over(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    run = begun(config_file, tmp_path, monkeypatch)
    with pytest.raises(RequestError, match="the run tiny stopped before its first checkpoint; train it anew"):
        list(resume(Run(run), [], options(tmp_path), StopWish()))
    with training_lock(run):  # it may as well be one that has only just begun
        if name:
            with pytest.raises(RequestError, match="the run tiny is being trained by process"):
                list(train(read_config(config_file), options(tmp_path, name=name), StopWish()))
        else:
            assert free_name(tmp_path, "tiny") == "tiny-2"
    events = train(read_config(config_file), options(tmp_path, name=name, stop_after=1), StopWish())
    (started,) = [event for event in events if isinstance(event, Started)]
    assert started.remarks[0] == f"{run} (failed, without a checkpoint) is replaced"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir() and path.name != "data") == ["tiny"]
    assert Run(run).record.outcome.status == "paused"
    assert not (run / "training.lock").exists()
    assert len(Run(run).epochs()) == 1


def test_the_time_budget_of_a_record_that_has_none_is_the_one_that_is_given(config_file: Path) -> None:
    """Records had none before they had the arithmetic: a run that is resumed as it began follows one curve."""
    progress = Progress(epoch=2, step=2, elapsed=30.0)
    optimizer = SimpleNamespace(param_groups=[{"lr_base": 0.1}])
    config = read_config(config_file, ["schedule=cosine"])
    setup: Any = SimpleNamespace(
        config=read_config(config_file, ["schedule=cosine", "training.time_budget=1m"]),
        batches=SimpleNamespace(steps=2),
        state=SimpleNamespace(optimizer=optimizer, progress=progress),
    )
    old: Any = SimpleNamespace(record=SimpleNamespace(arithmetic=(), time_budget=None))
    assert curve_remark(old, config, setup, stretch=False) is None
    new: Any = SimpleNamespace(record=SimpleNamespace(arithmetic=("known",), time_budget=None))
    with pytest.raises(RequestError, match="no `time_budget` keeps to the old one"):
        curve_remark(new, config, setup, stretch=False)


@pytest.mark.parametrize(("own", "departs"), [("schedule: cosine", True), ("schedule: cosine, until: 3", False)])
def test_a_group_with_a_schedule_of_its_own_departs_from_its_curve_too(
    config_file: Path, own: str, departs: bool
) -> None:
    """The training's rate is constant, so that more epochs change the group's alone, where it spans all of them."""
    group = f"parameter_groups=[{{match: [norms], lr_scale: 2, {own}}}]"
    before, after = (
        read_config(config_file, ["schedule=constant", group, f"training.epochs={epochs}"]) for epochs in (6, 12)
    )
    setup: Any = SimpleNamespace(
        config=after,
        batches=SimpleNamespace(steps=2),
        state=SimpleNamespace(optimizer=SimpleNamespace(param_groups=[{"lr_base": 0.1}]), progress=Progress(3, step=3)),
    )
    run: Any = SimpleNamespace(record=SimpleNamespace(arithmetic=("known",), time_budget=None))
    if departs:
        with pytest.raises(RequestError, match=r"jump from 0\.1 to 0\.17.* after epoch 3.*cosine over 6 epochs"):
            curve_remark(run, before, setup, stretch=False)
    else:
        assert curve_remark(run, before, setup, stretch=False) is None
