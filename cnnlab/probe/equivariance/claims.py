"""The chapter's sentences on equivariance, judged by what was measured."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from cnnlab.probe.equivariance.facts import LayerFacts
from cnnlab.probe.equivariance.grid import Grid
from cnnlab.stats.claim import Claim, claim_above, claim_equal
from cnnlab.stats.confidence import MeanInterval, paired_difference

ROUNDING = 1e-4
"""Relative errors up to this are rounding, of single precision through all layers."""

AS_IT_IS, CIRCULAR, BLURRED = "as it is", "padding=circular", "padding=circular pool=blur_pool"


@dataclass(frozen=True, eq=False)
class LastMap:
    """The error of each image at the last map."""

    moved: Mapping[tuple[str, float], Float[Tensor, "n"]]
    """By alteration and shift in pixels."""
    shapes: Mapping[str, Float[Tensor, "n"]]
    """By what was done to a pattern in the middle."""


def claims_of(
    layers: Sequence[LayerFacts], first: Grid | None, coarsest: int, last: LastMap, seed: int
) -> tuple[Claim, ...]:
    """What the chapter says, and whether it holds here; sentences that do not concern this network are left out.

    Arguments:
        layers: all of them.
        first: the grid of the first map; None where there is none.
        coarsest: the largest stride, in pixels.
        last: errors at the last map.
        seed: of the intervals.
    """
    maps = [one for one in layers if one.is_map and (one.moved or one.spoiled)]
    if not maps:
        return tuple(_answer([one for one in layers if one.moved], coarsest, maps=False))
    return (
        *_exact(maps, first),
        *_aliasing(coarsest, last, seed),
        *_other(last, seed),
        *_answer([one for one in layers if not one.is_map and one.moved], coarsest, maps=True),
    )


def _exact(maps: Sequence[LayerFacts], first: Grid | None) -> Iterator[Claim]:
    lively = [one for one in maps if not one.is_still]  # of a map that is the same everywhere nothing can be told
    yield claim_equal(
        "Away from the border maps move with the image",
        "19.1",
        "largest error, cells whose field meets no border",
        max((one.interior for one in lively if one.interior is not None), default=None),
        tolerance=ROUNDING,
        form=".1e",
    )
    if first is not None and _is_3x3(first):
        off = [float(abs(len(one.cells) - one.pixels - 1)) for one in maps[0].spoiled if maps[0] in lively]
        yield claim_equal(
            "A shift by s spoils s + 1 columns of a padded 3 × 3 convolution",
            "19.1",
            f"largest difference from s + 1, {maps[0].name}",
            max(off, default=None),
            form=".0f",
        )
    circular = [
        one.moved[CIRCULAR][pixels].mean
        for one in lively
        for pixels in one.moved.get(CIRCULAR, ())
        if all(stride is not None and pixels % stride == 0 for stride in one.stride)
    ]
    yield claim_equal(
        "With circular padding nothing is lost",
        "19.1",
        "largest error of all layers, shifts by whole cells",
        max(circular, default=None),
        tolerance=ROUNDING,
        form=".1e",
    )


def _is_3x3(grid: Grid) -> bool:
    if grid.units is None or grid.stride != (1.0, 1.0):
        return False
    return all(
        units.padded.tolist() == [True, *[False] * (len(units.first) - 2), True]
        and int(units.last[1] - units.first[1]) == 2
        for units in grid.units
        if len(units.first) > 2
    )


def _aliasing(coarsest: int, last: LastMap, seed: int) -> Iterator[Claim]:
    one, whole = last.moved.get((CIRCULAR, 1)), last.moved.get((CIRCULAR, coarsest))
    if coarsest > 1:
        yield claim_above(
            "Strides alias",
            "19.3",
            f"error of 1 px less that of {coarsest} px, last map, circular",
            None if one is None or whole is None else _finite(one, whole, seed),
        )
    blurred = last.moved.get((BLURRED, 1))
    if coarsest > 1 and blurred is not None:
        yield claim_above(
            "A blur before subsampling keeps more, with the same weights",
            "19.3",
            "error of 1 px without it less that with it, last map, circular",
            None if one is None else _finite(one, blurred, seed),
        )


def _other(last: LastMap, seed: int) -> Iterator[Claim]:
    moved = last.shapes.get("moved by 1 px")
    for name, what in (("turned by 90°", "turns"), ("1.25 times as large", "changes of scale")):
        error = last.shapes.get(name)
        yield claim_above(
            f"Convolutions are not equivariant to {what}",
            "19.1",
            f"error {name} less that of 1 px, last map, circular",
            None if error is None or moved is None else _finite(error, moved, seed),
        )


def _finite(ours: Tensor, theirs: Tensor, seed: int) -> MeanInterval | None:
    if not bool(ours.isfinite().all() and theirs.isfinite().all()):
        return None
    return paired_difference(ours, theirs, seed=seed)


def _answer(vectors: Sequence[LayerFacts], coarsest: int, *, maps: bool) -> Iterator[Claim]:
    """What is said of the answer of a convolutional network; one without maps says nothing of it."""
    if not vectors:
        return
    answer = vectors[-1]
    there, here = (answer.moved.get(way, {}).get(coarsest) for way in (CIRCULAR, AS_IT_IS))
    yield claim_equal(
        "With circular padding the answer does not depend on the place",
        "19.1",
        f"change of {answer.name} by {coarsest} px, over its spread",
        None if there is None or not maps else there.mean,
        tolerance=ROUNDING,
        form=".1e",
    )
    yield claim_above(
        "As the network is, its answer is only roughly invariant",
        "19.1",
        f"change of {answer.name} by {coarsest} px, over its spread",
        here if maps else None,
        than=ROUNDING,
    )
