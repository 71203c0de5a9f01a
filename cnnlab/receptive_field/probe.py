"""The proof: rows of NaN go into the unmodified network, and which units turn NaN tells what each of them reads.

With rows 0 … t set to NaN, a unit is NaN exactly if its field begins at t or before; with rows t … to the end, exactly
if it ends at t or after. All t together give every interval, to be compared with those that were computed. A NaN passes
through ReLU, pooling and normalisation, and 0 · NaN is NaN, so that neither values nor weights matter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cnnlab.models.failure import told
from cnnlab.models.undisturbed import observe
from cnnlab.walk.facts import Output, Walk, parts_of
from cnnlab.walk.macs import attention_as_products

SHOWN = 20
"""Mismatches that are kept with their places."""


@dataclass(frozen=True)
class Mismatch:
    """A unit whose interval is not what the probe saw."""

    output: str
    unit: tuple[int, ...]
    """Its index in the output, a batch of one left out."""
    axis: int
    end: str
    """`first` or `last`."""
    threshold: int
    """The row (or column) up to which, or from which on, the input was NaN."""
    reaches: bool
    """Whether the computed interval reaches it; the probe saw the opposite."""

    @property
    def sentence(self) -> str:
        """The disagreement in words."""
        side = "up to" if self.end == "first" else "from"
        said, seen = ("depends", "does not") if self.reaches else ("does not depend", "does")
        return (
            f"{self.output} at {self.unit}: said that it {said} on axis {self.axis} {side} {self.threshold}; it {seen}"
        )


@dataclass(frozen=True)
class Verification:
    """What the probe says of a walk's intervals."""

    compared: int
    """Intervals: one for each unit and axis of each output that could be compared."""
    mismatched: int
    """Number of them that are not what the probe saw."""
    wide: int
    """Number of them that are wider than what the probe saw, behind an operation whose rule is not known, or through
    which NaN does not pass: they hold, and the probe cannot say whether they are exact."""
    mismatches: tuple[Mismatch, ...]
    """The first ones."""
    outputs: int
    """Outputs that were compared."""
    skipped: tuple[str, ...]
    """Outputs that were not: whole numbers, and those whose shape for several images is not that for one, repeated.
    Before the first pass all of them."""
    passes: int
    done: int
    """Passes that are done."""

    @property
    def proven(self) -> bool:
        """Whether all passes are done and no interval is wrong."""
        return self.done == self.passes and not self.mismatched


