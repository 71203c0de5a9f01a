"""How far maps of a moved image are from the moved maps of the image, layer by layer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from cnnlab.network.forward import capture_outputs
from cnnlab.probe.alteration import Alteration, altered
from cnnlab.probe.equivariance.grid import Grid
from cnnlab.probe.equivariance.movement import discs, entering_zeros, in_rows, scaled, shifted, turned

SPOILED = 1e-4
"""Differences up to this share of a map's root mean square are rounding."""


@runtime_checkable
class Movement(Protocol):
    """A movement of images, and the same of maps."""

    def of_images(self, images: Tensor, first: int) -> Tensor:
        """A batch of images, moved; `first` is the number of the first of them."""

    def of_maps(self, maps: Tensor, grid: Grid) -> Tensor | None:
        """The maps of the images, moved; None where the map cannot be moved so."""


@dataclass(frozen=True)
class Around:
    """A shift by pixels down (axis 0) or to the right (axis 1); what leaves on one side comes in on the other."""

    axis: int
    pixels: float | int

    def of_images(self, images: Tensor, first: int) -> Tensor:
        """As the class says."""
        return shifted(images, self.pixels, self.axis)

    def of_maps(self, maps: Tensor, grid: Grid) -> Tensor | None:
        """By as many cells; None of maps whose cells do not go around the image as the pixels do."""
        cells = grid.move(self.pixels, self.axis)
        return None if cells is None or not grid.closes(self.axis) else shifted(maps, cells, self.axis)


@dataclass(frozen=True)
class Entering:
    """A shift by whole pixels, zeros coming in; of the maps those cells count that see nothing else than before."""

    axis: int
    pixels: int

    def of_images(self, images: Tensor, first: int) -> Tensor:
        """As the class says."""
        return entering_zeros(images, self.pixels, self.axis)

    def of_maps(self, maps: Tensor, grid: Grid) -> Tensor | None:
        """By whole cells, around; None where there is no whole number of them."""
        cells = grid.fits(self.pixels, self.axis)
        return None if cells is None else maps.roll(cells, 2 + self.axis)


@dataclass(frozen=True)
class Turned:
    """The patterns of `discs`, turned counter-clockwise and enlarged."""

    seed: int
    count: int
    """Of all patterns."""
    degrees: float | int = 0.0
    factor: float | int = 1.0

    def of_images(self, images: Tensor, first: int) -> Tensor:
        """The same patterns as `images`, drawn anew."""
        channels, height, width = images.shape[1:]
        made = discs(self.count, (channels, height, width), self.seed, degrees=self.degrees, factor=self.factor)
        return made[first : first + len(images)].to(images)

    def of_maps(self, maps: Tensor, grid: Grid) -> Tensor | None:
        """About the image's centre; None of maps that are no square."""
        row, column = grid.middle(0), grid.middle(1)
        if row is None or column is None or maps.shape[2] != maps.shape[3] or grid.image[0] != grid.image[1]:
            return None
        made = turned(maps, self.degrees, (row, column))
        return made if self.factor == 1 else scaled(made, self.factor, (row, column))


