"""The process of one training beside others: see `trial_processes`."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch

from cnnlab.config.config import read_config
from cnnlab.core.errors import CnnlabError, RequestError
from cnnlab.network.session import Session
from cnnlab.training.events import StopWish
from cnnlab.training.loop import TrainOptions
from cnnlab.training.trial_processes import Job
from cnnlab.training.trials import Trial, training

EVERY = 0.2
"""Seconds between two lines that say how far it is."""


def main() -> None:
    """Read the job, train, say how far; errors that a person can act on are lines as well."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it hears Ctrl-C, and ends its input
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what anybody else prints is no line of this conversation

    def say(**document: object) -> None:
        output.write(json.dumps(document) + "\n")
        output.flush()

    job, stop = Job(**json.loads(sys.stdin.buffer.readline())), StopWish()

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        stop.signal = signal.SIGTERM

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    torch.set_num_threads(job.threads)
    try:
        _train(job, stop, say)
    except CnnlabError as error:
        say(error=error.lines, is_request=error.exit_code == RequestError.exit_code)
    except BrokenPipeError:
        os._exit(1)
    os._exit(0)  # the thread that reads would be waited for


def _train(job: Job, stop: StopWish, say: Callable[..., None]) -> None:
    runs, folder = Path(job.runs), Path(job.config_folder)
    session = Session(
        runs=runs,
        named=Path(job.named),
        device_name=job.device_name,
        data=None if job.data is None else Path(job.data),
        allow_plugins=job.allow_plugins,
        max_batch=job.max_batch,
    )
    options = TrainOptions(session, config_folder=folder, report=False)
    config = read_config(runs / f"{job.name}.yaml", allow_plugins=job.allow_plugins, base=folder)
    told = 0.0
    for step in training(Trial(job.name, config), options, stop):
        if (now := time.monotonic()) - told >= EVERY or step.done == step.total:
            told = now
            say(done=step.done, total=step.total)


if __name__ == "__main__":
    main()
