"""The report on a network's equivariance: where along the depth it is lost, and what each cause has to do with it."""

from collections.abc import Mapping, Sequence

import numpy as np

from cnnlab.probe.equivariance.claims import AS_IT_IS, CIRCULAR, ROUNDING
from cnnlab.probe.equivariance.facts import AXES, EquivarianceFacts, LayerFacts
from cnnlab.stats.confidence import MeanInterval
from cnnlab.view.blocks import Block, Cell, Column, Figure, Report, Section, Table, Text, interval_text, shown
from cnnlab.view.claims import claims_section
from cnnlab.view.drawings import Curves, Mark, Matrix, Series
from cnnlab.view.layer_rows import pair_text, size_text

FORM = ".1%"
ERROR = "relative error (%, 0: moves as the image does)"
MOST_ROWS = 24
"""Rows of a matrix that are still told apart."""


def equivariance_report(facts: EquivarianceFacts) -> Report:
    """Sentences first, then depth, causes, borders, turns, answers and claims."""
    blocks: list[Block] = [Text(sentence) for sentence in _sentences(facts)]
    if facts.maps:
        if any(one.moved for one in facts.maps):
            blocks += [_depth(facts), _causes(facts), _phases(facts)]
        blocks.append(_layers(facts))
        blocks += [Section("The border", (_border(facts),), "border"), _shapes(facts)]
    if facts.vectors:
        blocks.append(_answers(facts))
    blocks += [claims_section(facts.claims), *(Text(note, "note") for note in _notes(facts))]
    lead = (
        f"Measured over {facts.images}, {size_text(facts.size)} px, {facts.weights}. Errors are of maps of the moved "
        "image against the moved maps of the image, over the maps' own variation: 0 % where a map moves as the image "
        "does, about 140 % where it has nothing to do with it."
    )
    return Report(f"Do the maps of {facts.name} move with the image?", tuple(blocks), lead)


def _mean(layer: LayerFacts, way: str, pixels: float) -> float | None:
    found = layer.moved.get(way, {}).get(pixels)
    return None if found is None else found.mean


def _sentences(facts: EquivarianceFacts) -> list[str]:
    if not facts.maps:
        return [
            f"No layer of {facts.name} puts out a map of the image, so that nothing could move with it; whether its "
            "answers stay is told below."
        ]
    found = []
    last = facts.maps[-1]
    if not last.moved:
        return [
            f"The cells of {last.name} do not go once around the image ({size_text(last.output)}, "
            f"{pair_text(last.stride)} px apart): it is told for shifts by whole cells alone, with zeros coming in."
        ]
    padded, strided = _first(facts, AS_IT_IS, facts.coarsest), _first(facts, CIRCULAR, 1)
    if padded is None:
        found.append(f"A shift by {facts.coarsest} px, a whole number of cells of every layer, is kept by all layers.")
    else:
        around = _first(facts, CIRCULAR, facts.coarsest)
        if around is None:
            cause = ", to the border; with circular padding it is kept exactly"
        elif around is padded:
            cause = ", with circular padding as well: that is not the border's doing"
        else:
            cause = f", to the border; with circular padding from {around.name} on"
        found.append(
            f"A shift by {facts.coarsest} px, a whole number of cells of every layer, is lost from {padded.name} on"
            f"{cause}."
        )
    if strided is not None:
        found.append(
            f"A shift by one pixel is lost from {strided.name} on even without a border: its cells lie "
            f"{pair_text(strided.stride)} px apart."
        )
    errors = [(words, _mean(last, name, 1)) for name, words in facts.alterations.items()]
    told = ", ".join(f"{shown(error, FORM)} {words}" for words, error in errors if error is not None)
    found.append(f"At the last map, {last.name}, a shift by one pixel has an error of {told}.")
    return found


def _first(facts: EquivarianceFacts, way: str, pixels: float) -> LayerFacts | None:
    return next((one for one in facts.maps if (_mean(one, way, pixels) or 0.0) > ROUNDING), None)


def _curve(name: str, values: Sequence[MeanInterval | None]) -> Series:
    x = tuple(float(number) for number in range(1, len(values) + 1))
    low, high = [], []
    for one in values:
        interval = None if one is None else one.interval
        mean = float("nan") if one is None else one.mean
        low.append(mean if interval is None else interval.low)
        high.append(mean if interval is None else interval.high)
    means = tuple(None if one is None else one.mean for one in values)
    return Series(name, x, means, low=tuple(low), high=tuple(high))


def _strides(facts: EquivarianceFacts) -> tuple[Mark, ...]:
    found, before = [], 1.0
    for number, one in enumerate(facts.maps, 1):
        stride = one.stride[0]
        if stride is not None and stride > before:
            found.append(Mark(float(number), f"stride {stride:g}"))
            before = stride
    return tuple(found)


