"""Trainings side by side, each in a process of its own.

A process reads its job, one JSON document in a line, from its standard input, and prints JSON lines: how far it is, and
an error. When its standard input ends, it stops with the step that it is at. So it does when this process dies, too.
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.training.events import StopWish
from cnnlab.training.loop import TrainOptions

MODULE = "cnnlab.training.trial_process"
LOOK = 0.2
"""Seconds after which the wish to stop is looked at again, where nothing is heard."""


@dataclass(frozen=True)
class Job:
    """A trial as a process gets it: the config lies in `runs/NAME.yaml`."""

    name: str
    runs: str
    named: str
    config_folder: str
    device_name: str
    data: str | None
    allow_plugins: bool
    max_batch: int
    threads: int = 1
    """Of torch, for this process."""

    @classmethod
    def of(cls, name: str, options: TrainOptions, *, threads: int = 1) -> "Job":
        """The trial `name`, trained with `options`."""
        session = options.session
        data = None if session.data is None else str(session.data)
        places = str(session.runs), str(session.named or session.runs), str(options.config_folder)
        return cls(name, *places, session.device_name, data, session.allow_plugins, session.max_batch, threads)


class _Process:
    """One training under way; what it says goes into `heard` with its name, and None when it has ended."""

    def __init__(self, job: Job, heard: "queue.Queue[tuple[str, dict[str, Any] | None]]") -> None:
        self.name = job.name
        self.complaint = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the process)
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaint,
            env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        )
        assert self._process.stdin is not None
        self._input = self._process.stdin
        self._input.write(json.dumps(asdict(job)).encode() + b"\n")
        self._input.flush()
        self._heard = heard
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                self._heard.put((self.name, json.loads(line)))
            except ValueError:  # printed by somebody's plugin
                continue
        self._heard.put((self.name, None))

    def stop(self) -> None:
        """Let it stop with the step that it is at."""
        self._input.close()

    def end(self) -> int:
        """Wait for its end; its exit code."""
        return self._process.wait()

    def kill(self) -> None:
        """End it where it stands; its last checkpoint remains."""
        self._process.kill()
        self._process.wait()

    def last_words(self) -> str:
        """The last line on its standard error."""
        self.complaint.seek(0)
        lines = self.complaint.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "nothing was said"


def processes_of(jobs: Sequence[Job], at_a_time: int, stop: StopWish | bool) -> Iterator[Advance | str]:
    """Train each job in a process of its own, `at_a_time` of them; torch's threads are shared out.

    Arguments:
        jobs: in the order in which they begin.
        at_a_time: processes, from 1.
        stop: true as soon as all should end with the step that they are at.

    Yields:
        How far each is, and the name of each that has ended by itself; nothing more after the wish to stop.

    Raises:
        RequestError, WorkError: what ended one of them; the others are stopped first.
    """
    at_a_time = max(1, min(at_a_time, len(jobs)))
    threads = max(1, torch.get_num_threads() // at_a_time)
    heard: queue.Queue[tuple[str, dict[str, Any] | None]] = queue.Queue()
    waiting = [Job(**{**asdict(job), "threads": threads}) for job in jobs]
    running: dict[str, _Process] = {}
    failed: list[RequestError | WorkError] = []
    try:
        while (waiting and not stop and not failed) or running:
            while waiting and len(running) < at_a_time and not stop and not failed:
                job = waiting.pop(0)
                running[job.name] = _Process(job, heard)
            if stop or failed:
                for process in running.values():
                    process.stop()
            try:
                name, said = heard.get(timeout=LOOK)
            except queue.Empty:
                continue
            if said is None:
                process = running.pop(name)
                if code := process.end():
                    last = process.last_words()
                    failed.append(WorkError(f"the training {name} ended with exit code {code}: {last}"))
                elif not stop and not failed:
                    yield name
            elif "error" in said:
                kind = RequestError if said["is_request"] else WorkError
                failed.append(kind(*said["error"]))
            elif not stop:
                yield Advance(name, said["done"], said["total"])
    except GeneratorExit:  # nobody listens any more
        for process in running.values():
            process.stop()
        for process in running.values():
            process.end()
        raise
    except BaseException:  # a second Ctrl-C
        for process in running.values():
            process.kill()
        raise
    if failed and not stop:
        raise failed[0]
