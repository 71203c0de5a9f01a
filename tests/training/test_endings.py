"""Trainings that end otherwise than planned: by a signal, by numbers that are not finite, by a plugin."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SLOW_STEPS = """
import time, torch
torch.set_num_threads(1)
import cnnlab.fit.fit as fit
from cnnlab.main import main
step = fit._step
fit._step = lambda *arguments: (time.sleep(0.05), step(*arguments))[1]
main()
"""
PLUGIN = """
from typing import Literal

import torch
from torch import nn
from cnnlab.models.registry import LAYERS


class Breaking(nn.Module):
    def __init__(self, after, where):
        super().__init__()
        self.after, self.training_breaks, self.calls = after, where == "training", 0

    def forward(self, images):
        self.calls += self.training
        return images / 0 if self.training == self.training_breaks and self.calls > self.after else images


@LAYERS.register("breaking")
def breaking(*, after: int = 1000, where: Literal["training", "evaluation"] = "training") -> nn.Module:
    \"\"\"Whole for `after` steps, then not.\"\"\"
    return Breaking(after, where)
"""


def outcome(run: Path) -> dict:
    return json.loads((run / "run.json").read_text())["outcome"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_at_the_next_step(cnnlab, no_report, number, code) -> None:
    command = [sys.executable, "-c", SLOW_STEPS, "train", "tiny.yaml", "--device", "cpu", "--time-budget", "1h"]
    process = subprocess.Popen(
        command, cwd=cnnlab.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(cnnlab)
    )
    metrics = cnnlab.runs / "tiny" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None and not metrics.exists():
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert outcome(cnnlab.runs / "tiny")["status"] == "interrupted"
    assert (cnnlab.runs / "tiny" / "checkpoints" / "last.pt").exists()
    printed = re.search(r"^stopped +in epoch 1; to go on:\n +(cnnlab .*)$", out, re.MULTILINE)[1]
    kept = (cnnlab.runs / "tiny" / "config.yaml").read_text()
    assert "\n  time_budget: 3600.0\n" in kept  # so that it holds when the run goes on
    resumed = cnnlab(*shlex.split(printed)[1:], "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.json()["status"] == "finished"
    assert resumed.json()["epochs"] == 2


def environment(cnnlab) -> dict[str, str]:
    import os

    return os.environ | {"CNNLAB_DATA": str(cnnlab.folder / "data"), "OMP_NUM_THREADS": "1"}


def test_a_learning_rate_beyond_all_bounds(cnnlab) -> None:
    layers = "[{conv: {channels: 8}}, relu, {conv: {channels: 8}}, global_avg_pool, linear]"
    result = cnnlab("train", "tiny.yaml", f"model={layers}", "optimizer.lr=1e6", "schedule=constant")
    assert result.code == 1
    (error,) = [line for line in result.err.splitlines() if line.startswith("error:")]
    assert re.fullmatch(
        r"error: the loss is (nan|inf) at step \d (\(epoch 1\)) with learning rate 1e\+06: it appears first in layer "
        r"(conv\d|linear1) \(.*\)\. Try a lower optimizer\.lr \(cnnlab lr-find\), or clipping",
        error,
    )
    found = outcome(cnnlab.runs / "tiny")
    assert found["status"] == "diverged"
    assert found["message"] == error.removeprefix("error: ")


@pytest.fixture
def plugin(cnnlab):
    (cnnlab.folder / "mine.py").write_text(PLUGIN)
    text = (cnnlab.folder / "tiny.yaml").read_text()
    cnnlab.config("plugins: [mine.py]\n" + text.replace("  - global_avg_pool", "  - breaking\n  - global_avg_pool"))
    return cnnlab


def test_not_a_number_is_found_in_its_layer(plugin) -> None:
    result = plugin("train", "tiny.yaml", "model.2.after=4", "--allow-plugins", "--json")
    assert result.code == 1
    assert result.json()["code"] == 1
    assert re.search(
        r"^error: the loss is nan at step 5 \(epoch 1\) with learning rate 0\.0\d+: it appears first in layer "
        r"breaking1 \(its output; its weights are finite\)",
        result.err,
        re.MULTILINE,
    )
    assert outcome(plugin.runs / "tiny")["status"] == "diverged"


def test_a_network_that_no_later_step_looks_at(plugin) -> None:
    """An epoch's last step can break it; the validation notices."""
    result = plugin("train", "tiny.yaml", "model.2={breaking: {after: 3, where: evaluation}}", "--allow-plugins")
    assert result.code == 1
    assert re.search(
        r"error: the validation loss is nan after step 6 \(epoch 1\) with learning rate 0\.\d+: it appears first in "
        r"layer breaking1 \(its output; its weights are finite\)\. Try a lower",
        result.err,
    )
    assert outcome(plugin.runs / "tiny")["status"] == "diverged"
    assert not (plugin.runs / "tiny" / "metrics.jsonl").read_text().count('"kind": "epoch"')


def test_plugins_from_training_to_evaluation(plugin, no_report) -> None:
    refused = plugin("train", "tiny.yaml")
    assert refused.code == 2
    assert refused.err.startswith("error: tiny.yaml:1:1: ")
    assert "--allow-plugins" in refused.err
    assert not plugin.runs.exists()
    paused = plugin("train", "tiny.yaml", "--allow-plugins", "--stop-after", 1)
    assert paused.code == 0, paused.err
    run = plugin.runs / "tiny"
    assert (run / "plugins" / "mine.py").read_text() == PLUGIN
    (plugin.folder / "mine.py").unlink()
    command = re.search(r"cnnlab (train --resume .*)$", paused.out, re.MULTILINE)[1]
    assert "--allow-plugins" in command
    assert plugin(*shlex.split(command)).code == 0
    for words in (("eval", "tiny"), ("compare", "tiny", "tiny"), ("predict", "tiny", ".")):
        refused = plugin(*words)
        assert refused.code == 2
        assert "--allow-plugins" in refused.err
    evaluated = plugin("eval", "tiny", "--allow-plugins", "--json")
    assert evaluated.json()["accuracy"] == outcome(run)["val_accuracy"]
    assert plugin("compare", "tiny", "tiny", "--allow-plugins", "--json").code == 0
    assert plugin("receptive-field", "tiny", "--effective", 1, "--allow-plugins", "--json").code == 0
    assert plugin("runs", "--json").json()[0]["name"] == "tiny"


def test_a_second_interruption_leaves_no_run_that_seems_to_run(cnnlab, no_report, monkeypatch) -> None:
    import cnnlab.training.loop as workflow

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "_write_epoch", interrupted)
    result = cnnlab("train", "tiny.yaml")
    assert (result.code, result.out) == (130, "")
    assert outcome(cnnlab.runs / "tiny")["status"] == "failed"


def test_a_run_under_way_shows_how_far_it_is(cnnlab, no_report, monkeypatch) -> None:
    from cnnlab.training.views import TrainingViews

    seen = []
    monkeypatch.setattr(TrainingViews, "after_epoch", lambda self, fact: seen.append(outcome(cnnlab.runs / "tiny")))
    assert cnnlab("train", "tiny.yaml").code == 0
    assert [(found["status"], found["epochs"]) for found in seen] == [("running", 0), ("running", 1)]
    assert seen[1]["val_accuracy"] is not None
