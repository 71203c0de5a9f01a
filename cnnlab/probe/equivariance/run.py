"""`cnnlab probe equivariance`: whether each layer's maps move as the image does, and what keeps them from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.network.asked_data import counted
from cnnlab.network.forward import capture_outputs, check_finite
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.probe.alteration import Alteration, alteration_of, altered, check_on
from cnnlab.probe.equivariance.claims import LastMap, claims_of
from cnnlab.probe.equivariance.facts import EquivarianceFacts, LayerFacts, Spoiled
from cnnlab.probe.equivariance.grid import Grid, grids
from cnnlab.probe.equivariance.measure import Around, Entering, Measurement, Movement, Turned, measure
from cnnlab.probe.equivariance.movement import band_limited, in_rows, noise
from cnnlab.runs.images import fixed_sample
from cnnlab.stats.claim import Claim
from cnnlab.stats.confidence import MeanInterval, bootstrap_mean

HALF = 0.5
"""Pixels of the shift that no pixel can make."""

SMALL = 64
"""Pixels of the longer side up to which images are small: every shift is made of them by default."""

EVERY = 8
"""The largest of these."""

MANY, FEW = 16, 4
"""Images by default: of small ones, and of others."""

SHAPES: Mapping[str, tuple[float, float]] = {
    "turned by 15°": (15, 1),
    "turned by 45°": (45, 1),
    "turned by 90°": (90, 1),
    "1.25 times as large": (0, 1.25),
    "0.8 times as large": (0, 0.8),
}
"""Turns in degrees and factors."""

VALUES = 2**27
"""Numbers that a batch may put out in all layers together: half a gibibyte."""

AS_IT_IS = Alteration()
CIRCULAR = Alteration(padding="circular")


@dataclass(frozen=True)
class _Pass:
    """One way in which the network runs over one set of images, and how these are moved."""

    alteration: Alteration
    images: Float[Tensor, "n c h w"]
    movements: Sequence[Movement]
    patterns: bool = False
    """Whether they are patterns in the middle of an empty image."""


@dataclass(eq=False)
class _Found:
    """The measurements, by the alteration, the movement, and whether it was of patterns."""

    by: dict[tuple[str, Movement, bool], Measurement] = field(default_factory=dict)

    def relative(
        self, alteration: str, movements: Sequence[Movement], layer: str, *, patterns: bool = False
    ) -> Float[Tensor, "n"] | None:
        """The error of each image, the mean over `movements`; None where one of them has none that is a number."""
        parts = []
        for one in movements:
            made = self.by.get((alteration, one, patterns))
            parts.append(None if made is None else made.relative(one, layer))
        known = [part for part in parts if part is not None and bool(part.isfinite().all())]
        return torch.stack(known).mean(0) if len(known) == len(movements) else None


def equivariance(
    network: Network,
    session: Session,
    *,
    split: Literal["train", "validation"] | None = None,
    count: int | None = None,
    shifts: Sequence[int] = (),
    what_if: Sequence[str] = (),
    depth: int | None = None,
) -> Iterator[Advance | EquivarianceFacts]:
    """Measure whether each layer's maps move as the image does, where they do not, and what keeps them from it.

    Arguments:
        network: opened with its values; its images are taken from its own data or the data it was opened with, and
            without any they are noise with the spectrum of photographs.
        session: the seed of the choice of images, and how many pass at a time.
        split: the part of the data; by default what was held out.
        count: images; by default 16, and 4 of those that are larger than 64 px.
        shifts: whole pixels; by default 1 to the largest stride, every one of small images, otherwise powers of two.
        what_if: further ways to run the network, each such as `padding=reflect` (see `alteration_of`).
        depth: how deep to go into layers of layers.

    Yields:
        How far the images are, and at last the facts.

    Raises:
        RequestError: for shifts that leave nothing of an image, and changes that are none.
        WorkError: where a layer puts out what is NaN or infinite.

    Example:
        >>> from torch import nn
        >>> conv = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, bias=False)).eval()
        >>> network = Network(name="conv", origin="module", model=conv, shape=(1, 16, 16), trained=False, weights="")
        >>> *_, facts = equivariance(network, Session(device_name="cpu"), count=2, shifts=[2])
        >>> [(one.axis, one.cells) for one in facts.layers[0].spoiled]
        [(0, (0, 1, 15)), (1, (0, 1, 15))]
    """
    wanted = [alteration_of(text) for text in what_if]
    if len(network.shape) != 3:
        raise RequestError(f"{network.name} takes inputs of {network.shape}: only images have rows and columns to move")
    layers = grids(network, depth)
    size = network.shape[1], network.shape[2]
    coarsest = round(max((s for one in layers for s in one.stride if s is not None), default=1.0)) or 1
    moved = _shifts(shifts, coarsest, size)
    number = count if count is not None else MANY if max(size) <= SMALL else FEW
    if number < 1:
        raise RequestError(f"`count` is {number}; expected 1 or more")
    images, told = _images(network, session, split, number)
    images = in_rows(images.to(network.device, next(network.model.parameters(), images).dtype))
    check_finite(capture_outputs(network.model, images[:1], [one.name for one in layers]), network.name)
    changed = _changed(network, layers, images[:1])
    for way in wanted:
        names = [one.name for one in layers]
        check_on(way, network.model, partial(capture_outputs, network.model, images[:1], names), network.name)
    ways = list(dict.fromkeys([*_ways(changed), *wanted]))
    passes = _passes(ways, images, moved, coarsest, session.seed)
    batch = max(1, min(session.max_batch, VALUES // max(1, sum(_numbers(one) for one in layers))))
    found = _Found()
    done, total = 0, sum(-(-len(images) // batch) * (1 + len(one.movements)) for one in passes)
    for one in passes:
        for step in measure(
            network.model, layers, one.images.split(batch), one.movements, one.alteration, ground=one.patterns
        ):
            if isinstance(step, Measurement):
                found.by |= {(one.alteration.name, movement, one.patterns): step for movement in one.movements}
            else:
                done += step
                yield Advance("moving images", done, total)
    facts = tuple(_layer(one, found, ways, moved, coarsest, session.seed, len(images)) for one in layers)
    yield EquivarianceFacts(
        name=network.name,
        weights=network.weights,
        images=told,
        count=len(images),
        size=size,
        coarsest=coarsest,
        shifts=moved,
        layers=facts,
        alterations={one.name: one.words for one in ways},
        changed=changed,
        claims=_claims(facts, layers, found, coarsest, session.seed, len(images)),
    )


def _shifts(asked: Sequence[int], coarsest: int, size: tuple[int, int]) -> tuple[int, ...]:
    """Those asked for, or the usual ones.

    Raises: RequestError for one that is none.
    """
    most = min(size) - 1
    for one in asked:
        if not 1 <= one <= most:
            raise RequestError(
                f"`shifts` {one}: expected whole pixels from 1 to {most}, for images of {size[0]} × {size[1]}"
            )
    if asked:
        return tuple(sorted({*asked}))
    if max(size) <= SMALL and coarsest <= EVERY:
        return tuple(range(1, min(EVERY, most) + 1))
    return tuple(2**power for power in range(coarsest.bit_length()) if 2**power <= most) or (1,)


def _images(
    network: Network, session: Session, split: Literal["train", "validation"] | None, count: int
) -> tuple[Tensor, str]:
    """Images as the network takes them, and what they are."""
    if network.has_images and network.prepared is not None:
        place = session.place
        part, whole = network.held_out(place) if split is None else (split, network.part(split, place))
        chosen = fixed_sample(whole, count, session.seed, "equivariance")
        return network.preparation.inputs(chosen.images), counted(len(chosen), network.named_part(part))
    seed = derive_seed(session.seed, "equivariance")
    return noise(
        count, (network.shape[0], network.shape[1], network.shape[2]), seed
    ), f"{count} images of noise with the spectrum of photographs"


def _changed(network: Network, layers: Sequence[Grid], images: Tensor) -> dict[str, int]:
    """How many operations pad, subsample and are activations."""
    with altered(Alteration("circular", "blur_pool", "identity")) as changed:
        capture_outputs(network.model, images, [one.name for one in layers])
    return dict(changed)


def _ways(changed: Mapping[str, int]) -> Iterator[Alteration]:
    """The network as it is, with circular padding, and then without each cause that it has, and without both."""
    pool: Literal["blur_pool"] | None = "blur_pool" if changed.get("pool") else None
    linear: Literal["identity"] | None = "identity" if changed.get("activation") else None
    yield AS_IT_IS
    yield CIRCULAR
    yield Alteration("circular", pool)
    yield Alteration("circular", None, linear)
    yield Alteration("circular", pool, linear)


def _passes(ways: Sequence[Alteration], images: Tensor, shifts: Sequence[int], coarsest: int, seed: int) -> list[_Pass]:
    smooth = band_limited(images)
    patterns = Turned(derive_seed(seed, "patterns"), len(images))
    few = sorted({1, coarsest})
    made = [
        _Pass(AS_IT_IS, images, [Entering(axis, one) for one in shifts for axis in (0, 1)]),
        *(_Pass(way, images, [Around(axis, one) for one in _of(way, shifts, few) for axis in (0, 1)]) for way in ways),
        *(_Pass(way, smooth, [Around(axis, HALF) for axis in (0, 1)]) for way in ways),
    ]
    turns = [one for movements in _shapes(coarsest, seed, len(images)).values() for one in movements]
    return [*made, _Pass(CIRCULAR, patterns.of_images(images, 0), turns, patterns=True)]


def _shapes(coarsest: int, seed: int, count: int) -> dict[str, list[Movement]]:
    """What is done to the patterns, by its name."""
    found = {f"moved by {pixels} px": _both(pixels) for pixels in sorted({1, coarsest})}
    drawn = derive_seed(seed, "patterns")
    return found | {name: [Turned(drawn, count, *shape)] for name, shape in SHAPES.items()}


def _of(way: Alteration, shifts: Sequence[int], few: Sequence[int]) -> Sequence[int]:
    return sorted({*shifts, *few}) if way == CIRCULAR else few


def _numbers(grid: Grid) -> int:
    return prod(grid.layout.size) if grid.layout is not None else 0


def _both(pixels: float | int) -> list[Movement]:
    return [Around(axis, pixels) for axis in (0, 1)]


def _layer(
    grid: Grid, found: _Found, ways: Sequence[Alteration], shifts: Sequence[int], coarsest: int, seed: int, count: int
) -> LayerFacts:
    spoiled = []
    for whole in shifts:
        for axis in (0, 1):
            move = Entering(axis, whole)
            made = found.by[AS_IT_IS.name, move, False]
            if (cells := made.spoiled(move, grid.name)) is not None:
                error = made.interior(move, grid.name)
                inside = len(grid.interior(whole, axis))
                spoiled.append(Spoiled(axis, whole, cells, inside, _mean(error), _mean(made.relative(move, grid.name))))
    moved: dict[str, dict[float, MeanInterval]] = {}
    for way in ways:
        by_shift: dict[float, MeanInterval] = {}
        for pixels in (HALF, *map(float, sorted({*shifts, 1, coarsest}))):
            errors = found.relative(way.name, _both(pixels), grid.name)
            if errors is not None:
                by_shift[pixels] = bootstrap_mean(errors, seed=seed)
        if by_shift:
            moved[way.name] = by_shift
    shapes = {}
    for name, movements in _shapes(coarsest, seed, count).items():
        errors = found.relative(CIRCULAR.name, movements, grid.name, patterns=True)
        if errors is not None:
            shapes[name] = bootstrap_mean(errors, seed=seed)
    layout = grid.layout
    return LayerFacts(
        name=grid.name,
        kind=grid.kind,
        output=() if layout is None else layout.size,
        stride=grid.stride,
        tokens="" if layout is None else layout.tokens,
        why=grid.why,
        spoiled=tuple(spoiled),
        moved=moved,
        shapes=shapes,
    )


def _mean(errors: Float[Tensor, "n"] | None) -> float | None:
    """None where an error is no number."""
    return None if errors is None or not bool(errors.isfinite().all()) else float(errors.mean())


def _claims(
    facts: Sequence[LayerFacts], layers: Sequence[Grid], found: _Found, coarsest: int, seed: int, count: int
) -> tuple[Claim, ...]:
    maps = [one for one in facts if one.is_map and one.moved]
    moved, shapes = {}, {}
    if maps:
        last = maps[-1].name
        for alteration, by_shift in maps[-1].moved.items():
            for pixels in by_shift:
                moved[alteration, pixels] = found.relative(alteration, _both(pixels), last)
        for name, movements in _shapes(coarsest, seed, count).items():
            shapes[name] = found.relative(CIRCULAR.name, movements, last, patterns=True)
    errors = LastMap(
        {key: one for key, one in moved.items() if one is not None},
        {key: one for key, one in shapes.items() if one is not None},
    )
    first = next((one for one in layers if one.layout is not None), None)
    return claims_of(facts, first, coarsest, errors, seed)
