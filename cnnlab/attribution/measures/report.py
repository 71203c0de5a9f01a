"""How far to trust maps, arranged: the verdict in a sentence, then every measure beside the controls."""

from collections.abc import Sequence
from typing import Any

from cnnlab.attribution.catalog import METHODS
from cnnlab.attribution.measures.comparison import FORM, OUTCOMES, Comparison, Outcome
from cnnlab.attribution.measures.summary import CurveSummary, MapSummary
from cnnlab.view.blocks import (
    Block,
    Cell,
    Column,
    Figure,
    Section,
    SummaryLine,
    Table,
    Text,
    Tone,
    interval_text,
    shown,
)
from cnnlab.view.contribution import Question
from cnnlab.view.drawings import Curves, Series

_TONES: dict[Outcome, Tone] = {
    "better than every control": "good",
    "better than chance": "caution",
    "not better than chance": "bad",
    "worse than chance": "bad",
    "too few images": "note",
}
_SHARE = ".1%"


def faithfulness_section(comparison: Comparison, *, target: str = "", suffix: str = "") -> Section:
    """What removing pixels and blocks does to the answers, beside three maps that know nothing of the network.

    target: which of several targets is measured; suffix: for the names of the files.
    """
    blocks: list[Block] = [*_sentences(comparison), _verdicts(comparison, f"against_controls{suffix}")]
    everything = (*comparison.methods, *comparison.controls)
    blocks += [
        _pixels(everything, f"pixels_removed{suffix}", road=comparison.percentiles is not None),
        _blocks(everything, f"blocks_removed{suffix}"),
        _kept(everything, f"shown_alone{suffix}"),
        _curves(everything, "deletion", suffix),
        _curves(everything, "insertion", suffix),
        _places(comparison, f"evidence{suffix}"),
    ]
    images = f"{comparison.n} image{'' if comparison.n == 1 else 's'}"
    title = f"How far to trust the maps ({images}{f', for {target}' if target else ''})"
    return Section(title, tuple(blocks))


def _sentences(comparison: Comparison) -> list[Text]:
    """A line for each outcome, the best first: which maps it is true of, when what is removed."""
    levels = list(dict.fromkeys(one.level for one in comparison.verdicts))
    said = []
    for outcome in OUTCOMES:
        parts = []
        for level in levels:
            names = [label(v.name) for v in comparison.verdicts if (v.outcome, v.level) == (outcome, level)]
            parts += [f"{level} removed: {', '.join(names)}"] if names else []
        if parts:
            said.append(Text("; ".join(parts), _TONES[outcome], outcome))
    return said


def _verdicts(comparison: Comparison, name: str) -> Table:
    columns = (
        Column("map"),
        Column("removed"),
        Column("beyond random", align="right"),
        Column("best control"),
        Column("beyond it", align="right"),
        Column("verdict"),
    )
    rows = tuple(
        (
            label(one.name),
            one.level,
            interval_text(one.beyond_chance, "+.2f"),
            one.control,
            interval_text(one.beyond_control, "+.2f"),
            one.outcome,
        )
        for one in comparison.verdicts
    )
    note = (
        "Differences of insertion − deletion, image by image, with 95 % bootstrap intervals: a map is better where "
        "the interval lies above 0. The controls know nothing of the network: random values, nearness to the centre, "
        "and the image's own edges. One that is better than chance alone may show no more than where objects lie."
    )
    return Table("Against chance and the best control", columns, rows, note, name)


def label(name: str) -> str:
    """A method as the field writes it; a control as what it is."""
    return METHODS[name].label if name in METHODS else f"control: {name}"


def _pixels(maps: Sequence[MapSummary], name: str, *, road: bool) -> Table:
    note = (
        "Areas under the probability of the target while pixels come into a blurred image (insertion, large is good) "
        "or go from the whole one (deletion, small is good), with 95 % bootstrap intervals over the images."
    )
    note += " ROAD: (least − most relevant removed)/2 with imputed pixels, large is good." if road else ""
    return _areas(maps, [one.pixels for one in maps], "Single pixels removed", note, name, road=road)


