"""How fast a config trains on this machine, from Python: `cnnlab.bench`."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from cnnlab.api.asked_config import AskedConfig, Overrides, config_of, overrides_of
from cnnlab.api.question import last
from cnnlab.api.result import Result, plain
from cnnlab.api.untouched import untouched
from cnnlab.api.values import check_number, check_threads
from cnnlab.network.session import Session
from cnnlab.speed.facts import Bench
from cnnlab.speed.report import bench_json, bench_report
from cnnlab.speed.run import SECONDS
from cnnlab.speed.run import bench as measured
from cnnlab.stats.repeats import Repeats
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class BenchResult(Result):
    """A training's speed on this machine, and what limits it."""

    document_name: ClassVar[str] = "bench.json"

    facts: Bench

    @property
    def images_per_second(self) -> float:
        """Of the training step."""
        return self.facts.step.images_per_second

    @property
    def over_bare(self) -> Repeats:
        """Times a bare loop's time that the step takes: median and quartiles over turns."""
        return self.facts.over_bare

    @property
    def phases(self) -> dict[str, float]:
        """Seconds of each phase of a step."""
        return dict(self.facts.phases.seconds)

    @cached_property
    def report(self) -> Report:
        """Speeds beside what the machine reaches, and where the time of a step goes."""
        return bench_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """What `cnnlab bench --json` prints."""
        return plain(bench_json(self.facts))


def bench(
    config: AskedConfig = None,
    *,
    overrides: Overrides = (),
    seconds: float = SECONDS,
    threads: int | None = None,
    trace: str | Path | None = None,
    device: str = "auto",
    allow_plugins: bool = False,
) -> BenchResult:
    """Measure how fast a config trains on this machine, and what limits it.

    Arguments:
        config: a file, a mapping with what stands in one, a `Config`, or None for the built-in quickstart.
        overrides: changes to it: `{"training.batch_size": 512}`, or `["training.batch_size=512"]`.
        seconds: that it may take, beside reading the images.
        threads: of the processor; torch's own number where none is given.
        trace: the folder for a trace of some steps, for Perfetto and TensorBoard; without it nothing is written.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        allow_plugins: whether Python files that the config names may be run.

    Returns:
        Images and operations per second of the step, of a bare loop and of the machine; the phases of a step; the input
        and the evaluation by themselves.

    Raises:
        RequestError: for `seconds` or `threads` that are no such number, and where parts of the config do not fit each
            other, the data or this machine.

    Example:
        >>> import cnnlab
        >>> small = {"data.dataset": {"shapes": {"train_count": 64, "size": 16}}, "training.batch_size": 16}
        >>> found = cnnlab.bench(overrides=small, seconds=0.1, device="cpu")
        >>> found.images_per_second > 0, max(found.phases, key=found.phases.get)
        (True, 'backward')
    """
    check_number("seconds", seconds, 0.0)
    check_threads(threads)
    session = Session(device_name=device, allow_plugins=allow_plugins)
    with untouched():
        settings, base = config_of(config, overrides_of(overrides), allow_plugins=allow_plugins)
        steps = measured(
            settings,
            session,
            seconds=seconds,
            thread_count=threads,
            base=base,
            trace=None if trace is None else Path(trace).expanduser(),
        )
        return BenchResult(last(steps))
