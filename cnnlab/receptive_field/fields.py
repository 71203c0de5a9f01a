"""The receptive field of every layer of a network: on a canvas that is large enough, and at the image's own size.

The canvas gives r, S and P, which no border disturbs; the walk at the real size gives what is clipped there: boxes,
coverage, padding, gaps. On meta tensors a canvas of thousands of pixels costs no more than a small one. The network on
the canvas has to be the network in hand: as far as its code does there what it does at the image's size.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

from torch import nn

from cnnlab.core.memory import paused
from cnnlab.receptive_field.reading import Axis, read, remembering, same_ends
from cnnlab.walk.call import Gates
from cnnlab.walk.facts import Output, Walk
from cnnlab.walk.program import Difference
from cnnlab.walk.tag import Tag
from cnnlab.walk.walker import walk, walked

Reading = Callable[[Tag, tuple[int, ...]], tuple[Axis, ...]]
"""`read`, which may remember: what a layer puts out is often what another put in."""

Flag = Literal["global", "gaps", "misaligned", "varies", "channels", "clipped", "unread"]

_LADDERS = (32768, 8192, 2048, 512, 128), (32256, 8064, 2016, 672, 224)
"""Pixels by which a canvas exceeds the image: multiples of every common stride, so that padding which depends on the
image's size is the same on both; those of the second ladder also of 3 and 7."""
_FIRST = 2

_AREA = 2.4
"""How many times as long as the image a canvas can be that is given up for want of memory on a longer one, unless the
walk at the image's size is small: what grows as the area then costs about four times that walk."""

_SMALL = 2**20
"""Numbers up to which a walk is small."""

_VALUES_CANVAS = 768
"""The largest side of a canvas on which a network that looks at its values is run."""


@dataclass(frozen=True, eq=False)
class Field:
    """What the units of one layer's output see; pairs are (vertical, horizontal), in input pixels."""

    name: str
    kind: str
    depth: int
    leaf: bool
    output: tuple[int, ...]
    """The shape at the image's size, without the batch."""
    size: tuple[int, ...]
    """r; the whole axis where the layer is global."""
    exact: bool
    """False where every unit is clipped by the border of every image on which this network runs: r is a lower bound.
    An image at whose size it runs another program does not count."""
    sizes: tuple[tuple[int, int], ...]
    channels: tuple[tuple[int, int], ...]
    stride: tuple[float | None, ...]
    padding: tuple[float | None, ...]
    centre: tuple[float | None, ...]
    """Centre of the first unit: (r − 1)/2 − P, from 0 at the centre of the first pixel."""
    shortest: tuple[int, ...]
    """r along the shortest path (r_min)."""
    is_global: bool
    """Every unit sees the whole image, however large it is."""
    because: str | None
    """The layer that made it so."""
    box: tuple[tuple[int, int], ...]
    """(first, last) pixel of the central unit at the image's size, clipped, inclusive."""
    coverage: float
    """The share of the image inside that box, 0 … 1."""
    padded: float
    """The share of units whose field touches padding, 0 … 1. Padding around a map of a single row or column is not
    counted: along that axis nothing tells its units apart."""
    density: float
    """The share of the pixels inside the box that the unit really reads, 0 … 1."""
    unread: tuple[int, ...]
    """Rows and columns of the image that no unit of this layer reads."""
    misaligned: tuple[float, ...] | None
    """If paths meet in this layer's own code, how far their centres lie apart, in pixels."""
    read_at: tuple[int, ...]
    """The size of image at which r, S, P, r_min, c₀ and their ranges were read: a larger one, on which the network
    runs the same program, or the image's own."""

    @property
    def is_visible(self) -> bool:
        """Whether the image shows all of r: the central unit's box is as large."""
        return all(last - first + 1 == r for (first, last), r in zip(self.box, self.size, strict=True))

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What is out of the ordinary."""
        found: list[Flag] = ["global"] if self.is_global else []
        if self.density < 0.995 and not self.is_global:
            found.append("gaps")
        if self.misaligned and max(self.misaligned) > 0:
            found.append("misaligned")
        if any(low != high for low, high in self.sizes) and not self.is_global:
            found.append("varies")
        if any(low != high for low, high in self.channels) and not self.is_global:
            found.append("channels")
        if not self.exact:
            found.append("clipped")
        return tuple(found)


@dataclass(frozen=True, eq=False)
class Fields:
    """The fields of all layers, in the order in which they ran."""

    shape: tuple[int, ...]
    """(channels, height, width) of the image."""
    layers: tuple[Field, ...]
    walk: Walk
    """The walk at the image's own size."""
    canvases: tuple[Walk, ...]
    """Walks on larger images, as far as the network runs the same program there."""
    sources: Mapping[str, "Source"]
    """The walk from which r, S and P of each layer were read."""

    def __getitem__(self, name: str) -> Field:
        return next(field for field in self.layers if field.name == name)

    @property
    def differs(self) -> tuple[Difference, tuple[int, ...]] | None:
        """The place where the network runs something else on larger images, and how large they are; None if nowhere."""
        furthest = max(self.canvases, key=lambda canvas: len(canvas.outputs), default=None)
        return (furthest.differs, furthest.shape[1:]) if furthest and furthest.differs else None