def verification(model: nn.Module, walk: Walk, *, max_batch: int = 16) -> Iterator[Verification]:
    """Compare every interval of `walk` with the NaN probe of `model`; the last result counts, the others are progress.

    The model is used as it is, in eval mode on its own device, and is as it was afterwards; 2·(height + width) images
    go through it, at most `max_batch` at a time. Where a batch disagrees with the walk its images go through again
    one by one, since a network may mix the images of a batch (batch statistics in eval mode).
    """
    tally = _Tally(walk)
    passes = sum(-(-size // max_batch) for size in walk.shape[1:] for _ in range(2))
    done = 0
    for axis, size in enumerate(walk.shape[1:]):
        for end in ("first", "last"):
            thresholds = list(range(size))
            for begin in range(0, size, max_batch):
                tally.probe(model, axis, end, thresholds[begin : begin + max_batch])
                done += 1
                yield tally.result(passes, done)


Different = dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]
"""The places of each output at which the walk and the probe disagree, and what the walk says; (images, *shape)."""


class _Tally:
    """Counts, output by output, while the network runs."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.expected = {output.name: output for output in walk.outputs if output.tag is not None}
        doubtful = {layer for _, layer in (*walk.unknown, *walk.swallowed)}
        self.doubtful = self._behind(doubtful)
        self.compared: set[str] = set()
        self.wrong = {name: self._nothing(output) for name, output in self.expected.items()}
        self.wide = {name: self._nothing(output) for name, output in self.expected.items()}
        self.mismatches: list[Mismatch] = []
        self.one_by_one: bool | None = None
        """Whether the network mixes images; None while that does not matter."""

    def _behind(self, layers: set[str]) -> set[str]:
        """Outputs that are put out at or after the first doubtful operation."""
        outputs = self.walk.outputs
        places = (place for place, operation in enumerate(self.walk.operations) if operation.layer in layers)
        first = min(places, default=len(self.walk.operations))
        own = min((n for n, output in enumerate(outputs) if output.layer in layers), default=len(outputs))
        return {output.name for n, output in enumerate(outputs) if n >= own or output.ended > first}

    def _nothing(self, output: Output) -> list[NDArray[np.bool_]]:
        return [np.zeros(output.shape, bool) for _ in self.walk.shape[1:]]

    def probe(self, model: nn.Module, axis: int, end: str, thresholds: Sequence[int]) -> None:
        """An image for each threshold, in one forward pass if that will do."""
        if not self.one_by_one:
            found = self._run(model, axis, end, thresholds)
            if not found or len(thresholds) == 1 or self.one_by_one is False:
                self._count(found, axis, end, thresholds)
                return
        singles = [self._run(model, axis, end, [threshold]) for threshold in thresholds]
        for threshold, single in zip(thresholds, singles, strict=True):
            self._count(single, axis, end, [threshold])
        if self.one_by_one is None:
            again = {
                name: np.concatenate([s[name][0] if name in s else np.zeros((1, *d.shape[1:]), bool) for s in singles])
                for name, (d, _) in found.items()
            }
            self.one_by_one = any((again[name] != d).any() for name, (d, _) in found.items())

    def _run(self, model: nn.Module, axis: int, end: str, thresholds: Sequence[int]) -> Different:
        """One forward pass."""
        like = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(1))
        generator = torch.Generator().manual_seed(0)
        image = torch.randn(1, *self.walk.shape, generator=generator).to(like)
        batch = image.repeat(len(thresholds), *[1] * len(self.walk.shape))
        for number, t in enumerate(thresholds):
            place = slice(0, t + 1) if end == "first" else slice(t, None)
            batch[(number, slice(None), *[slice(None)] * axis, place)] = float("nan")
        calls: dict[str, int] = {}
        different: Different = {}

        def look(name: str, module: nn.Module, inputs: object, output: object) -> None:
            calls[name] = calls.get(name, 0) + 1
            for part, tensor in parts_of(output):
                full = f"{name}{part}" + (f" ({calls[name]})" if calls[name] > 1 else "")
                found = self._compare(full, tensor, axis, end, thresholds)
                if found is not None:
                    different[full] = found

        way_out = "it was given an image with NaN, by which `verify` sees what depends on what: leave `verify` out"
        with observe(model, look), attention_as_products(), told(way_out):
            model(batch)
        return different

    def _compare(
        self, name: str, tensor: Tensor, axis: int, end: str, thresholds: Sequence[int]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        output = self.expected.get(name)
        if output is None or not (tensor.is_floating_point() or tensor.is_complex()):
            return None
        seen = _by_image(tensor.isnan().cpu().numpy(), output.shape, len(thresholds))
        if seen is None:
            return None
        self.compared.add(name)
        assert output.tag is not None
        hull = output.tag.axes[axis].hull
        # -first and last are joined by the maximum, and empty intervals lie below all
        limits = np.array(thresholds).reshape(-1, *[1] * (hull.ndim - 1))
        said = hull[0][None] >= -limits if end == "first" else hull[1][None] >= limits
        different = said != seen
        return (different, np.broadcast_to(said, seen.shape)) if different.any() else None

    def _count(self, found: Different, axis: int, end: str, thresholds: Sequence[int]) -> None:
        for name, (different, said) in found.items():
            if name in self.doubtful:
                self.wide[name][axis] |= (different & said).any(0)
                different = different & ~said
            self.wrong[name][axis] |= different.any(0)
            for place in np.argwhere(different)[: max(0, SHOWN - len(self.mismatches))]:
                number, *unit = (int(i) for i in place)
                unit = unit[1:] if different.shape[1] == 1 else unit
                self.mismatches.append(
                    Mismatch(name, tuple(unit), axis, end, thresholds[number], bool(said[tuple(place)]))
                )

    def result(self, passes: int, done: int) -> Verification:
        """What is known so far."""
        compared = [output for name, output in self.expected.items() if name in self.compared]
        return Verification(
            compared=sum(prod(output.shape) for output in compared) * len(self.walk.shape[1:]),
            mismatched=sum(int(a.sum()) for arrays in self.wrong.values() for a in arrays),
            wide=sum(int(a.sum()) for arrays in self.wide.values() for a in arrays),
            mismatches=tuple(self.mismatches),
            outputs=len(compared),
            skipped=tuple(name for name in self.expected if name not in self.compared),
            passes=passes,
            done=done,
        )


def _by_image(seen: NDArray[np.bool_], shape: tuple[int, ...], count: int) -> NDArray[np.bool_] | None:
    """(count, *shape) of an output for `count` images, whose batch may be any dimension or the outer part of one."""
    if count == 1:
        return seen[None] if seen.shape == shape else None
    if seen.ndim != len(shape):
        return None
    longer = [dim for dim, size in enumerate(shape) if seen.shape[dim] != size]
    if len(longer) != 1 or seen.shape[longer[0]] != count * shape[longer[0]]:
        return None
    dim = longer[0]
    return np.moveaxis(seen.reshape(*shape[:dim], count, *shape[dim:]), dim, 0)
