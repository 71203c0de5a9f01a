"""What torch.compile gains, in a process of its own: compiling takes a minute or fails, and can be given up there."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from cnnlab.config.config import Config, check_config
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import CnnlabError
from cnnlab.core.yaml import parse
from cnnlab.data.batches import ChannelStatistics
from cnnlab.data.dataset import Dataset
from cnnlab.fit.compilation import check_compiler
from cnnlab.network.session import Session
from cnnlab.network.speed import in_turn
from cnnlab.runs.images import TrainingImages
from cnnlab.speed.changes import LEAST, Tried
from cnnlab.speed.steps import lasting, training_step
from cnnlab.stats.repeats import Repeats
from cnnlab.training.setup import set_up_training

WORDS, BESIDES = "training.compile=true", "seconds of compiling before the first step"

LEAST_SECONDS = 10.0
"""Below these nothing is compiled anywhere: the trial is left out."""

TURNS = 3.0
"""Seconds of turns after the compiling."""

BATCHES = 4
"""Of random images, which the trial trains on."""


@dataclass(frozen=True)
class Job:
    """What the process is told."""

    config: str
    """As YAML."""
    base: str
    """The folder at which its relative paths start."""
    shape: Shape
    """(channels, height, width) of an image, in pixels."""
    classes: tuple[str, ...]
    device_name: str
    allow_plugins: bool
    threads: int


def compiled_trial(
    config: Config, session: Session, base: Path, images: Dataset, *, thread_count: int, seconds: float
) -> Tried:
    """Compile the network of a config in a process of its own, and take steps of both in turn there.

    Arguments:
        config: the present one, not compiled.
        session: the device, and whether plugins may be run.
        base: the folder at which the config's relative paths start.
        images: that tell shape and classes; the trial has random ones.
        thread_count: of the processor.
        seconds: after which it is given up.
    """
    try:
        check_compiler(session.device)
    except CnnlabError as error:
        return Tried(WORDS, BESIDES, None, str(error))
    if seconds < LEAST_SECONDS:
        return Tried(WORDS, BESIDES, None, "too few seconds are left to compile; try with more of them")
    job = Job(
        config.as_yaml(),
        str(base.absolute()),
        images.shape,
        images.classes,
        session.device_name,
        session.allow_plugins,
        thread_count,
    )
    try:
        ended = subprocess.run(
            [sys.executable, "-m", __name__],
            input=json.dumps(asdict(job)),
            capture_output=True,
            encoding="utf-8",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Tried(WORDS, BESIDES, None, f"compiling took more than the {seconds:.0f} seconds that were left")
    if ended.returncode:
        said = ended.stderr.strip().splitlines()
        return Tried(WORDS, BESIDES, None, said[-1] if said else f"the process ended with {ended.returncode}")
    found = json.loads(ended.stdout)
    if "error" in found:
        return Tried(WORDS, BESIDES, None, found["error"])
    besides = f"{found['compiling']:.0f} s of compiling before the first step"
    return Tried(WORDS, besides, Repeats(tuple(found["gain"])))


def main() -> None:
    """Read the job, compile, take turns, and say how much faster the compiled steps are."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what compilers print is no answer
    job = asked()
    torch.set_num_threads(job.threads)
    try:
        answer = compared(job)
    except CnnlabError as error:
        answer = {"error": str(error)}
    output.write(json.dumps(answer))
    output.flush()


def asked() -> Job:
    """The job that stands in stdin."""
    given = json.load(sys.stdin)
    return Job(**given | {"shape": tuple(given["shape"]), "classes": tuple(given["classes"])})


def compared(job: Job) -> dict[str, Any]:
    """Take turns of steps of the compiled network and of the plain one: the gain of each, and seconds of compiling."""
    base = Path(job.base)
    tree = parse(job.config, "config")
    config = check_config(tree, [], default_name="run", base=base, allow_plugins=job.allow_plugins)
    images = _random_images(config, job.shape, job.classes)
    session = Session(device_name=job.device_name, allow_plugins=job.allow_plugins)
    training = config.training.model_copy(update={"compile": True})
    compiled = set_up_training(config.model_copy(update={"training": training}), session, images=images, begun=True)
    plain = set_up_training(config, session, images=images, begun=True)
    present, changed = lasting(training_step(plain)), lasting(training_step(compiled))
    present()
    began = time.perf_counter()
    changed()
    compiling = time.perf_counter() - began
    before, after = in_turn([present, changed], least=LEAST, seconds=TURNS)
    return {"gain": before.over(after).values, "compiling": compiling}


def _random_images(config: Config, shape: Shape, classes: Sequence[str]) -> TrainingImages:
    count = max(BATCHES * config.training.batch_size, len(classes))
    pixels = torch.randint(256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    train = Dataset("random", "train", pixels, torch.arange(count) % len(classes), tuple(classes))
    return TrainingImages(train, None, ChannelStatistics((0.5,) * shape[0], (0.25,) * shape[0]))


if __name__ == "__main__":
    main()
