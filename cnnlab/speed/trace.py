"""A trace of some training steps: every operation with its time, for TensorBoard's profiler and Perfetto."""

import os
from pathlib import Path

from torch.profiler import ProfilerActivity, profile, schedule, tensorboard_trace_handler

from cnnlab.core.files import failures_named, make_folder
from cnnlab.speed.phases import watched_setup
from cnnlab.speed.steps import training_facts
from cnnlab.training.setup import TrainingSetup

WARM, TRACED = 2, 4
"""Steps before those that are traced, and these."""

QUIET = "6"
"""Above every level at which the profiler would speak on stderr, of a GPU that is not there for one."""


def write_trace(setup: TrainingSetup, folder: Path) -> Path:
    """Trace some steps of a training, its phases named among the operations.

    Arguments:
        setup: is used up by it.
        folder: where the file goes, one for each call.

    Returns:
        The file, in the format of Chrome's traces, as torch's `tensorboard_trace_handler` writes it.

    Raises:
        WriteError: where the disk refuses.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", QUIET)
    steps = training_facts(watched_setup(setup).setup)
    before = set(folder.glob("*.json"))
    make_folder(folder)
    with failures_named(folder):
        gpu = (ProfilerActivity.CUDA,) if setup.state.device.type == "cuda" else ()
        plan = schedule(wait=0, warmup=WARM, active=TRACED, repeat=1)
        handler = tensorboard_trace_handler(str(folder), worker_name="cnnlab")
        with profile(
            activities=(ProfilerActivity.CPU, *gpu), schedule=plan, on_trace_ready=handler, record_shapes=True
        ) as profiler:
            for _ in range(WARM + TRACED):
                next(steps)
                profiler.step()
    (made,) = set(folder.glob("*.json")) - before
    return made
