"""A kernel on an image, as it is written: which way it points, its borders, and four ways to compute it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.characters import formatted
from cnnlab.layers_lab.kernel.borders import OUTSIDE, AtTheBorder
from cnnlab.layers_lab.kernel.claims import SYMMETRIC
from cnnlab.layers_lab.kernel.direction import Directions, turned
from cnnlab.layers_lab.kernel.run import KernelFacts
from cnnlab.layers_lab.kernel.timing import Timing
from cnnlab.layers_lab.parts import times_text
from cnnlab.view.blocks import Block, Cell, Column, Figure, Number, Numbers, Report, Section, Table, Text
from cnnlab.view.claims import claims_section
from cnnlab.view.drawings import Matrix, tile
from cnnlab.view.scenes import Point, Scene, Scenes

WRITTEN = 15
"""Rows and columns of a kernel that is written as numbers."""


def kernel_report(facts: KernelFacts) -> Report:
    """The facts in the order in which a lecture shows them."""
    subject, size = facts.subject, facts.subject.weights.shape
    pixels = " × ".join(map(str, subject.values.shape[-2:]))
    numbers = Numbers(
        (
            Number("kernel", " × ".join(str(side) for side in size[1:]), detail=_channels(int(size[0]))),
            Number("sum of its weights", float(subject.weights.sum()), ".4g", detail="what a constant becomes"),
            Number("odd share", facts.directions.odd_share, ".1%", detail="of Σw²: its sign turns with the kernel"),
            Number("slides over", pixels, detail=subject.what),
        )
    )
    blocks: list[Block] = [numbers, *(Text(remark, "note") for remark in subject.remarks)]
    blocks += _weights(facts)
    blocks.append(Section("Correlation and convolution", _both(facts), "directions"))
    blocks.append(Section("At the border", _borders(facts), "borders"))
    blocks.append(Section("Four ways to compute it", _ways(facts), "ways"))
    blocks.append(claims_section(facts.claims))
    return Report(_name(facts), tuple(blocks), _lead(facts.directions))


def kernel_json(facts: KernelFacts) -> dict[str, Any]:
    """`--json`: numbers in the unit of weight × pixel."""
    subject, directions, borders = facts.subject, facts.directions, facts.borders
    return {
        "title": _name(facts),
        "kernel": subject.kernel,
        "weights": subject.weights.tolist(),
        "sum": float(subject.weights.sum()),
        "image": subject.image,
        "input": list(subject.values.shape),
        "input_is": subject.what,
        "remarks": list(subject.remarks),
        "directions": {
            "border": directions.border,
            "odd_share": directions.odd_share,
            "largest": directions.largest,
            "at": [directions.row, directions.column],
            "correlation": directions.there[0],
            "convolution": directions.there[1],
            "difference": directions.difference,
            "sum": directions.sum,
            "reversed_share": directions.reversed_share,
            "similarity": directions.similarity,
        },
        "borders": [
            {"border": way.border, "size": list(way.output.shape), "frame": way.frame, "inside": way.inside}
            for way in borders.ways
        ],
        "spoiled": {
            "margins": list(borders.margins),
            "outputs": borders.spoiled,
            "share": borders.spoiled / borders.outputs,
            "largest": float(borders.spread.max()),
            "largest_inside": borders.spread_inside,
        },
        "ways": [
            {
                "input": list(timing.size),
                "multiplications": timing.multiplications,
                "largest_output": timing.scale,
                "agree": timing.agree,
                "of": [vars(way) for way in timing.ways],
            }
            for timing in (facts.crop, facts.whole)
        ],
        "claims": [claim.as_json() for claim in facts.claims],
    }


def _name(facts: KernelFacts) -> str:
    return f"{_title(facts.subject.kernel)} on {facts.subject.image}"


def _title(name: str) -> str:
    return name[0].upper() + name[1:]


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"


def _lead(found: Directions) -> str:
    """What turning the kernel by 180° does, as it was measured."""
    if found.largest == 0:
        return "The output is 0 everywhere, so nothing can be told from it."
    if found.odd_share >= 1 - SYMMETRIC:
        return "Turned by 180° the kernel is its own negative: true convolution reverses every sign."
    if found.odd_share <= SYMMETRIC:
        return "Turned by 180° the kernel is itself: correlation and true convolution are the same."
    return "Turned by 180° the kernel is another one: correlation and true convolution differ."


def _weights(facts: KernelFacts) -> list[Block]:
    """The kernel as numbers, one channel beside the other as far as they fit."""
    weights = facts.subject.weights
    if weights.shape[0] > 1 or max(weights.shape[1:]) > WRITTEN:
        return []
    ahead, back = weights[0].numpy(), turned(weights)[0].numpy()
    rows = tuple(map(str, range(1, 1 + ahead.shape[0])))
    columns = tuple(map(str, range(1, 1 + ahead.shape[1])))
    return [
        Figure(name, title, Matrix(values, rows, columns, "row", "column", "weight", form=".3g", diverging=True))
        for name, title, values in (
            ("kernel", "The kernel as frameworks slide it (correlation)", ahead),
            ("kernel_turned", "The kernel as convolution slides it: turned by 180°", back),
        )
    ]


def _both(facts: KernelFacts) -> tuple[Block, ...]:
    found, subject = facts.directions, facts.subject
    ahead, back = found.correlation.numpy(), found.convolution.numpy()
    point = (Point(found.row, found.column),) if found.largest > 0 else ()
    odd = found.sum < found.difference
    measured, rest = ("sum", ahead + back) if odd else ("difference", ahead - back)
    signed = bool((ahead < 0).any() or (back < 0).any())
    bound = max(float(np.abs(ahead).max()), float(np.abs(back).max()), 1e-30)
    scenes = (
        _image(subject.pixels),
        _output(ahead, "correlation", bound, signed=signed, points=point),
        _output(back, "convolution", bound, signed=signed, points=point),
        _output(rest, f"their {measured}", bound, signed=True, nothing=f"the {measured} is 0 everywhere"),
    )
    picture = Figure(
        "directions",
        f"{_title(subject.kernel)}: correlation and true convolution",
        Scenes(scenes, columns=2),
        f"The point is where the correlation is strongest. Border: {found.border} ({OUTSIDE[found.border]}).",
    )
    there = (
        f"At row {found.row}, column {found.column}, where it is strongest, correlation says "
        f"{_number(found.there[0])} and convolution {_number(found.there[1])}."
    )
    rows: list[tuple[Cell, ...]] = [
        ("largest |correlation|", found.largest),
        ("largest |correlation − convolution|", found.difference),
        ("largest |correlation + convolution|", found.sum),
        ("cosine between the two", found.similarity),
        ("signs reversed, of outputs above 1 % of the largest", found.reversed_share),
    ]
    columns = (Column("measured"), Column("value", "", "right", ".4g"))
    even = [side for side in subject.weights.shape[1:] if side % 2 == 0]
    note = (
        "A kernel with an even side has no middle pixel: it reads one pixel more below or to the right, turned or not."
        if even
        else ""
    )
    table = Table("Measured", columns, tuple(rows), note, "directions")
    return (picture, Text(there), table) if found.largest > 0 else (picture, table)


def _borders(facts: KernelFacts) -> tuple[Block, ...]:
    found = facts.borders
    least = min(float(way.output.min()) for way in found.ways)
    bound = max(float(way.output.abs().max()) for way in found.ways) or 1e-30
    scenes = [_output(way.output.numpy(), way.border, bound, signed=least < 0) for way in found.ways]
    scenes.append(
        Scene(
            (found.spread.shape[0], found.spread.shape[1]),
            heat=found.spread.numpy().astype(float),
            heat_label="largest − smallest output",
            alpha=1.0,
            interpolation="nearest",
            nothing="they are the same everywhere",
            title="where the four differ",
        )
    )
    picture = Figure("borders", "What lies outside of the image", Scenes(tuple(scenes), columns=3))
    top, bottom, left, right = found.margins
    where = f"at the top {top}, at the bottom {bottom} rows, on the left {left} and on the right {right} columns"
    spoiled = (
        f"In {found.spoiled:,} of {found.outputs:,} outputs ({found.spoiled / found.outputs:.1%}) the four padded ones "
        f"differ, by up to {_number(float(found.spread.max()))}. Windows leave the image {where}; "
        f"everywhere else the largest difference is {_number(found.spread_inside)}."
        if any(found.margins)
        else "A kernel of one pixel never leaves the image: the border makes no difference."
    )
    rows = tuple(_border_row(way) for way in found.ways)
    columns = (
        Column("border"), Column("outside lies"), Column("output"),
        Column("mean size in the frame", "", "right", ".4g"), Column("inside", "", "right", ".4g"),
    )  # fmt: skip
    note = "The frame: outputs whose window leaves the image. An edge that is stronger there is one that padding made."
    return (picture, Text(spoiled), Table("Borders", columns, rows, note, "borders"))


def _border_row(way: AtTheBorder) -> tuple[Cell, ...]:
    return way.border, OUTSIDE[way.border], " × ".join(map(str, way.output.shape)), way.frame, way.inside


def _ways(facts: KernelFacts) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for name, timing in (("crop", facts.crop), ("whole", facts.whole)):
        blocks.append(_timing(name, timing))
    slowest = next(way for way in facts.crop.ways if way.way == "loops")
    agree = facts.crop.agree and facts.whole.agree
    worst = max(facts.crop.worst, facts.whole.worst)
    said = "All agree" if agree else "They do not agree"
    blocks.insert(
        0,
        Text(
            f"{said}: the largest difference is {worst:.1e} of the largest output. Nested loops in Python take "
            f"{times_text(slowest.times_torch)} torch's time, for the same multiplications.",
            "good" if agree else "bad",
            "agreement" if agree else "disagreement",
        ),
    )
    return tuple(blocks)


def _timing(name: str, timing: Timing) -> Table:
    columns = (
        Column("way"), Column("time", "ms", "right", ".3g"), Column("× torch", "", "right"),
        Column("largest difference", "", "right", ".1e"),
    )  # fmt: skip
    rows = tuple((way.way, 1000 * way.seconds, times_text(way.times_torch), way.difference) for way in timing.ways)
    title = f"{timing.size[0]} × {timing.size[1]} pixels, {timing.multiplications:,} multiplications"
    note = "Median of 5 runs, without padding, in float32; the difference is from torch in float64." + (
        " A crop of the middle, small enough for the loops." if name == "crop" else ""
    )
    return Table(title, columns, rows, note, f"ways_{name}")


def _image(pixels: Tensor) -> Scene:
    image = tile(pixels)
    return Scene((image.shape[0], image.shape[1]), image=image, title="the image")


def _output(
    values: NDArray[Any], title: str, bound: float, *, signed: bool, nothing: str = "", points: tuple[Point, ...] = ()
) -> Scene:
    """In colours about 0; as an image where nothing is below 0: a blurred one is one."""
    size = (values.shape[0], values.shape[1])
    if not signed:
        grey = (255 * np.clip(values / max(bound, 1.0), 0, 1)).round().astype(np.uint8)[:, :, None]
        return Scene(size, image=grey, title=title, points=points)
    return Scene(
        size,
        heat=values.astype(float),
        heat_label="output (weight × pixel)",
        heat_scale="signed",
        heat_range=(-bound, bound),
        alpha=1.0,
        interpolation="nearest",
        nothing=nothing,
        title=title,
        points=points,
    )


def _number(value: float) -> str:
    return formatted(value + 0.0, ".4g")
