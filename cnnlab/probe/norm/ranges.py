"""Which initial scales and learning rates train at all, with norms and without; cells are kept as they are done."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from cnnlab.config.config import Config
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.files import write_whole
from cnnlab.core.reading import read_file
from cnnlab.network.session import Session
from cnnlab.probe.norm.short_training import ShortTraining, short_training
from cnnlab.runs.images import TrainingImages

FACTORS = (1 / 64, 1 / 16, 1 / 4, 1.0, 4.0, 16.0, 64.0)
"""Of the weights at the start, and of the learning rate."""

MOST_BYTES = 10_000_000

What = Literal["scale", "rate"]
"""What is multiplied: the weights at the start, or the learning rate."""

CELLS: TypeAdapter[dict[str, ShortTraining]] = TypeAdapter(dict[str, ShortTraining])


@dataclass(frozen=True)
class Cell:
    """A short training by one factor."""

    name: str
    """Of the twin."""
    what: What
    factor: float
    outcome: ShortTraining


@dataclass(frozen=True)
class RangeFacts:
    """All cells."""

    cells: tuple[Cell, ...]
    steps: int
    rate: float
    """Of the config."""

    def of(self, name: str, what: What) -> tuple[Cell, ...]:
        """The cells of one twin, by factor."""
        return tuple(one for one in self.cells if one.name == name and one.what == what)

    def trains(self, name: str, what: What) -> tuple[float, ...]:
        """The factors by which one twin trains."""
        return tuple(one.factor for one in self.of(name, what) if one.outcome.trains)


def range_cells(
    twins: Mapping[str, Config],
    session: Session,
    images: TrainingImages,
    *,
    steps: int,
    folder: Path,
    factors: Sequence[float] = FACTORS,
) -> Iterator[Advance | RangeFacts]:
    """Train each twin for a few steps by each factor of its initial weights, and of its learning rate.

    Arguments:
        twins: configs by name.
        session: the device.
        images: of the configs.
        steps: of each training.
        folder: holds `ranges.json`, with each cell as soon as it is done; those that are there already are taken.
        factors: growing.

    Yields:
        How far the cells are, and at last the facts.

    Raises:
        RequestError: where parts of a config do not fit each other or the data, and where `ranges.json` is damaged.
    """
    path = folder / "ranges.json"
    kept = _kept(path)
    begun = {name: blake2b(config.as_yaml().encode(), digest_size=8).hexdigest() for name, config in twins.items()}
    wanted = [(name, what, factor) for what in ("scale", "rate") for name in twins for factor in sorted(set(factors))]
    cells = []
    for name, what, factor in wanted:
        config = twins[name]
        key = f"{begun[name]} {what} {factor!r} {steps}"
        if key not in kept:
            scale, rate = (factor, 1.0) if what == "scale" else (1.0, factor)
            kept[key], _ = short_training(config, session, images, steps=steps, scale=scale, rate=rate)
            write_whole(path, json.dumps({known: asdict(one) for known, one in kept.items()}, indent=1) + "\n")
        cells.append(Cell(name, "scale" if what == "scale" else "rate", factor, kept[key]))
        yield Advance("short trainings", len(cells), len(wanted))
    yield RangeFacts(tuple(cells), steps, next(iter(twins.values())).optimizer.options["lr"])


def _kept(path: Path) -> dict[str, ShortTraining]:
    if not path.exists():
        return {}
    try:
        return CELLS.validate_json(read_file(path, at_most=MOST_BYTES))
    except ValidationError:
        raise RequestError(f"{path}: damaged: expected what an earlier call kept there; remove it") from None