def _blocks(maps: Sequence[MapSummary], name: str) -> Table:
    unit = maps[0].blocks.unit
    note = "Fine noise in a map does not count here: whole squares are removed at a time."
    return _areas(maps, [one.blocks for one in maps], f"{unit[0].upper()}{unit[1:]} px removed", note, name)


def _areas(
    maps: Sequence[MapSummary], found: Sequence[CurveSummary], title: str, note: str, name: str, *, road: bool = False
) -> Table:
    columns = [
        Column("map"),
        Column("insertion", align="right", form=".3f"),
        Column("deletion", align="right", form=".3f"),
        Column("insertion − deletion", align="right"),
        *([Column("ROAD", align="right", form=FORM)] if road else []),
    ]
    rows: list[tuple[Cell, ...]] = []
    for one, areas in zip(maps, found, strict=True):
        last = (one.road.combined.mean,) if road and one.road is not None else ()
        cells = (label(one.name), areas.insertion.mean, areas.deletion.mean, interval_text(areas.gain, FORM))
        rows.append((*cells, *last))
    return Table(title, tuple(columns), tuple(rows), note, name)


def _kept(maps: Sequence[MapSummary], name: str) -> Table:
    columns = (Column("map"), Column("average drop", align="right"), Column("increase", align="right"))
    rows = tuple((label(m.name), interval_text(m.drop, _SHARE), interval_text(m.increase, _SHARE)) for m in maps)
    note = (
        "Drop: the share of the probability that is lost, small is good. Increase: in so many images it grows. A map "
        "that shows everything loses nothing."
    )
    return Table("Only what the map shows kept", columns, rows, note, name)


def _curves(maps: Sequence[MapSummary], which: str, suffix: str) -> Figure:
    def y(pixels: CurveSummary) -> tuple[float, ...]:
        values = pixels.deletion_curve if which == "deletion" else pixels.insertion_curve
        return tuple(values.tolist())

    series = tuple(
        Series(label(one.name), tuple((100 * one.pixels.fractions).tolist()), y(one.pixels),
               "dashed" if one.control else "line")
        for one in maps
    )  # fmt: skip
    words = {
        "deletion": ("Deletion: the strongest pixels go first", "pixels removed (%)", "A steep fall at once is good."),
        "insertion": ("Insertion: the strongest pixels come first", "pixels brought in (%)", "A steep rise is good."),
    }
    title, x_label, caption = words[which]
    caption += " Dashed: controls, which know nothing of the network."
    drawing = Curves(series, x_label, "probability of the target (%)", percent=True, y_range=(0.0, 1.0))
    return Figure(f"{which}{suffix}", title, drawing, caption)


def _places(comparison: Comparison, name: str) -> Table:
    known = comparison.object_area is not None
    columns = [Column("map")]
    if known:
        columns += [Column(what, align="right", form=_SHARE) for what in ("in the object", "peak hits")]
    columns += [
        Column("on the border", align="right", form=_SHARE),
        Column("in the corners", align="right", form=_SHARE),
        Column("strongest tenth", align="right", form=_SHARE),
        Column("Gini", align="right", form=".2f"),
    ]
    rows = []
    for one in (*comparison.methods, *comparison.controls):
        place = one.place
        where = [place.inside, place.pointing] if known else []
        cells = [*where, place.border, place.corner, place.top, place.gini]
        rows.append((label(one.name), *(None if mean is None else mean.mean for mean in cells)))
    uniform = [comparison.object_area, None] if known else []
    rows.append(("a uniform map", *uniform, comparison.border_area, comparison.corner_area, 0.1, 0.0))
    notes = [f"{label(one.name)}: {one.place.note}." for one in comparison.methods if one.place.note]
    note = "Shares of the positive evidence, means over the images that have any. The border: an eighth of each side."
    return Table("Where the evidence lies", tuple(columns), tuple(rows), " ".join([note, *notes]), name)