@dataclass(frozen=True, eq=False)
class Source:
    """A layer's output in one of the walks."""

    output: Output
    walk: Walk


@paused()
def receptive_fields(model: nn.Module, shape: Sequence[int], *, ignore_gates: bool = False) -> Fields:
    """The receptive fields of every module's output for images of `shape` (channels, *spatial).

    A network that cannot run at this size gives the layers up to where it stops; `walk.failure` says why it does.
    """
    return _fields(model, shape, "ignored" if ignore_gates else "kept")[0]


@paused()
def fields_with_and_without_gates(model: nn.Module, shape: Sequence[int]) -> tuple[Fields, Fields]:
    """`receptive_fields` without `ignore_gates` and with it, of the same walks; one and the same without gates."""
    found = _fields(model, shape, "both")
    return found[0], found[-1]


def _fields(model: nn.Module, shape: Sequence[int], gates: Gates) -> list[Fields]:
    """The fields where gates are so treated; of both, with gates and without, where there are any."""
    read_once: Reading = remembering()
    real = walked(model, shape, bits=True, count=True, gates=gates)
    views, canvases = _views(real, real, gates), _canvases(model, real, gates, read_once)
    made = []
    for view, larger in zip(views, zip(*canvases, strict=True) if canvases else [()] * len(views), strict=True):
        layers, sources = [], {}
        for output in view.outputs:
            if output.tag is not None:
                source = _source(output, view, larger, read_once)
                sources[output.name] = source
                layers.append(field_of(output, view, source, read_once))
        made.append(Fields(tuple(shape), tuple(layers), view, larger, sources))
    return made


def _views(run: Walk, real: Walk, gates: Gates) -> tuple[Walk, ...]:
    """The walk, or if it follows both its halves; only the first where the one at the image's size met no gate."""
    return (run,) if gates != "both" else run.halves()[: 1 + real.gated]


def _named(views: Sequence[Walk]) -> Iterator[tuple[tuple[int, str], Output, Walk]]:
    for number, view in enumerate(views):
        for output in view.outputs:
            yield (number, output.name), output, view


def _canvases(model: nn.Module, real: Walk, gates: Gates, reading: Reading) -> list[tuple[Walk, ...]]:
    """Walks, in views, on which the central fields of the layers lie inside, as far as there are such.

    Each runs the program of `real` and stops where it would run another one, or where it would cost too much. Then
    others are tried, of 3 and 7 or smaller; larger ones while fields are clipped. Where the windows of the network add
    up to more than the first canvas, a larger one comes first, and that one only if the network does not run there.
    """
    ladders: tuple[tuple[int, ...], ...] = _LADDERS
    step = first = _FIRST
    if real.on_values:
        side = max(real.shape[1:])
        ladders = (tuple(margin for margin in (3 * side, side) if side + margin <= _VALUES_CANVAS),)
        step = first = len(ladders[0]) - 1
    elif _width(real) > min(real.shape[1:]) + ladders[0][_FIRST]:
        step -= 1
    found: list[tuple[Walk, ...]] = []
    vain: list[tuple[Walk, ...]] = []
    here = _views(real, real, gates)
    wanted = {name for name, output, _ in _named(here) if output.tag is not None}
    told = {name for name, output, view in _named(here) if _is_told(output, view, reading)}
    down = False
    ladder = largest = 0
    while wanted and largest <= step < len(ladders[ladder]):
        shape = (real.shape[0], *(side + ladders[ladder][step] for side in real.shape[1:]))
        tried = walk(model, shape, on_values=real.on_values, gates=gates, like=real)
        views = _views(tried, real, gates)
        found.append(views)
        wanted -= {name for name, output, _ in _named(views) if _is_inside(output, shape[1:], reading)}
        if tried.differs and wanted <= told:
            break
        if step < first and not vain and len(found) == 1 and (tried.differs or tried.over_budget):
            step = largest = first
            vain.append(found.pop())
        elif tried.differs and ladder + 1 < len(ladders):
            ladder += 1
        elif tried.differs or tried.over_budget:
            down = True
            if step < first:
                break  # it came up from smaller ones, which are there already
            step += 1
            if tried.over_budget and real.numbers > _SMALL:
                short = (_AREA - 1) * min(real.shape[1:])
                step = next((n for n in range(step, len(ladders[ladder])) if ladders[ladder][n] <= short), step)
        elif down or not wanted.intersection(name for name, _, _ in _named(views)):
            break
        else:
            step -= 1
    return found + vain


