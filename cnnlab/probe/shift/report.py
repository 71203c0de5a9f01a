"""The report on networks whose images move: accuracy and changed answers against pixels, side by side."""

from collections.abc import Callable, Mapping

from cnnlab.probe.shift.facts import ShiftedNetwork, ShiftFacts
from cnnlab.stats.confidence import Interval, MeanInterval
from cnnlab.view.blocks import Block, Cell, Column, Figure, Report, Table, Text, ends_of, interval_text, shown
from cnnlab.view.claims import claims_section
from cnnlab.view.drawings import Curves, Panels, Series

FORM = ".1%"


def shift_report(facts: ShiftFacts) -> Report:
    """A sentence for each network, the curves, the table, and the claims."""
    blocks: list[Block] = [Text(_sentence(one, facts)) for one in facts.networks]
    blocks += [_curves(facts), _table(facts), _shifts(facts)]
    if facts.claims:
        blocks.append(claims_section(facts.claims))
    blocks.append(
        Text(
            "A network without convolutions is called dense, or locally connected where its windows have weights of "
            "their own at each place. Intervals of single shifts are Wilson's, the others bootstraps over images.",
            "note",
        )
    )
    lead = (
        f"Accuracy over {facts.images}, moved by up to {facts.most} px down, up, to the right and to the left; "
        f"{facts.border}."
    )
    names = dict.fromkeys(one.name for one in facts.networks)
    return Report(f"What a shift of the image does to {', '.join(names)}", tuple(blocks), lead)


def _sentence(one: ShiftedNetwork, facts: ShiftFacts) -> str:
    lost = facts.drops[one.label]
    far = [one.by_pixels[pixels].mean for pixels in (-facts.most, facts.most)]
    one_px = [one.flips[pixels].mean for pixels in (-1, 1)]
    return (
        f"{one.label} ({one.kind}, {one.parameters:,} parameters): {shown(one.accuracy, FORM)} where the images lie, "
        f"{shown(sum(far) / 2, FORM)} {facts.most} px away (lost: {interval_text(lost, FORM)}); a shift by one pixel "
        f"changes {shown(sum(one_px) / 2, FORM)} of the answers."
    )


def _curves(facts: ShiftFacts) -> Figure:
    panels = (
        _panel(facts, lambda one: one.by_pixels, "accuracy (%)", "Accuracy"),
        _panel(facts, lambda one: one.flips, "answers that change (%)", "Answers that change"),
    )
    words = (
        "Mean over shifts down and to the right (above 0) and up and to the left (below 0). Bands: 95 % bootstrap "
        "intervals over the images."
    )
    return Figure("shift", "Answers against the shift of the image", Panels(panels), words)


def _panel(
    facts: ShiftFacts, values: Callable[[ShiftedNetwork], Mapping[int, MeanInterval]], label: str, title: str
) -> Curves:
    series = []
    for number, one in enumerate(facts.networks):
        found = values(one)
        ends = [ends_of(mean) for mean in found.values()]
        series.append(
            Series(
                one.label,
                tuple(float(pixels) for pixels in found),
                tuple(mean.mean for mean in found.values()),
                "dashed" if one.altered else "line",
                low=tuple(low for low, _ in ends),
                high=tuple(high for _, high in ends),
                colour=number,
            )
        )
    return Curves(tuple(series), "shift (px)", label, percent=True, title=title)


def _table(facts: ShiftFacts) -> Table:
    most = facts.most
    columns = (
        Column("network"),
        Column("kind"),
        Column("parameters", "", "right", ",d"),
        Column("accuracy", "", "right", FORM),
        Column(f"lost {most} px away", "", "right"),
        Column("change by 1 px", "", "right", FORM),
        Column("consistency", "", "right"),
        Column("always right", "", "right"),
    )
    rows: list[tuple[Cell, ...]] = []
    for one in facts.networks:
        flips = (one.flips[-1].mean + one.flips[1].mean) / 2
        moved = ", shown moved images" if one.shown_moved else ""
        rows.append(
            (
                one.label,
                f"{one.kind}{moved}",
                one.parameters,
                one.accuracy,
                interval_text(facts.drops[one.label], FORM),
                flips,
                interval_text(one.consistency, FORM),
                _share(one.always_right, one.always_right_interval),
            )
        )
    note = (
        "Lost: accuracy where the images lie less that after the largest shift, over its four directions. Consistency: "
        "the share of pairs of shifts with the same answer. Always right: images that are right after every shift."
    )
    return Table("Networks side by side", columns, tuple(rows), note, "networks")


def _share(value: float, interval: Interval) -> str:
    return interval_text(MeanInterval(value, None, interval, 1), FORM)


def _shifts(facts: ShiftFacts) -> Table:
    columns = (
        Column("network"),
        Column("down", "px", "right", "d"),
        Column("right", "px", "right", "d"),
        Column("accuracy", "", "right"),
        Column("answers that change", "", "right"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            one.label,
            at.down,
            at.right,
            _share(at.accuracy, at.accuracy_interval),
            _share(at.flips, at.flips_interval),
        )
        for one in facts.networks
        for at in one.shifts
        if abs(at.down) + abs(at.right) in (0, facts.most)
    ]
    note = "None, and the largest in each direction; facts.json has all of them."
    return Table("Shift by shift", columns, tuple(rows), note, "shifts")
