"""Networks on the same images, arranged: measures, which differences may be chance, and the images that tell."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from cnnlab.evaluation.compare import Comparison, config_blocks, curves_figure, listed
from cnnlab.evaluation.report import reliability_figure, span, sureness
from cnnlab.evaluation.side_by_side import ClassRow, Contestant, Pair, Scored, SideBySide
from cnnlab.network.asked_data import of_part
from cnnlab.stats.confidence import Interval
from cnnlab.stats.paired import PairedCounts
from cnnlab.view.blocks import Block, Cell, Column, Figure, Report, Section, Table, Text
from cnnlab.view.drawings import Bars, Gallery, tile

MOST_BARS = 40
"""Classes in a figure."""

MOST_SENTENCES = 3
"""Pairs that are told in a sentence each."""

_SHARE = "0.1%"


def side_by_side_report(
    facts: SideBySide,
    runs: Comparison | None = None,
    *,
    images: Tensor | None = None,
    paths: Sequence[str] | None = None,
) -> Report:
    """The report of a comparison.

    Arguments:
        facts: the networks on the same images.
        runs: of those among them that are runs, their trainings.
        images: all images, uint8 (n, c, h, w), to show those on which the networks differ.
        paths: the file of each image, where it is one.
    """
    names = [one.name for one in facts.networks]
    blocks: list[Block] = [_networks(facts), *_cautions(facts), *_sentences(facts), _accuracies(facts)]
    blocks.append(Section("Pairs", _pairs(facts), "pairs"))
    blocks.append(Section("Classes", _classes(facts), "classes"))
    if facts.disputed:
        blocks.append(Section("Where they differ most", _disputed(facts, images, paths), "disputed"))
    blocks.append(Section("Calibration", _calibration(facts), "calibration"))
    if runs is not None and (trained := _trainings(runs)):
        blocks.append(Section("Trainings", trained, "trainings"))
    lead = (
        f"{facts.n:,} images of {of_part(facts.split)}, {len(facts.classes)} classes; the same images for each "
        "network, prepared in its own way."
    )
    return Report(f"Comparison of {listed(names)} on {facts.split}", tuple(blocks), lead)


def side_by_side_document(facts: SideBySide, runs: Comparison | None = None) -> dict[str, Any]:
    """The JSON document of `cnnlab compare --json`: shares 0 … 1, loss in nats, NaN where undefined."""
    names = [one.name for one in facts.networks]
    return {
        "split": facts.split,
        "n": facts.n,
        "classes": list(facts.classes),
        "networks": [_network_document(one) for one in facts.networks],
        "pairs": [
            {"first": names[pair.first], "second": names[pair.second]}
            | _counts_document(pair.counts)
            | {"same_answer": pair.same_answers, "p": pair.counts.p, "p_holm": pair.p_adjusted}
            for pair in facts.pairs
        ],
        "per_class": [
            {
                "class": row.name,
                "n": row.n,
                "recalls": dict(zip(names, row.recalls, strict=True)),
                "against_first": {
                    name: None if counts is None else _counts_document(counts)
                    for name, counts in zip(names[1:], row.against_first, strict=True)
                },
            }
            for row in facts.per_class
        ],
        "disputed": [
            {
                "image": one.index,
                "truth": facts.classes[one.truth],
                "answers": {name: facts.classes[answer] for name, answer in zip(names, one.answers, strict=True)},
                "p_truth": dict(zip(names, one.p_truth, strict=True)),
            }
            for one in facts.disputed
        ],
        "trainings": None if runs is None else runs.as_json(),
    }


def _network_document(scored: Scored) -> dict[str, Any]:
    one, facts = scored.contestant, scored.facts
    return {
        "name": one.name,
        "weights": one.weights,
        "trained": one.trained,
        "input": list(one.shape),
        "preparation": one.preparation,
        "accuracy": facts.accuracy,
        "ci95": [facts.interval.low, facts.interval.high],
        "loss": facts.loss,
        "top5": facts.top5,
        "macro_f1": facts.macro_f1,
        "ece": facts.calibration.ece,
        "mean_confidence": facts.calibration.mean_confidence,
        "parameters": one.cost.parameters,
        "macs": one.cost.macs,
        "macs_at_least": one.cost.macs_at_least,
        "learned_from": one.learned,
        "test_evaluations": one.test_evaluations,
    }


def _counts_document(counts: PairedCounts) -> dict[str, Any]:
    return {
        "both_right": counts.both,
        "first_only": counts.first_only,
        "second_only": counts.second_only,
        "both_wrong": counts.neither,
        "difference": counts.difference,
        "ci95": [counts.interval.low, counts.interval.high],
    }


def _networks(facts: SideBySide) -> Table:
    return Table(
        "Networks",
        (
            Column("network"),
            Column("accuracy", align="right", form=".2%"),
            Column("95 % interval", align="right"),
            Column("loss", "nats", "right", ".3f"),
            Column("calibration error", align="right", form=".2%"),
            Column("parameters", align="right", form=",d"),
            Column("MACs", "M", "right", ",.2f"),
            Column("input"),
            Column("weights"),
        ),
        tuple(
            (
                one.name,
                one.facts.accuracy,
                span(one.facts.interval.low, one.facts.interval.high),
                one.facts.loss,
                one.facts.calibration.ece,
                one.contestant.cost.parameters,
                None if one.contestant.cost.macs is None else one.contestant.cost.macs / 1e6,
                " × ".join(map(str, one.contestant.shape)),
                one.contestant.weights,
            )
            for one in facts.networks
        ),
        _at_least([one.contestant for one in facts.networks]),
        "networks",
    )


def _at_least(contestants: Sequence[Contestant]) -> str:
    names = [one.name for one in contestants if one.cost.macs_at_least]
    more = f" Of {listed(names)} there are more MACs, in operations that are not counted." if names else ""
    return f"MACs: multiply-accumulates for one image.{more}"


def _cautions(facts: SideBySide) -> list[Text]:
    """What makes an accuracy say less than it seems to."""
    found = []
    for one in (scored.contestant for scored in facts.networks):
        if not one.trained:
            found.append(Text(f"{one.name} is not trained: {one.weights}.", "caution", "untrained"))
        if one.learned:
            some = "all" if one.learned >= facts.n else f"{one.learned:,}"
            said = (
                f"{one.name} has learned from {some} of these {facts.n:,} images: its accuracy here is partly memory."
            )
            found.append(Text(said, "caution", "seen before"))
        if one.learned is None:
            said = f"The images that {one.name} was trained on are no longer there: these may be among them."
            found.append(Text(said, "caution", "not known"))
    return found


def _sentences(facts: SideBySide) -> list[Text]:
    if len(facts.pairs) <= MOST_SENTENCES:
        return [_sentence(pair, facts) for pair in facts.pairs]
    apart = sum(pair.beyond_chance for pair in facts.pairs)
    return [
        Text(
            f"of {len(facts.pairs)} pairs {apart or 'none'} differ{'s' * (apart == 1)} by more than the choice of "
            f"these {facts.n:,} images explains.",
            label="pairs",
        )
    ]


def _sentence(pair: Pair, facts: SideBySide) -> Text:
    """Who is ahead, by how much, and whether that may be chance."""
    ahead, behind = (pair.second, pair.first) if pair.counts.difference > 0 else (pair.first, pair.second)
    leader, follower = facts.networks[ahead].name, facts.networks[behind].name
    low, high = pair.counts.interval.low, pair.counts.interval.high
    if ahead == pair.first:
        low, high = -high, -low
    test = f"McNemar's exact test{', Holm' * (len(facts.pairs) > 1)}: {_p(pair.p_adjusted)}"
    lead = f"{leader} is {100 * abs(pair.counts.difference):.2f} points ahead of {follower}"
    if pair.counts.difference == 0:
        lead = f"{leader} and {follower} are level"
    lead += f", 95 % interval {_points(Interval(low, high))}"
    if pair.beyond_chance:
        return Text(f"{lead}: more than the choice of images explains ({test}).", "plain", "ahead")
    return Text(f"{lead}: these {facts.n:,} images do not tell them apart ({test}).", "caution", "close")


def _points(interval: Interval) -> str:
    return f"{100 * interval.low:+.2f} to {100 * interval.high:+.2f}".replace("-", "−")


def _p(p: float) -> str:
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def _accuracies(facts: SideBySide) -> Figure:
    scored = [one.facts for one in facts.networks]
    return Figure(
        "accuracies",
        "Accuracy",
        Bars(
            tuple(one.name for one in facts.networks),
            tuple(one.accuracy for one in scored),
            "accuracy (%)",
            low=tuple(one.interval.low for one in scored),
            high=tuple(one.interval.high for one in scored),
            percent=True,
        ),
        "Whiskers are 95 % intervals of each by itself. On the same images networks can differ by more than chance "
        "although their whiskers overlap: see the pairs.",
    )


def _pairs(facts: SideBySide) -> tuple[Block, ...]:
    names = [one.name for one in facts.networks]
    adjusted = len(facts.pairs) > 1
    differences = Table(
        "Differences of accuracy",
        (
            Column("first"),
            Column("second"),
            Column("second − first", align="right", form="+.2%"),
            Column("95 % interval", "points", "right"),
            Column("p", align="right", form=".2g"),
            *([Column("p by Holm", align="right", form=".2g")] if adjusted else []),
        ),
        tuple(
            (
                names[pair.first],
                names[pair.second],
                pair.counts.difference,
                _points(pair.counts.interval),
                pair.counts.p,
                *([pair.p_adjusted] if adjusted else []),
            )
            for pair in facts.pairs
        ),
        "p: McNemar's exact test on the images that one alone gets right"
        + (f", and after Holm's correction for {len(facts.pairs)} pairs" if adjusted else "")
        + ". Interval: Newcombe's for pairs. Neither knows that another seed moves the results, too.",
        "pairs",
    )
    agreement = Table(
        "Agreement",
        (
            Column("first"),
            Column("second"),
            Column("both right", align="right", form=",d"),
            Column("only the first", align="right", form=",d"),
            Column("only the second", align="right", form=",d"),
            Column("both wrong", align="right", form=",d"),
            Column("same answer", align="right", form=_SHARE),
        ),
        tuple(
            (
                *(names[pair.first], names[pair.second]),
                *(pair.counts.both, pair.counts.first_only, pair.counts.second_only, pair.counts.neither),
                pair.same_answers,
            )
            for pair in facts.pairs
        ),
        "Images that are answered rightly; the same answer may be right or wrong.",
        "agreement",
    )
    return differences, agreement


def _classes(facts: SideBySide) -> tuple[Block, ...]:
    names = [one.name for one in facts.networks]
    two = len(names) == 2
    table = Table(
        "Recall of each class",
        (
            Column("class"),
            Column("images", align="right", form=",d"),
            *(Column(name, align="right", form=_SHARE) for name in names),
            *((Column("second − first", align="right", form="+.1%"), Column("95 % interval", "points", "right")) * two),
        ),
        tuple((row.name, row.n, *row.recalls, *(_against(row) * two)) for row in facts.per_class),
        "The share of a class's images that is found; with few images in a class much is chance.",
        "classes",
    )
    figures = [
        figure for place, name in enumerate(names[1:]) if (figure := _class_figure(facts, place, name, names[0]))
    ]
    return *figures, table


def _against(row: ClassRow) -> tuple[float | None, str | None]:
    counts = row.against_first[0]
    return (None, None) if counts is None else (counts.difference, _points(counts.interval))


def _class_figure(facts: SideBySide, place: int, name: str, first: str) -> Figure | None:
    """The difference of recall in each class, the largest gain first; of many classes those that differ most."""
    found = [(row.name, row.against_first[place]) for row in facts.per_class]
    known = [(label, counts) for label, counts in found if counts is not None]
    known = sorted(known, key=lambda one: -abs(one[1].difference))[:MOST_BARS]
    known.sort(key=lambda one: -one[1].difference)
    rest = sum(row.n > 0 for row in facts.per_class) - len(known)
    more = f" {rest} classes that differ less are left out." if rest else ""
    return Figure(
        f"classes_{place + 2}",
        f"Recall of each class: {name} against {first}",
        Bars(
            tuple(label for label, _ in known),
            tuple(100 * counts.difference for _, counts in known),
            "difference of recall (points)",
            low=tuple(100 * counts.interval.low for _, counts in known),
            high=tuple(100 * counts.interval.high for _, counts in known),
            form="+.1f",
        ),
        f"Above 0: {name} finds more of the class. Whiskers are 95 % intervals for pairs, each class by itself.{more}",
    )


def _disputed(facts: SideBySide, images: Tensor | None, paths: Sequence[str] | None) -> tuple[Block, ...]:
    names = [one.name for one in facts.networks]
    blocks: list[Block] = []
    if images is not None:
        gallery = Gallery(
            tuple(tile(images[one.index]) for one in facts.disputed),
            tuple(
                f"{facts.classes[one.truth]}\n{' | '.join(f'{100 * p:.0f}' for p in one.p_truth)} %"
                for one in facts.disputed
            ),
            columns=min(6, len(facts.disputed)),
        )
        caption = f"Under each: the truth, and the probability that is given to it by {listed(names)}, in this order."
        blocks.append(Figure("disputed", "Images on which they differ most", gallery, caption))
    columns = [
        Column("image", align="right", form="d"),
        Column("truth"),
        *(Column(name) for name in names),
        *([] if paths is None else [Column("file")]),
    ]
    rows: list[tuple[Cell, ...]] = [
        (
            one.index,
            facts.classes[one.truth],
            *(f"{facts.classes[a]} ({100 * p:.0f} %)" for a, p in zip(one.answers, one.p_truth, strict=True)),
            *([] if paths is None else [paths[one.index]]),
        )
        for one in facts.disputed
    ]
    note = "Of each network the answer, and in parentheses the probability that it gives to the truth."
    blocks.append(Table("Answers", tuple(columns), tuple(rows), note, "disputed"))
    return tuple(blocks)


def _calibration(facts: SideBySide) -> tuple[Block, ...]:
    table = Table(
        "Confidence",
        (
            Column("network"),
            Column("calibration error", align="right", form=".2%"),
            Column("mean confidence", align="right", form=_SHARE),
            Column("accuracy", align="right", form=_SHARE),
            Column("in words"),
        ),
        tuple(
            (one.name, found.ece, found.mean_confidence, found.accuracy, sureness(found))
            for one in facts.networks
            for found in (one.facts.calibration,)
        ),
        name="calibration",
    )
    caption = "On the dashed line, of the images it is 80 % sure of 80 % are right; bars below it mean too sure."
    figures = [
        reliability_figure(f"reliability_{number}", f"Reliability of {one.name}", one.facts.calibration, caption)
        for number, one in enumerate(facts.networks, 1)
    ]
    return table, *figures


def _trainings(runs: Comparison) -> tuple[Block, ...]:
    curves = curves_figure(runs.compared)
    return *config_blocks(runs.compared, same=runs.same), *([] if curves is None else [curves])
