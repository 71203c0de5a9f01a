"""`cnnlab bench`: operations against torch's count, phases that add up and find what is slow, the bare loop's step."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from networks import small
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cnnlab.config.config import Config, check_config
from cnnlab.core.yaml import parse
from cnnlab.data.augment import Draw
from cnnlab.network.session import Session
from cnnlab.speed.changes import Tried, changes, tried
from cnnlab.speed.compiled import asked, compared, compiled_trial
from cnnlab.speed.facts import Bench
from cnnlab.speed.perturbation import method_speeds
from cnnlab.speed.phases import AVERAGES, BACKWARD, FORWARD, INPUT, LOSS, OPTIMIZER, PHASES, watched_setup
from cnnlab.speed.report import bench_json, bench_report
from cnnlab.speed.run import bench
from cnnlab.speed.steps import bare_step, training_facts, training_step
from cnnlab.speed.trace import TRACED, write_trace
from cnnlab.speed.work import step_work
from cnnlab.stats.repeats import Repeats
from cnnlab.training.setup import TrainingSetup, set_up_training
from cnnlab.view.blocks import Text, inside, tables

CONFIG = """
data: {dataset: {shapes: {train_count: 70, size: 16}}, augment: [], validation: 0.1}
model: [conv: {channels: 4}, batch_norm, relu, global_avg_pool, linear]
training: {batch_size: 16}
"""


def config(*changes: str) -> Config:
    return check_config(parse(CONFIG, "tiny.yaml"), changes, default_name="tiny", base=None)


def fresh(*changes: str) -> TrainingSetup:
    return set_up_training(config(*changes), Session(device_name="cpu"))


@pytest.fixture(scope="module")
def facts() -> Bench:
    *_, found = bench(config("training.sizes={0: 8, 0.5: 16}"), Session(device_name="cpu"), seconds=0.1)
    assert isinstance(found, Bench)
    return found


@pytest.mark.parametrize("frozen", ["", "0", "2"])
def test_operations_are_those_that_torch_counts(frozen: str) -> None:
    class Attention(nn.Module):
        def forward(self, rows: Tensor) -> Tensor:
            return torch.softmax(rows @ rows.transpose(1, 2), 2) @ rows

    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.Flatten(2), Attention(), nn.Flatten(),
        nn.Linear(6 * 16, 5),
    )  # fmt: skip
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not frozen or not name.startswith(frozen))
    work = step_work(model, (3, 8, 8))
    assert work is not None
    with FlopCounterMode(display=False) as counter:
        answer = model(torch.randn(1, 3, 8, 8))
    assert work.forward == counter.get_total_flops()
    with counter:
        answer.sum().backward()
    assert work.step == work.forward + counter.get_total_flops()


def slow(work: Callable[..., object]) -> Callable[..., object]:
    def slowed(*given: object) -> object:
        time.sleep(0.03)
        return work(*given)

    return slowed


class SlowAugmentation:
    on_float = False

    def __call__(self, images: Tensor, targets: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        time.sleep(0.03)
        return images, targets


class Slow(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
        time.sleep(0.03)
        return gradient


@pytest.mark.parametrize("phase", [INPUT, FORWARD, LOSS, BACKWARD, OPTIMIZER, AVERAGES])
def test_what_is_slow_is_found_in_its_phase(phase: str) -> None:
    setup = fresh()
    if phase == INPUT:
        setup = replace(setup, batches=replace(setup.batches, augmentations=[SlowAugmentation()]))
    elif phase == FORWARD:
        setup.network[0].register_forward_hook(lambda *_: time.sleep(0.03))  # type: ignore[operator]
    elif phase == LOSS:
        setup = replace(setup, loss=slow(setup.loss))
    elif phase == BACKWARD:
        setup.network[0].register_forward_hook(lambda *given: Slow.apply(given[-1]))  # type: ignore[operator]
    elif phase == AVERAGES:
        setup = fresh("ema={decay: 0.9}")
        assert setup.state.ema is not None
        setup.state.ema.update = slow(setup.state.ema.update)  # type: ignore[method-assign,assignment]
    watch = watched_setup(setup)
    if phase == OPTIMIZER:
        setup.state.optimizer.register_step_pre_hook(lambda *_: time.sleep(0.03))
    steps = training_facts(watch.setup)
    next(steps)
    watch.clock.begin()
    next(steps)
    found = watch.clock.seconds
    assert found[phase] > 0.03
    assert max(found, key=found.__getitem__) == phase


def test_lookahead_is_an_average_too() -> None:
    watch = watched_setup(fresh("lookahead={every: 1}"))
    next(training_facts(watch.setup))
    assert watch.clock.seconds[AVERAGES] > 0


def test_watched_steps_train_as_they_do_unwatched() -> None:
    plain, watch = fresh(), watched_setup(fresh())
    for one, other, _ in zip(training_facts(plain), training_facts(watch.setup), range(6), strict=False):
        assert one.loss == other.loss
    for one, other in zip(plain.network.parameters(), watch.setup.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_bare_loop_does_the_same_work() -> None:
    """Without a schedule its steps give the weights that the training's give."""
    changes = ("schedule=constant", "training.accumulate=2")
    ours, bare = fresh(*changes), fresh(*changes)
    step, its = training_step(ours), bare_step(bare)
    for _ in range(2):
        step()
        its()
    for one, other in zip(ours.network.parameters(), bare.network.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_change_is_faster_where_three_quarters_of_its_turns_are() -> None:
    findings = {"faster": (1.0, 1.1, 1.2, 1.3), "no gain": (0.9, 1.0, 1.1, 1.3), "slower": (0.5, 0.6, 0.7, 1.2)}
    for finding, gains in findings.items():
        assert Tried("", "", Repeats(gains)).finding == finding
    assert Tried("", "", None).finding == "not measured"


def test_a_change_is_held_against_the_present_setting_and_may_be_refused() -> None:
    bigger, smaller, *others = changes(config(), device=torch.device("cpu"), images=60, thread_count=3)
    assert [change.words for change in (bigger, smaller)] == ["training.batch_size=32", "training.batch_size=8"]
    assert (others[0].words, others[1].words) == ("training.channels_last=true", "--threads 1")
    assert all(change.threads == 3 for change in (bigger, smaller, others[0]))
    sizes = []

    def make(changed: Config) -> TrainingSetup:
        sizes.append(changed.training.batch_size)
        return fresh(f"training.batch_size={changed.training.batch_size}")

    found = tried(bigger, lambda: 1.0, make, seconds=0)
    assert found.finding == "faster"
    assert found.gain is not None
    assert len(found.gain.values) == 3
    assert sizes == [32]
    too_large = replace(bigger, config=config("training.batch_size=999", "training.drop_last=true"))
    refused = tried(too_large, lambda: 1.0, lambda c: set_up_training(c, Session(device_name="cpu")), seconds=0)
    assert refused.finding == "not measured"
    assert "fewer than the batch_size 999" in refused.why_not


def test_the_process_that_compiles_gets_all_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def run(command: list[str], *, input: str, **options: object) -> subprocess.CompletedProcess[str]:
        told.append(input)
        raise subprocess.TimeoutExpired(command, 20)

    monkeypatch.setattr(subprocess, "run", run)
    session, images = Session(device_name="cpu"), fresh().images.train

    def trial(seconds: float) -> Tried:
        return compiled_trial(config(), session, Path(), images, thread_count=1, seconds=seconds)

    assert "too few seconds are left" in trial(1).why_not
    assert told == []
    assert "took more than the 20 seconds" in trial(20).why_not
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network, **options: compiled.append(network) or network)
    monkeypatch.setattr("cnnlab.speed.compiled.TURNS", 0)
    monkeypatch.setattr("sys.stdin", StringIO(told[0]))
    answer = compared(asked())
    assert len(compiled) == 1
    assert len(answer["gain"]) == 3
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert "ATEN_CPU_CAPABILITY=avx2" in trial(20).why_not