def _depth(facts: EquivarianceFacts) -> Figure:
    series = tuple(
        _curve(words, [one.moved.get(name, {}).get(1) for one in facts.maps])
        for name, words in facts.alterations.items()
    )
    drawing = Curves(series, _numbered(facts), ERROR, percent=True, marks=_strides(facts), y_range=(0.0, None))
    words = (
        "The image moves by one pixel, down and to the right, what leaves on one side coming in on the other. Each "
        "line is the same network with the same weights and one more cause taken away. Bands: 95 % bootstrap intervals."
    )
    return Figure("depth", "Where along the depth a shift by one pixel is lost", drawing, words)


def _numbered(facts: EquivarianceFacts) -> str:
    return f"layer (1: {facts.maps[0].name}, {len(facts.maps)}: {facts.maps[-1].name})"


def _causes(facts: EquivarianceFacts) -> Table:
    last = facts.maps[-1]
    shifts = sorted({0.5, 1.0, float(facts.coarsest)})
    columns = [Column("the network"), *(Column(f"{pixels:g} px", "", "right") for pixels in shifts)]
    rows = [
        (words, *(interval_text(last.moved.get(name, {}).get(pixels), FORM) for pixels in shifts))
        for name, words in facts.alterations.items()
    ]
    note = (
        f"{last.name}, {size_text(last.output)} with cells of {pair_text(last.stride)} px. The same weights "
        "throughout; half a pixel is a phase of each frequency, of images without the upper half of the frequencies, "
        "and a map moves by a part of a cell in the same way."
    )
    return Table("What keeps the last map from moving with the image", tuple(columns), tuple(rows), note, "causes")


def _phases(facts: EquivarianceFacts) -> Figure:
    some = _evenly(_different([one for one in facts.maps if one.moved]))
    shifts = sorted({pixels for one in some for pixels in one.moved.get(CIRCULAR, {}) if pixels >= 1})
    values = np.array(
        [[np.nan if (error := _mean(one, CIRCULAR, pixels)) is None else error for pixels in shifts] for one in some]
    )
    drawing = Matrix(
        values,
        tuple(f"{one.name}  S {pair_text(one.stride)}" for one in some),
        tuple(f"{pixels:g}" for pixels in shifts),
        "layer",
        "shift (px)",
        ERROR,
        percent=True,
        form=".0%",
    )
    words = (
        "With circular padding. A shift by a multiple of a layer's stride S is kept exactly; between them the cells "
        "fall on other places of what they subsample: aliasing."
    )
    return Figure("phases", "Which shifts each layer keeps", drawing, words)


def _different(maps: Sequence[LayerFacts]) -> list[LayerFacts]:
    """Without those that only repeat what the layer before them shows, as norms do."""
    found: list[LayerFacts] = []
    for one in maps:
        before = found[-1].moved.get(CIRCULAR, {}) if found else {}
        here = one.moved.get(CIRCULAR, {})
        same = here.keys() == before.keys() and all(abs(here[at].mean - before[at].mean) < ROUNDING for at in here)
        if not (found and same):
            found.append(one)
    return found


def _evenly(maps: Sequence[LayerFacts]) -> list[LayerFacts]:
    places = np.linspace(0, len(maps) - 1, min(MOST_ROWS, len(maps))).round().astype(int)
    return [maps[place] for place in dict.fromkeys(places.tolist())]


def _layers(facts: EquivarianceFacts) -> Table:
    whole, one = facts.coarsest, 1
    columns = (
        Column("layer"),
        Column("output"),
        Column("S", "px", "right"),
        Column("away from the border", "", "right", ".1e"),
        Column("with it", "", "right", FORM),
        Column(f"{whole} px", "", "right", FORM),
        Column(f"{whole} px, circular", "", "right", FORM),
        Column("1 px, circular", "", "right", FORM),
        Column("½ px, circular", "", "right", FORM),
    )
    rows: list[tuple[Cell, ...]] = []
    for layer in facts.maps:
        errors = [_mean(layer, AS_IT_IS, whole), *(_mean(layer, CIRCULAR, pixels) for pixels in (whole, one, 0.5))]
        rows.append(
            (layer.name, size_text(layer.output), pair_text(layer.stride), layer.interior, _whole(layer), *errors)
        )
    note = (
        "Away from the border: the largest error of the cells whose receptive field meets neither padding nor what "
        "came in from outside, over all shifts by whole cells; – where there is no such cell. With it: all cells that "
        "have been in the map before, by the smallest such shift, zeros coming in. The others: around the image."
    )
    return Table("Layer by layer", columns, tuple(rows), note, "layers")


def _whole(layer: LayerFacts) -> float | None:
    """The mean over both axes, of the smallest shift."""
    least = min((one.pixels for one in layer.spoiled), default=0)
    found = [one.whole for one in layer.spoiled if one.pixels == least and one.whole is not None]
    return sum(found) / len(found) if found else None


