"""What gets past the threshold of a network, arranged."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cnnlab.network.asked_data import counted, of_part
from cnnlab.rejection.facts import Rejecting, Told, Unseen
from cnnlab.stats.confidence import Interval, wilson_interval
from cnnlab.stats.separation import false_accepts
from cnnlab.view.blocks import Block, Cell, Column, Figure, Number, Numbers, Report, Table, Text, shown
from cnnlab.view.drawings import Curves, Gallery, Mark, Series

BINS = 30

FEW = 200
"""Accepted images below which a threshold holds for others within several points only."""


def reject_report(facts: Rejecting) -> Report:
    """The rule, each score's worth on each group of outsiders, the curve, and the outsiders that get in."""
    rule = facts.rejection
    whole = sum(one.n for one in facts.of_chosen)
    inside = sum(one.false_accepts for one in facts.of_chosen)
    numbers = Numbers(
        (
            Number("score", facts.label, detail=rule.score.name),
            Number(
                "threshold",
                rule.threshold,
                ".4g",
                detail=f"accepts {shown(rule.share, '.0%')} of the images it comes from",
            ),
            Number("outsiders that get in", inside / whole, ".1%", detail=f"{inside:,} of {whole:,}"),
        )
    )
    blocks: list[Block] = [numbers, Text(facts.chosen_by), _of_groups(facts.of_chosen)]
    if facts.unseen is not None:
        blocks.insert(2, Text(_of_unseen(facts.unseen)))
    blocks += [Text(sentence, "note") for sentence in (*_of_few(facts), *facts.left_out)]
    blocks += [_all_scores(facts), _curve(facts), _histogram(facts), *_admitted(facts)]
    lead = (
        f"The threshold comes from {counted(f'{facts.accepted:,}', facts.split)} alone, statistics of features from "
        f"{facts.train:,} training images as they enter {rule.layer}; {facts.weights}."
    )
    return Report(f"What {facts.model} takes for one of its classes", tuple(blocks), lead)


def _of_few(facts: Rejecting) -> list[str]:
    """A caution where the threshold comes from too few images to hold for others."""
    if facts.accepted >= FEW:
        return []
    interval = wilson_interval(round(facts.rejection.share * facts.accepted), facts.accepted)
    return [
        f"{facts.accepted:,} images are few to set a threshold by: of other images of the classes it may accept "
        f"{_span(interval, '.0%')}, where {shown(facts.rejection.share, '.0%')} was asked for."
    ]


def _of_unseen(unseen: Unseen) -> str:
    share, interval = shown(unseen.accepted / unseen.n, ".1%"), _span(unseen.interval, ".1%")
    return (
        f"Of {unseen.n:,} other images of {of_part(unseen.split)}, which played no part in it, {share} are accepted "
        f"(95 % interval {interval})."
    )


def _of_groups(measured: Sequence[Told]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            one.outsiders,
            one.n,
            one.auroc,
            _span(one.auroc_interval, ".3f"),
            one.false_accept_rate,
            _span(one.false_accept_interval, ".1%"),
        )
        for one in measured
    ]
    return Table(
        "Outsiders, which neither score nor threshold has seen",
        (
            Column("outsiders"), Column("images", "", "right", ",d"), Column("AUROC", "", "right", ".3f"),
            Column("95 % interval", "", "right"), Column("get in", "", "right", ".1%"),
            Column("95 % interval", "", "right"),
        ),
        tuple(rows),
        "AUROC: how often an accepted image has a larger score than an outsider; 0.5 is chance.",
        "outsiders",
    )  # fmt: skip


def _all_scores(facts: Rejecting) -> Table:
    groups = tuple(facts.theirs)
    rows: list[tuple[Cell, ...]] = []
    for name, label in facts.labels.items():
        its = {one.outsiders: one for one in facts.told if one.score == name}
        cells = [cell for group in groups for cell in (its[group].auroc, its[group].false_accept_rate)]
        rows.append((label, facts.choosing.get(name), *cells))
    columns = [Column("score"), Column("to choose by", "", "right", ".3f")]
    for group in groups:
        columns += [Column(group, "AUROC", "right", ".3f"), Column("get in", "", "right", ".1%")]
    note = "Each at a threshold of its own, from the same accepted images. To choose by: AUROC on the made blends."
    return Table("Every score", tuple(columns), tuple(rows), note, "scores")


def _curve(facts: Rejecting) -> Figure:
    shares = torch.linspace(0.5, 1.0, 51, dtype=torch.float64)
    series = tuple(
        Series(group, tuple(shares.tolist()), tuple(false_accepts(facts.ours, theirs, shares).tolist()))
        for group, theirs in facts.theirs.items()
    )
    drawing = Curves(
        series,
        "accepted share of the network's own images",
        "outsiders that get in (%)",
        percent=True,
        marks=(Mark(facts.rejection.share, "threshold"),),
        y_range=(0.0, 1.0),
    )
    return Figure("accepting", "What accepting more costs", drawing, f"By {facts.label}, as its threshold moves.")


def _histogram(facts: Rejecting) -> Figure:
    every = torch.cat([facts.ours, *facts.theirs.values()])
    # the ends of a score may lie far out: what is beyond them counts in the last bin
    low, high = torch.quantile(every, torch.tensor([0.005, 0.995], dtype=every.dtype)).tolist()
    low, high = min(low, facts.rejection.threshold), max(high, facts.rejection.threshold)
    high = high if high > low else low + 1

    def series(name: str, values: Tensor) -> Series:
        counts = torch.histc(values.clamp(low, high), BINS, low, high) / len(values)
        centres = low + (torch.arange(BINS) + 0.5) * (high - low) / BINS
        return Series(name, tuple(centres.tolist()), tuple(counts.tolist()))

    lines = (*(series(name, one) for name, one in facts.theirs.items()), series("accepted", facts.ours))
    drawing = Curves(
        lines, facts.label, "images of the group (%)", percent=True,
        marks=(Mark(facts.rejection.threshold, "threshold"),),
    )  # fmt: skip
    return Figure("histogram", "Scores", drawing, f"In {BINS} bins; left of the threshold an image is rejected.")


def _admitted(facts: Rejecting) -> tuple[Block, ...]:
    if not facts.admitted:
        return (Text("No outsider gets in.", "good"),)
    gallery = Gallery(
        tuple(one.image for one in facts.admitted),
        tuple(f"{one.name}\n→ {one.answer} {shown(one.probability, '.0%')}" for one in facts.admitted),
        columns=min(6, len(facts.admitted)),
    )
    caption = "Of each group those with the largest scores; below each what the network takes it for."
    return (Figure("admitted", "Outsiders that get in", gallery, caption),)


def _span(interval: Interval, form: str) -> str:
    return f"{shown(interval.low, form)} to {shown(interval.high, form)}"
