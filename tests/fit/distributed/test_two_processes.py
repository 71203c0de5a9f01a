"""What two processes come to, against one that does the same; one job of torchrun for all of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import two_processes
import typer
from safetensors.torch import load_file
from torch import Tensor
from two_processes import SHARED, TRAININGS, predicted, trained

from cnnlab.cli.together import SEVERAL
from cnnlab.core.share import Share
from cnnlab.fit.distributed.ranks import ALONE
from cnnlab.main import app
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run

pytestmark = pytest.mark.slow

JOB = Path(two_processes.__file__)


@dataclass(frozen=True)
class Job:
    folder: Path
    output: str
    errors: str
    found: tuple[dict[str, Any], dict[str, Any]]

    def run(self, name: str) -> Run:
        return Run(self.folder / "runs" / name)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    folder = tmp_path_factory.mktemp("job")
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=1"]
    done = subprocess.run(
        [sys.executable, *words, str(JOB), str(folder)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = tuple(torch.load(folder / f"found-{rank}.pt") for rank in range(2))
    return Job(folder, done.stdout, done.stderr, (found[0], found[1]))


def assert_near(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.allclose(one[name].double(), other[name].double(), rtol=0, atol=1e-10), name


@pytest.mark.parametrize("name", TRAININGS)
def test_two_processes_train_as_one_does(job: Job, name: str) -> None:
    alone = trained(ALONE, **TRAININGS[name])
    for process in job.found:
        both = process["trained"][name]
        assert_near(both["weights"], alone.weights)
        assert both["losses"] == pytest.approx(alone.losses, abs=1e-6)
        assert both["norms"] == pytest.approx(alone.norms, abs=1e-6)
        assert both["seen"] == alone.seen == 52
    assert job.found[0]["trained"][name]["accuracy"] == alone.accuracy


def test_without_synchronized_norm_the_processes_have_one_network_and_another_than_one(job: Job) -> None:
    first, second = (process["by process"]["weights"] for process in job.found)
    assert all(torch.equal(first[name], second[name]) for name in first)
    alone = trained(ALONE, "batch").weights
    assert not torch.allclose(first["layers.0.weight"], alone["layers.0.weight"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("number", "images"), [(0, 1), (1, 7)])
def test_every_image_is_predicted_once_and_in_order(job: Job, number: int, images: int) -> None:
    alone = predicted(ALONE, images)
    for process in job.found:
        assert torch.equal(process["predicted"][number]["logits"], alone.logits)
        assert torch.equal(process["predicted"][number]["labels"], alone.labels)


def test_a_wish_of_one_is_that_of_all(job: Job) -> None:
    assert [process["any"] for process in job.found] == [[True, False]] * 2


def test_a_killed_process_ends_the_job_and_the_next_ones_go_on_with_its_run_to_the_bit(job: Job) -> None:
    assert sorted(path.name for path in (job.folder / "runs").iterdir()) == ["killed", "whole"]
    assert job.errors.count("resumed after epoch 1") == 1
    assert "another of the 2 processes has ended without a word" in job.output
    assert json.loads(job.output[job.output.rindex("\n{\n") :])["status"] == "finished"
    whole, killed = job.run("whole"), job.run("killed")
    assert killed.record.outcome.status == "finished"
    assert killed.record.arithmetic[-1].processes == 2
    for name in ("best", "last"):
        weights = [load_file(run.path / "checkpoints" / f"{name}.safetensors") for run in (whole, killed)]
        assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    timeless = [
        [{k: v for k, v in point.items() if k not in ("seconds", "images_per_second")} for point in run.metrics()]
        for run in (whole, killed)
    ]
    assert timeless[0] == timeless[1]
    assert len(timeless[0]) == 2 * 7 + 2


def test_what_is_wrong_is_told_once(job: Job) -> None:
    assert job.found[0]["codes"] == job.found[1]["codes"] == [2, 2, 0]
    assert job.errors.count("'epochs' is 'many', expected a whole number") == 1
    assert job.errors.count("`cnnlab gradcam` is for one process, and torchrun has started 2") == 1
    assert job.errors.count("100 training and 20 validation images, cpu, 2 processes") == 3  # a line for each start


@pytest.mark.parametrize("name", SHARED)
def test_shares_of_other_work_are_put_together(job: Job, name: str) -> None:
    alone = SHARED[name](Session(runs=job.folder / "runs", device_name="cpu", max_batch=8))
    first, second = (torch.load(job.folder / f"shared-{rank}.pt", weights_only=False) for rank in range(2))
    assert first[name] == alone
    assert second == {}


def test_the_commands_for_several_processes_are_those_that_are_named() -> None:
    found = set()

    def look(command: Any, name: str) -> None:
        for part, inner in getattr(command, "commands", {}).items():
            look(inner, f"{name} {part}".strip())
        if getattr(getattr(command.callback, "__wrapped__", None), "several", False):
            found.add(name)

    look(typer.main.get_command(app), "")
    assert found == set(SEVERAL.replace(" and ", ", ").split(", "))


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("least", [1, 2])
@pytest.mark.parametrize("things", [0, 1, 2, 3, 7, 16, 17])
def test_shares_are_all_of_it_once_and_none_is_too_small(things: int, count: int, least: int) -> None:
    parts = [Share(number, count).part(things, least=least) for number in range(count)]
    assert [place for begin, end in parts for place in range(begin, end)] == list(range(things))
    sizes = [end - begin for begin, end in parts if end > begin]
    assert all(size >= min(least, things) for size in sizes)
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
