"""Filters of a convolution: how they look, what they are, and what of that is more than chance."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.inside.filters.bank import FilterFacts, NullBank
from cnnlab.inside.filters.families import PARAMETERS
from cnnlab.inside.filters.layer import filter_grid
from cnnlab.view.blocks import Block, Column, Figure, Number, Numbers, Report, Section, Table, Text, shown
from cnnlab.view.drawings import Bars, Curves, Gallery, Series

MOST_DRAWN = 64
SHORT = {"difference of gaussians": "DoG", "colour-opponent": "opponent"}
"""Names in tables and under figures, where the whole one leaves no room for the numbers."""
RANDOM_CHROMA = 2 / 3
"""Two of the three axes of colour: what random weights have across luminance."""


def filters_report(facts: FilterFacts) -> Report:
    """The report of one convolution."""
    evidence = facts.evidence
    blocks: list[Block] = [
        _headline(facts),
        Text(evidence.sentence, "note" if evidence.evidence else "caution", "" if evidence.evidence else "small"),
        _verdict(facts),
        _grid(facts),
        Section(
            "What families explain",
            (_families_figure(facts), *(_families_table(facts, null) for null in facts.nulls)),
        ),
        Section("What the filters are", (_kinds(facts), *_orientations(facts), _frequencies(facts), _each(facts))),
    ]
    n, c, h, w = facts.weights.shape
    weights = "learned weights" if facts.trained else "random weights: nothing was learned yet"
    lead = f"{n} filters of {c} × {h} × {w} (channels, height, width), {weights}."
    return Report(f"Filters of {facts.layer} of {facts.model}", tuple(blocks), lead)


def filters_json(facts: FilterFacts) -> dict[str, object]:
    """`--json`."""
    return {
        "model": facts.model,
        "trained": facts.trained,
        "layer": facts.layer,
        "shape": list(facts.weights.shape),
        "evidence": facts.evidence,
        "bank": facts.bank,
        "nulls": [
            {
                "name": null.name,
                "words": null.words,
                "bank": null.bank,
                "families": [vars(one) | {"rediscovered": one.rediscovered} for one in null.against],
                "gains": null.gains,
            }
            for null in facts.nulls
        ],
        "frequencies": facts.frequencies,
        "gains": facts.gains,
        "filters": facts.filters,
    }


def _headline(facts: FilterFacts) -> Numbers:
    bank, null = facts.bank, facts.nulls[0]
    gabor = next(one for one in null.against if one.family == "gabor")
    low, high = gabor.interval.low, gabor.interval.high
    nulls = ", ".join(f"{one.name} {shown(one.bank.component_share, '.0%')}" for one in facts.nulls)
    numbers = [
        Number("Gabor R²", gabor.mean, ".2f", detail=f"mean; {null.name} filters {gabor.null_mean:.2f}"),
        Number(
            "more than chance",
            gabor.difference,
            "+.2f",
            detail=f"95 % interval {shown(low, '+.2f')} to {shown(high, '+.2f')}, against {null.words}",
        ),
        Number("beyond chance", gabor.above, ".0%", detail="filters above 95 % of the null's; chance gives 5 %"),
        Number("one colour × pattern", bank.component_share, ".0%", detail=f"of the energy; {nulls}"),
    ]
    if bank.chroma is not None:
        detail = f"energy across luminance; random weights {shown(RANDOM_CHROMA, '.0%')}"
        numbers.append(Number("colour", bank.chroma, ".0%", detail=detail))
    return Numbers(tuple(numbers))


def _verdict(facts: FilterFacts) -> Text:
    null = facts.nulls[0]
    more = [one.family for one in null.against if one.rediscovered]
    if not more:
        return Text(f"No family explains more of these filters than of {null.words}.", "note", "rediscovered")
    names = ", ".join(more)
    return Text(f"{names}: explain more of these filters than of {null.words}.", "good", "rediscovered")


def _grid(facts: FilterFacts) -> Figure:
    n, c = facts.weights.shape[:2]
    drawn = min(n, MOST_DRAWN)
    captions = []
    for one in facts.filters[:drawn]:
        angle = "" if one.orientation is None else f" {one.orientation:.0f}°"
        kind = SHORT.get(one.kind, one.kind)
        captions.append(f"{one.index} · {kind}\nR² {one.explained[one.family]:.2f}{angle}")
    what = (
        "weights between each filter's least and largest"
        if c in (1, 3)
        else f"the first singular pattern of each filter over its {c} channels, between its least and largest value"
    )
    more = f"; the first {drawn} of {n}" if drawn < n else ""
    return Figure(
        "filters",
        f"Filters of {facts.layer}",
        Gallery(filter_tiles(facts.weights, facts.patterns)[:drawn], tuple(captions), columns=min(8, drawn)),
        f"{what[0].upper()}{what[1:]}, so that sizes are not compared{more}. Under each: its number, its kind, R² of "
        "its best family, and the direction of its stripes.",
    )


def filter_tiles(weights: Tensor, patterns: Tensor) -> tuple[NDArray[np.uint8], ...]:
    """Each filter from black (its least) to white; in colour where it has three channels, otherwise its pattern."""
    values = weights if weights.shape[1] in (1, 3) else patterns[:, None].float()
    grid = (255 * filter_grid(values)).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    return tuple(grid)


def _families_figure(facts: FilterFacts) -> Figure:
    null = facts.nulls[0]
    return Figure(
        "families",
        f"R² beyond that of {null.name} filters",
        Bars(
            tuple(f"{one.family} ({PARAMETERS[one.family]})" for one in null.against),
            tuple(one.difference for one in null.against),
            f"mean R² less that of {null.name} filters",
            tuple(one.interval.low for one in null.against),
            tuple(one.interval.high for one in null.against),
            form="+.3f",
        ),
        f"Against {null.words}; lines are 95 % intervals over both sets of filters, in brackets how many numbers are "
        "free in a fit. An interval that holds 0 is what chance gives.",
    )


def _families_table(facts: FilterFacts, null: NullBank) -> Table:
    columns = (
        Column("family"), Column("free", "", "right", "d"), Column("R²", "", "right", ".3f"),
        Column("of the energy", "", "right", ".0%"), Column(f"{null.name} R²", "", "right", ".3f"),
        Column("beyond", "", "right", "+.3f"), Column("from", "", "right", "+.3f"), Column("to", "", "right", "+.3f"),
    )  # fmt: skip
    rows = tuple(
        (
            SHORT.get(one.family, one.family), PARAMETERS[one.family], one.mean,
            facts.bank.energy_explained[one.family], one.null_mean, one.difference, one.interval.low,
            one.interval.high,
        )
        for one in null.against
    )  # fmt: skip
    return Table(
        f"Families, against {null.words}",
        columns,
        rows,
        "Free: numbers of the fit. R²: share of the energy of a filter's pattern, mean over filters. Of the energy: "
        "share of the whole layer's, all channels counted. From, to: 95 % interval of the difference.",
        f"families_{null.name}",
    )


def _kinds(facts: FilterFacts) -> Table:
    banks = [("these", facts.bank), *((null.name, null.bank) for null in facts.nulls)]
    columns = [Column("kind"), Column("filters", "", "right", "d")]
    columns += [Column(name, "", "right", ".0%") for name, _ in banks]
    return Table(
        "Kinds",
        tuple(columns),
        tuple((kind, count, *(bank.kinds[kind] / bank.n for _, bank in banks)) for kind, count in
              facts.bank.kinds.items()),
        "Shares of these filters, and of those that learned nothing: by the same rule some of those are edges, too.",
        "kinds",
    )  # fmt: skip


def _orientations(facts: FilterFacts) -> Sequence[Block]:
    counts = facts.bank.orientations
    if not sum(counts):
        return (Text("No filter is an edge or a grating, so that there are no orientations to count.", "note"),)
    step = 180 / len(counts)
    names = {0.0: " horizontal", 90.0: " vertical"}
    labels = tuple(f"{place * step:g}°{names.get(place * step, '')}" for place in range(len(counts)))
    bars = Bars(labels, tuple(map(float, counts)), "filters", form=".0f")
    caption = f"{sum(counts)} edges and gratings by the direction of their stripes, counter-clockwise."
    return (Figure("orientations", "Directions of stripes", bars, caption),)


def _frequencies(facts: FilterFacts) -> Figure:
    series = [Series("these filters", facts.frequencies, facts.gains)]
    series += [Series(null.name, facts.frequencies, null.gains, "dashed") for null in facts.nulls]
    return Figure(
        "frequencies",
        "Which spatial frequencies pass",
        Curves(
            tuple(series),
            "spatial frequency (cycles per pixel)",
            "mean gain (% of each filter's peak)",
            percent=True,
            y_range=(0.0, 1.0),
        ),
        "Over all directions; ½ is the finest wave that pixels can hold (Nyquist).",
    )


def _each(facts: FilterFacts) -> Table:
    columns = (
        Column("filter", "", "right", "d"), Column("kind"), Column("family"), Column("R²", "", "right", ".2f"),
        Column("stripes", "°", "right", ".0f"), Column("Gabor R²", "", "right", ".2f"),
        Column("one pattern", "", "right", ".0%"), Column("band"), Column("energy", "", "right", ".3g"),
    )  # fmt: skip
    rows = tuple(
        (
            one.index, one.kind, SHORT.get(one.family, one.family), one.explained[one.family], one.orientation,
            one.gabor.explained, one.component_share, one.band.band, one.energy,
        )
        for one in facts.filters
    )  # fmt: skip
    note = (
        "R²: of the family that is best once its free numbers are paid for. Stripes: their direction, "
        "counter-clockwise from the horizontal. One pattern: share of the filter that is one colour times one pattern. "
        "Energy: Σw²."
    )
    return Table("Each filter", columns, rows, note, "each_filter")