def test_the_numbers_of_a_bench_fit_each_other(facts: Bench) -> None:
    assert list(facts.phases.seconds) == list(PHASES)
    assert sum(facts.phases.shares.values()) == pytest.approx(1)
    document = bench_json(facts)
    assert facts.work is not None
    macs = 4 * 27 * 256 + 4 * 10
    assert facts.work.forward == 2 * macs
    assert facts.work.step == 3 * 2 * macs - 2 * 4 * 27 * 256
    step = document["step"]
    assert step["flops_per_second"] == pytest.approx(step["images_per_second"] * facts.work.step)
    assert document["of_the_ceiling"] == pytest.approx(
        step["flops_per_second"] / document["ceiling"]["flops_per_second"]
    )
    assert document["evaluation"]["images"] == 10
    assert [(one["size"], one["share"]) for one in document["sizes"]] == [((8, 8), 0.5), ((16, 16), 0.5)]
    assert {trial["finding"] for trial in document["trials"]} == {"not measured"}  # there was no time


def test_the_page_says_the_speed_and_the_phases(facts: Bench) -> None:
    report = bench_report(facts)
    found = {table.name: table for table in tables(report)}
    assert sum(row[2] for row in found["phases"].rows if isinstance(row[2], float)) == pytest.approx(1)
    words = " ".join(block.text for block in inside(report) if isinstance(block, Text))
    assert "times the time of a bare loop" in words
    assert "of what a product of two matrices reaches here" in words


def test_methods_stand_beside_as_many_plain_passes() -> None:
    model = small(seed=1)
    found = {one.method: one for one in method_speeds(model, torch.randn(1, 3, 16, 16), max_batch=64, seconds=60.0)}
    assert found["occlusion"].changed == 49
    assert found["RISE"].changed == 500
    for one in found.values():
        assert one.over_limit is not None
        assert len(one.over_limit.values) == 3
        assert one.over_limit.values[0] == one.seconds.values[0] / one.limit.values[0]  # type: ignore[union-attr]
    (late,) = method_speeds(model, torch.randn(2, 3, 16, 16), max_batch=8, seconds=1e-6, methods=["rise"])
    assert late.over_limit is None
    assert "one image would take some" in late.why_not


def test_the_trace_names_the_phases_of_whole_steps(tmp_path: Path) -> None:
    path = write_trace(fresh("ema={decay: 0.9}"), tmp_path / "trace")
    names = Counter(event.get("name") for event in json.loads(path.read_text())["traceEvents"])
    assert names["forward"] == names["loss"] == names["averages"] == names["aten::conv2d"] == TRACED
    assert any(str(name).startswith("Optimizer.step") for name in names)