def _width(real: Walk) -> float:
    """About how wide the widest field is, in pixels: what windows in a chain add up to."""
    return max((output.tag.widened for output in real.outputs if output.tag is not None), default=0.0)


def _is_told(output: Output, run: Walk, reading: Reading) -> bool:
    """Whether this walk tells all of a layer's field: it lies inside, and so does a neighbour's."""
    if output.tag is None or not _is_inside(output, run.shape[1:], reading):
        return False
    return all(axis.whole or axis.stride is not None for axis in reading(output.tag, run.shape[1:]))


def _source(output: Output, real: Walk, canvases: Sequence[Walk], reading: Reading) -> Source:
    """The walk that tells a layer's r, S and P: the first on which no border clips it, or the largest.

    What is told of a canvas has to be what the walk at the image's own size says where nothing is clipped there: an
    adaptive pool, and indices that follow from the size, are another thing on a canvas though the program is the same.
    """
    best = Source(output, real)
    for canvas in canvases:
        large = canvas.output(output.name)
        if large is None or large.tag is None or not _agrees(output, real, large, canvas, reading):
            continue
        if _is_inside(large, canvas.shape[1:], reading):
            return Source(large, canvas)
        if canvas.shape[1] > best.walk.shape[1]:
            best = Source(large, canvas)
    return best


def _agrees(output: Output, real: Walk, large: Output, canvas: Walk, reading: Reading) -> bool:
    assert output.tag is not None
    assert large.tag is not None
    there = reading(large.tag, canvas.shape[1:])
    reaches = zip(output.tag.axes, large.tag.axes, there, real.shape[1:], canvas.shape[1:], strict=True)
    return all(axis.dim < 0 or axis.whole or same_ends(a, b, axis.dim, (m, n)) for a, b, axis, m, n in reaches)


def _is_inside(output: Output, sizes: tuple[int, ...], reading: Reading) -> bool:
    if output.tag is None:
        return True
    axes = zip(reading(output.tag, sizes), output.tag.because, strict=True)
    return all(axis.inside or axis.whole or because for axis, because in axes)


def field_of(output: Output, real: Walk, source: Source, reading: Reading = read) -> Field:
    """One layer's, from its output at the image's size and in the walk that tells its field."""
    assert output.tag is not None
    assert source.output.tag is not None
    here, there = reading(output.tag, real.shape[1:]), reading(source.output.tag, source.walk.shape[1:])
    reasons = source.output.tag.because
    whole = [axis.whole for axis in there]
    sides = real.shape[1:]
    size = tuple(side if all_ else axis.size for axis, side, all_ in zip(there, sides, whole, strict=True))
    box = tuple((axis.first, axis.last) for axis in here)
    return Field(
        name=output.name,
        kind=output.kind,
        depth=output.depth,
        leaf=output.leaf,
        output=output.shape[1:],
        size=size,
        exact=all(axis.inside or all_ for axis, all_ in zip(there, whole, strict=True)),
        sizes=tuple((n, n) if all_ else axis.sizes for axis, n, all_ in zip(there, sides, whole, strict=True)),
        channels=tuple((n, n) if all_ else axis.channels for axis, n, all_ in zip(there, sides, whole, strict=True)),
        stride=tuple(None if all_ else axis.stride for axis, all_ in zip(there, whole, strict=True)),
        padding=tuple(None if all_ else axis.padding for axis, all_ in zip(there, whole, strict=True)),
        centre=tuple(
            None if all_ or axis.padding is None else (axis.size - 1) / 2 - axis.padding
            for axis, all_ in zip(there, whole, strict=True)
        ),
        shortest=tuple(min(axis.shortest, r) for axis, r in zip(there, size, strict=True)),
        is_global=all(whole),
        because=next((because for because in reasons if because), None) if any(whole) else None,
        box=box,
        coverage=prod(max(0, last - first + 1) / side for (first, last), side in zip(box, sides, strict=True)),
        padded=1 - prod(1 - axis.padded for axis in here),
        density=prod(1.0 if axis.density is None else axis.density for axis in here),
        unread=tuple(axis.unread or 0 for axis in here),
        misaligned=_misaligned(source.output, source.walk),
        read_at=source.walk.shape[1:],
    )


def _misaligned(output: Output, run: Walk) -> tuple[float, ...] | None:
    found = [
        op.misaligned
        for op in run.operations[output.began : output.ended]
        if op.misaligned and op.layer == output.layer
    ]
    return tuple(max(values) for values in zip(*found, strict=True)) if found else None