def ranges(cells: Sequence[int]) -> str:
    """`0–2, 15` of 0, 1, 2 and 15; `none` of nothing."""
    parts: list[list[int]] = []
    for cell in cells:
        if parts and cell == parts[-1][1] + 1:
            parts[-1][1] = cell
        else:
            parts.append([cell, cell])
    return ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in parts) or "none"


def _border(facts: EquivarianceFacts) -> Table:
    columns = (
        Column("layer"),
        Column("shift", "px", "right", "d"),
        *(Column(f"spoiled {name}") for name in AXES),
        *(Column(f"{name} inside", "", "right", "d") for name in AXES),
    )
    rows: list[tuple[Cell, ...]] = []
    for number, layer in enumerate(facts.maps):
        shifts = sorted({one.pixels for one in layer.spoiled})
        for pixels in shifts if number == 0 else shifts[:1]:
            by_axis = {one.axis: one for one in layer.spoiled if one.pixels == pixels}
            found = [by_axis.get(axis) for axis in (0, 1)]
            spoiled = [None if one is None else f"{ranges(one.cells)} of {layer.output[1 + one.axis]}" for one in found]
            rows.append((layer.name, pixels, *spoiled, *(None if one is None else one.interior for one in found)))
    note = (
        "Zeros come in where the image has moved away, as in the chapter's fragment; spoiled are the rows or columns "
        "that differ from the moved map. Inside: those that the receptive fields say nothing from outside can reach. "
        "The first layer with every shift, the others with the smallest that is a whole number of their cells."
    )
    return Table("What a shift spoils", columns, tuple(rows), note, "border")


def _shapes(facts: EquivarianceFacts) -> Section:
    names = list(dict.fromkeys(name for one in facts.maps for name in one.shapes))
    series = tuple(_curve(name, [one.shapes.get(name) for one in facts.maps]) for name in names)
    last = facts.maps[-1]
    columns = (Column("pattern"), Column(facts.maps[0].name, "", "right"), Column(last.name, "", "right"))
    rows = [(name, *(interval_text(one.shapes.get(name), FORM) for one in (facts.maps[0], last))) for name in names]
    note = (
        "Patterns without short waves in the middle of an empty image, with circular padding; turned and enlarged by "
        "what they are made of, the maps by their Fourier series, about the image's centre."
    )
    blocks: tuple[Block, ...] = (Table("Moved, turned and enlarged", columns, tuple(rows), note, "shapes"),)
    if series:
        drawing = Curves(series, _numbered(facts), ERROR, percent=True, marks=_strides(facts), y_range=(0.0, None))
        words = "Translation is what a convolution is made for; turns and sizes it has to learn."
        blocks = (Figure("shapes", "Shifts, turns and sizes along the depth", drawing, words), *blocks)
    return Section("Turns and sizes", blocks, "shapes")


def _answers(facts: EquivarianceFacts) -> Table:
    shifts = sorted({1.0, float(facts.coarsest)})
    ways = [(name, words) for name, words in facts.alterations.items() if name in (AS_IT_IS, CIRCULAR)]
    columns = (
        Column("layer"),
        Column("what it puts out"),
        *(Column(f"{pixels:g} px, {words}", "", "right") for _, words in ways for pixels in shifts),
    )
    rows = [
        (
            one.name,
            one.why,
            *(interval_text(one.moved.get(name, {}).get(pixels), FORM) for name, _ in ways for pixels in shifts),
        )
        for one in facts.vectors
    ]
    note = "The change by a shift over the spread between images: 0 where the answer does not depend on the place."
    return Table("Invariance: what has no rows and columns any more", columns, tuple(rows), note, "invariance")


def _notes(facts: EquivarianceFacts) -> list[str]:
    found = []
    tokens = [one for one in facts.maps if one.tokens]
    if tokens:
        found.append(f"{tokens[0].name} and {len(tokens) - 1} more layers put out {tokens[0].tokens}, read as its map.")
    away = [one.name for one in facts.layers if one.why and not one.moved]
    if away and facts.count == 1:
        found.append("One image has no spread, over which the change of an answer could be told; count 2 or more.")
    elif away:
        found.append(f"Not measured, since they put out no rows of numbers for an image: {', '.join(away)}.")
    open_ = [one for one in facts.maps if not one.moved]
    if open_:
        found.append(
            f"At {len(open_)} layers, {open_[0].name} among them, the cells do not go once around the image (their "
            "number times their distance is not its side): there, what is said of shifts by whole cells is all."
        )
    missing = [words for aspect, words in _MISSING.items() if not facts.changed.get(aspect)]
    if missing:
        found.append(f"The network {' and '.join(missing)}: there is nothing to take away.")
    return found


_MISSING: Mapping[str, str] = {
    "padding": "pads nothing",
    "pool": "subsamples nothing",
    "activation": "has no activation that is known",
}