@dataclass(eq=False)
class Errors:
    """What one movement did at one layer, over the images of all batches."""

    relative: list[Float[Tensor, "n"]] = field(default_factory=list)
    """‖f(Tx) − Tf(x)‖ / ‖Tf(x) − its channels' means‖ of each image, over all of the map, or over what was in it before
    where zeros come in: 0 where the map moves as the image does, about √2 where it has nothing to do with it. Of what
    is no map the change alone, not yet divided by the spread over images."""
    interior: list[Float[Tensor, "n"]] = field(default_factory=list)
    """The same over the interior of a shift with zeros coming in."""
    spoiled: Bool[Tensor, "cells"] | None = None
    """Which rows or columns differ anywhere."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """The errors of a network with one alteration, by movement and layer."""

    errors: Mapping[Movement, Mapping[str, Errors]]
    spread: Mapping[str, float]
    """Of each layer that is no map: the root mean square of its distance to its mean over the images."""

    def relative(self, movement: Movement, layer: str) -> Float[Tensor, "n"] | None:
        """The error of each image; None where the layer has none for this movement."""
        return _joined(self.errors[movement].get(layer), "relative", self.spread.get(layer))

    def interior(self, movement: Movement, layer: str) -> Float[Tensor, "n"] | None:
        """The same over the interior."""
        return _joined(self.errors[movement].get(layer), "interior", None)

    def spoiled(self, movement: Movement, layer: str) -> tuple[int, ...] | None:
        """The rows or columns that the border spoils, from 0."""
        found = self.errors[movement].get(layer)
        return None if found is None or found.spoiled is None else tuple(found.spoiled.nonzero()[:, 0].tolist())


def _joined(found: Errors | None, name: str, spread: float | None) -> Float[Tensor, "n"] | None:
    parts = [] if found is None else getattr(found, name)
    if not parts:
        return None
    whole: Tensor = torch.cat(parts)
    return whole if spread is None else whole / spread


def measure(
    model: nn.Module,
    layers: Sequence[Grid],
    batches: Sequence[Float[Tensor, "n c h w"]],
    movements: Sequence[Movement],
    alteration: Alteration,
    *,
    ground: bool = False,
) -> Iterator[int | Measurement]:
    """Compare maps of moved images with moved maps.

    Arguments:
        model: in evaluation mode afterwards as before.
        layers: those that are compared.
        batches: of images as the network takes them.
        movements: what is done to the images.
        alteration: what the network does otherwise.
        ground: whether what the network makes of an image of zeros is taken off its maps first.

    Yields: the number of passes of each step; at last the errors.
    """
    names = [one.name for one in layers]
    errors: dict[Movement, dict[str, Errors]] = {movement: {} for movement in movements}
    vectors: dict[str, list[Tensor]] = {}
    with altered(alteration, model):
        empty = capture_outputs(model, torch.zeros_like(batches[0][:1]), names) if ground else {}
    first = 0
    for images in batches:
        with altered(alteration, model):
            before = capture_outputs(model, in_rows(images), names)
        yield 1
        for grid in layers:
            if grid.layout is None and _is_vector(before.get(grid.name), len(images)):
                vectors.setdefault(grid.name, []).append(before[grid.name].flatten(1).double())
        for movement in movements:
            moved = movement.of_images(images, first)
            with altered(alteration, model):
                after = capture_outputs(model, in_rows(moved), names)
            for grid in layers:
                if grid.name in before and grid.name in after:
                    _compare(grid, movement, before[grid.name], after[grid.name], empty, errors[movement])
            yield 1
        first += len(images)
    yield Measurement(errors, {name: _spread(torch.cat(parts)) for name, parts in vectors.items()})


def _is_vector(output: Tensor | None, count: int) -> bool:
    return output is not None and output.dim() >= 2 and len(output) == count


def _spread(vectors: Float[Tensor, "n d"]) -> float:
    """NaN for a single image."""
    if len(vectors) < 2:
        return float("nan")
    return float((vectors - vectors.mean(0)).square().sum(1).mean().sqrt())


def _compare(
    grid: Grid, movement: Movement, before: Tensor, after: Tensor, empty: Mapping[str, Tensor], found: dict[str, Errors]
) -> None:
    if grid.layout is None:
        if _is_vector(before, len(after)) and before.shape == after.shape:
            change = (after.double() - before.double()).flatten(1).norm(dim=1).cpu()
            found.setdefault(grid.name, Errors()).relative.append(change)
        return
    maps, there = grid.layout.maps(before), grid.layout.maps(after)
    if grid.name in empty:
        flat = grid.layout.maps(empty[grid.name])
        maps, there = maps - flat, there - flat
    expected = movement.of_maps(maps, grid)
    if expected is None:
        return
    one = found.setdefault(grid.name, Errors())
    far = there.double() - expected.double()
    if not isinstance(movement, Entering):
        one.relative.append(_ratio(far, expected))
        return
    dim = 2 + movement.axis
    size = float(expected.double().square().mean().sqrt())
    across = tuple(d for d in range(4) if d != dim)
    bad = (far.abs().amax(across) > SPOILED * size).cpu()
    one.spoiled = bad if one.spoiled is None else one.spoiled | bad
    cells = grid.fits(movement.pixels, movement.axis) or 0
    first, count = max(0, cells), maps.shape[dim] - abs(cells)
    if count > 0:
        one.relative.append(_ratio(far.narrow(dim, first, count), expected.narrow(dim, first, count)))
    inside = torch.from_numpy(grid.interior(movement.pixels, movement.axis)).to(far.device)
    if len(inside):
        one.interior.append(_ratio(far.index_select(dim, inside), expected.index_select(dim, inside)))


def _ratio(far: Tensor, expected: Tensor) -> Float[Tensor, "n"]:
    """‖far‖ of each image over the variation of what was expected about its channels' means.

    0 where nothing is far, and NaN where something is and nothing varies.
    """
    expected = expected.double()
    varied = (expected - expected.mean((2, 3), keepdim=True)).flatten(1).norm(dim=1)
    length = far.flatten(1).norm(dim=1)
    return torch.where(length == 0, length, torch.where(varied == 0, torch.nan, length / varied)).cpu()