def evidence_line(comparison: Comparison, section: str) -> SummaryLine:
    """Tell where the first method's evidence lies: in the object, or on the border where the objects are not known."""
    one = comparison.methods[0]
    name, place = label(one.name), one.place
    if place.top is None or place.border is None:
        text = f"of {comparison.n} {name} maps has positive evidence."
        return SummaryLine(Question.LOOKS, text, "None", section, tone="bad")
    top, even = f"the strongest tenth of the pixels holds {shown(place.top.mean, '.0%')}", comparison.border_area
    if place.inside is not None and comparison.object_area is not None:
        area = comparison.object_area
        text = f"of the evidence of {name} lies in the object, which covers {shown(area, '.0%')} of the image; {top}."
        tone: Tone = "plain" if place.inside.mean > area else "caution"
        return SummaryLine(Question.LOOKS, text, shown(place.inside.mean, ".0%"), section, tone=tone)
    text = f"of the evidence of {name} lies on the border, where an even map has {shown(even, '.0%')}; {top}."
    tone = "plain" if place.border.mean <= even else "caution"
    return SummaryLine(Question.LOOKS, text, shown(place.border.mean, ".0%"), section, tone=tone)


def faithfulness_document(comparison: Comparison) -> dict[str, Any]:
    """The document for JSON: means with intervals of every map, the verdicts, and the conventions."""
    return {
        "n": comparison.n,
        "seed": comparison.seed,
        "steps": comparison.steps,
        "road": None
        if comparison.percentiles is None
        else {"percentiles": list(comparison.percentiles), "noise": comparison.road_noise},
        "areas": {
            "border": comparison.border_area,
            "corner": comparison.corner_area,
            "object": comparison.object_area,
        },
        "methods": {one.name: _summary(one) for one in comparison.methods},
        "controls": {one.name: _summary(one) for one in comparison.controls},
        "verdicts": [
            {
                "method": verdict.name,
                "level": verdict.level,
                "outcome": verdict.outcome,
                "control": verdict.control,
                "beyond_chance": verdict.beyond_chance,
                "beyond_control": verdict.beyond_control,
                "sentence": verdict.sentence,
            }
            for verdict in comparison.verdicts
        ],
    }


def _summary(one: MapSummary) -> dict[str, Any]:
    def areas(found: CurveSummary) -> dict[str, Any]:
        return {"deletion": found.deletion, "insertion": found.insertion, "gain": found.gain}

    return {
        "pixels": areas(one.pixels),
        "blocks": {"unit": one.blocks.unit, **areas(one.blocks)},
        "drop": one.drop,
        "increase": one.increase,
        "road": one.road,
        "place": one.place,
    }


def image_metrics(comparison: Comparison, method: str, index: int) -> dict[str, Any]:
    """What was measured of one image's map, and of the controls on the same image."""
    (one,) = (summary for summary in comparison.methods if summary.name == method)
    measured = _measured(one, index)
    return {**measured, "controls": {control.name: _measured(control, index) for control in comparison.controls}}


def _measured(one: MapSummary, index: int) -> dict[str, Any]:
    scores = one.images
    where = scores.placed
    found: dict[str, Any] = {
        "deletion": scores.pixels.deletion_area,
        "insertion": scores.pixels.insertion_area,
        "gain": scores.pixels.gain,
        "deletion_blocks": scores.blocks.deletion_area,
        "insertion_blocks": scores.blocks.insertion_area,
        "gain_blocks": scores.blocks.gain,
        "drop": scores.drop.drop,
        "increase": scores.drop.increase,
        "road_morf": None if scores.road is None else scores.road.morf.mean(1),
        "road_lerf": None if scores.road is None else scores.road.lerf.mean(1),
        "road": None if scores.road is None else scores.road.combined,
        "inside": where.inside,
        "pointing": where.hit,
        "border": where.border,
        "corner": where.corner,
        "top_tenth": where.top,
        "gini": where.gini,
    }
    unknown = () if bool(where.evident[index]) else ("inside", "border", "corner", "top_tenth", "gini")
    return {name: None if values is None or name in unknown else float(values[index]) for name, values in found.items()}
