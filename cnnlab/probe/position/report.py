"""The report on what layers tell of places."""

from cnnlab.probe.position.facts import PositionFacts, PositionLayer
from cnnlab.view.blocks import Block, Column, Figure, Report, Table, Text, ends_of, interval_text, shown
from cnnlab.view.claims import claims_section
from cnnlab.view.drawings import Curves, Series
from cnnlab.view.layer_rows import size_text

FORM = ".2f"


def position_report(facts: PositionFacts) -> Report:
    """The depth, the maps, what is pooled, and the claims."""
    blocks: list[Block] = []
    if facts.maps:
        last = facts.maps[-1]
        said = ", ".join(f"{shown(last.told[way].mean, FORM)} {words}" for way, words in facts.alterations.items())
        blocks.append(
            Text(f"At the last map, {last.name}, a linear read-out tells the place of a cell with R² {said}.")
        )
        blocks += [_depth(facts), _table(facts, facts.maps, "Where a cell lies", "maps")]
    if facts.answers:
        blocks.append(
            _table(facts, facts.answers, "Where a pattern lies, from what has no rows and columns", "answers")
        )
    if facts.claims:
        blocks.append(claims_section(facts.claims))
    blocks.append(
        Text(
            "R²: 1 where places are told exactly, 0 or below where nothing is. A ridge regression is taught by one "
            "half of the images and judged by the other; the noise has no place, and the patterns lie a whole "
            "number of the coarsest cells apart, so that the border is all that can tell.",
            "note",
        )
    )
    lead = (
        f"{facts.count} images of noise and {facts.count} of patterns in {facts.places} places, "
        f"{size_text(facts.size)} px; {facts.weights}."
    )
    return Report(f"Does {facts.name} know where it is?", tuple(blocks), lead)


def _depth(facts: PositionFacts) -> Figure:
    series = []
    for way, words in facts.alterations.items():
        found = [one.told[way] for one in facts.maps]
        ends = [ends_of(mean) for mean in found]
        series.append(
            Series(
                words,
                tuple(float(number) for number in range(1, len(found) + 1)),
                tuple(mean.mean for mean in found),
                low=tuple(low for low, _ in ends),
                high=tuple(high for _, high in ends),
            )
        )
    label = f"layer (1: {facts.maps[0].name}, {len(facts.maps)}: {facts.maps[-1].name})"
    drawing = Curves(tuple(series), label, "R² of a cell's place", y_range=(None, 1.0))
    words = (
        "Read out of single cells, of noise that is the same everywhere. Bands: 95 % bootstrap intervals over images."
    )
    return Figure("position", "What each layer knows of where it is", drawing, words)


def _table(facts: PositionFacts, layers: tuple[PositionLayer, ...], title: str, name: str) -> Table:
    columns = (
        Column("layer"), Column("output"), *(Column(words, "", "right") for words in facts.alterations.values())
    )  # fmt: skip
    rows = [
        (one.name, one.output, *(interval_text(one.told[way], FORM) for way in facts.alterations)) for one in layers
    ]
    return Table(title, columns, tuple(rows), "R², with 95 % bootstrap intervals over images.", name)
