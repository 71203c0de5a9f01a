"""What a bench has measured: the machine, the step and its phases, the input, the evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cnnlab.core.arithmetic import Shape
from cnnlab.network.ceiling import Ceiling
from cnnlab.speed.changes import Tried
from cnnlab.speed.perturbation import MethodSpeed
from cnnlab.speed.work import StepWork
from cnnlab.stats.repeats import Repeats


@dataclass(frozen=True)
class Setting:
    """What the present config trains with."""

    name: str
    """The config's."""
    device: str
    """With the name of a GPU."""
    threads: int
    batch: int
    """Images of a batch."""
    accumulate: int
    """Batches of a step."""
    precision: str
    channels_last: bool
    compiled: bool
    shape: Shape
    """(channels, height, width) of an image, in pixels."""


@dataclass(frozen=True)
class Speed:
    """How fast something is."""

    seconds: Repeats
    """For each image, turn by turn."""
    flops: int | None = None
    """Floating-point operations for each image; None where nobody has counted them."""

    @property
    def images_per_second(self) -> float:
        """By the median turn."""
        return 1 / self.seconds.median

    @property
    def flops_per_second(self) -> float | None:
        """By the median turn."""
        return None if self.flops is None else self.flops / self.seconds.median


@dataclass(frozen=True)
class SizeSpeed:
    """The step at one of the sizes of `training.sizes`."""

    size: tuple[int, int]
    """(height, width) in pixels."""
    share: float
    """Of the training, 0 … 1."""
    speed: Speed


@dataclass(frozen=True)
class Phases:
    """Where the time of a step goes."""

    seconds: Mapping[str, float]
    """Of each phase of one step, the median over steps."""
    overhead: float
    """Time of a step that is watched over that of one that is not, less 1."""

    @property
    def shares(self) -> dict[str, float]:
        """Of each phase in all of them, 0 … 1."""
        whole = sum(self.seconds.values())
        return {name: seconds / whole for name, seconds in self.seconds.items()}


@dataclass(frozen=True)
class Bench:
    """All of it."""

    setting: Setting
    ceiling: Ceiling
    work: StepWork | None
    step: Speed
    bare: Speed
    """The bare loop, in turn with the step."""
    phases: Phases
    input: Speed
    evaluation: Speed
    evaluated: int
    """Images of an evaluation."""
    methods: tuple[MethodSpeed, ...]
    """Perturbation methods on the network before its training."""
    without_methods: str
    """The reason why there are none."""
    trials: tuple[Tried, ...]
    """What may make it faster, and what it does."""
    seconds: float
    """That it all took, without reading the images."""
    sizes: tuple[SizeSpeed, ...] = ()
    """Steps of smaller images, where the config has some; all else is measured at the images' own size."""
    remarks: tuple[str, ...] = ()
    trace: Path | None = None
    """The file of the profiler's trace, where one was asked for."""

    @property
    def over_bare(self) -> Repeats:
        """Times the bare loop's time that the step takes, turn by turn."""
        return self.step.seconds.over(self.bare.seconds)

    @property
    def of_the_ceiling(self) -> float | None:
        """The step's operations per second as a share of the matrix product's."""
        reached = self.step.flops_per_second
        return None if reached is None else reached / self.ceiling.flops_per_second
