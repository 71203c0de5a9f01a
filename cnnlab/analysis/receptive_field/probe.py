"""The proof: rows of NaN go into the unmodified network, and which units turn NaN tells what each of them reads.

With rows 0 … t set to NaN, a unit is NaN exactly if its field begins at t or before; with rows t … to the end, exactly
if it ends at t or after. All t together give every interval, to be compared with those that were computed. A NaN passes
through ReLU, pooling and normalisation, and 0 · NaN is NaN, so that neither values nor weights matter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cnnlab.analysis.walk.facts import Output, Walk
from cnnlab.analysis.walk.walker import parts_of, undisturbed

SHOWN = 20
"""Mismatches that are kept with their places."""


@dataclass(frozen=True)
class Mismatch:
    """A unit whose interval is not what the probe saw."""

    output: str
    unit: tuple[int, ...]
    """Its index in the output, the batch left out."""
    axis: int
    end: str
    """`first` or `last`."""
    threshold: int
    """The row (or column) up to which, or from which on, the input was NaN."""
    reaches: bool
    """Whether the computed interval reaches it; the probe saw the opposite."""

    @property
    def sentence(self) -> str:
        """In words."""
        side = "up to" if self.end == "first" else "from"
        said, seen = ("depends", "does not") if self.reaches else ("does not depend", "does")
        return (
            f"{self.output} at {self.unit}: said that it {said} on axis {self.axis} {side} {self.threshold}; it {seen}"
        )


@dataclass(frozen=True)
class Verification:
    """What the probe says of a walk's intervals."""

    compared: int
    """Intervals: one for each unit and axis of each output."""
    mismatched: int
    """Of them, those that are not what the probe saw."""
    wide: int
    """Of them, those that are wider than what the probe saw behind an operation whose rule is not known, or through
    which NaN does not pass: they hold, and the probe cannot say whether they are exact."""
    mismatches: tuple[Mismatch, ...]
    """The first ones."""
    outputs: int
    passes: int
    done: int
    """Of the passes."""

    @property
    def proven(self) -> bool:
        """Whether all passes are done and no interval is wrong."""
        return self.done == self.passes and not self.mismatched


def verification(model: nn.Module, walk: Walk, *, max_batch: int = 16) -> Iterator[Verification]:
    """Compare every interval of `walk` with the NaN probe of `model`; the last result counts, the others are progress.

    The model is used as it is, in eval mode on its own device; 2·(height + width) pictures go through it, at most
    `max_batch` at a time.
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


class _Tally:
    """Counts, output by output, while the network runs."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.expected = {output.name: output for output in walk.outputs if output.tag is not None}
        doubtful = {layer for _, layer in (*walk.unknown, *walk.swallowed)}
        self.doubtful = self._behind(doubtful)
        self.wrong = {name: self._nothing(output) for name, output in self.expected.items()}
        self.wide = {name: self._nothing(output) for name, output in self.expected.items()}
        self.mismatches: list[Mismatch] = []

    def _behind(self, layers: set[str]) -> set[str]:
        """Outputs that are put out at or after the first doubtful operation."""
        places = [place for place, operation in enumerate(self.walk.operations) if operation.layer in layers]
        if not places:
            return set()
        first = min(places)
        return {output.name for output in self.walk.outputs if output.ended > first}

    def _nothing(self, output: Output) -> list[NDArray[np.bool_]]:
        return [np.zeros(output.shape[1:], bool) for _ in self.walk.shape[1:]]

    def probe(self, model: nn.Module, axis: int, end: str, thresholds: Sequence[int]) -> None:
        """One forward pass: a picture for each threshold."""
        like = next(model.parameters(), torch.zeros(1))
        generator = torch.Generator().manual_seed(0)
        picture = torch.randn(1, *self.walk.shape, generator=generator).to(like)
        batch = picture.repeat(len(thresholds), *[1] * len(self.walk.shape))
        for number, t in enumerate(thresholds):
            place = slice(0, t + 1) if end == "first" else slice(t, None)
            batch[(number, slice(None), *[slice(None)] * axis, place)] = float("nan")
        calls: dict[str, int] = {}

        def hook_of(name: str):  # type: ignore[no-untyped-def]
            def hook(module: nn.Module, args: object, output: object) -> None:
                calls[name] = calls.get(name, 0) + 1
                for part, tensor in parts_of(output):
                    full = f"{name}{part}" + (f" ({calls[name]})" if calls[name] > 1 else "")
                    self._compare(full, tensor, axis, end, thresholds)

            return hook

        handles = [module.register_forward_hook(hook_of(name)) for name, module in model.named_modules()]
        try:
            with undisturbed(model), torch.no_grad():
                model(batch)
        finally:
            for handle in handles:
                handle.remove()

    def _compare(self, name: str, tensor: Tensor, axis: int, end: str, thresholds: Sequence[int]) -> None:
        output = self.expected.get(name)
        count = len(thresholds)
        if output is None or tensor.shape[0] % count or not tensor.is_floating_point():
            return
        if tuple(tensor.shape) != (output.shape[0] * count, *output.shape[1:]):
            return
        assert output.tag is not None
        hull = output.tag.axes[axis].hull
        # -first and last are joined by the maximum, and empty intervals lie below all
        limits = np.array(thresholds).reshape(-1, *[1] * (hull.ndim - 2))
        said = hull[0][0][None] >= -limits if end == "first" else hull[1][0][None] >= limits
        said = said[:, 0] if said.ndim > tensor.dim() else said
        seen = tensor.isnan().cpu().numpy()
        if output.shape[0] > 1:
            seen = seen.reshape(count, output.shape[0], *output.shape[1:])[:, 0]
        different = said != seen
        if not different.any():
            return
        if name in self.doubtful:
            wider = different & said
            self.wide[name][axis] |= wider.any(0)
            different = different & ~said
        self.wrong[name][axis] |= different.any(0)
        for place in np.argwhere(different)[: max(0, SHOWN - len(self.mismatches))]:
            number, *unit = (int(i) for i in place)
            reaches = bool(np.broadcast_to(said, different.shape)[tuple(place)])
            self.mismatches.append(Mismatch(name, tuple(unit), axis, end, thresholds[number], reaches))

    def result(self, passes: int, done: int) -> Verification:
        """What is known so far."""
        return Verification(
            compared=sum(output.values for output in self.expected.values()) * len(self.walk.shape[1:]),
            mismatched=sum(int(a.sum()) for arrays in self.wrong.values() for a in arrays),
            wide=sum(int(a.sum()) for arrays in self.wide.values() for a in arrays),
            mismatches=tuple(self.mismatches),
            outputs=len(self.expected),
            passes=passes,
            done=done,
        )
