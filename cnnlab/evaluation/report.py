"""What an evaluation found, arranged: from the headline to the single image, and how far to trust the confidence."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from cnnlab.network.asked_data import of_part
from cnnlab.stats.calibration import Calibration
from cnnlab.stats.classification import Classification, ClassMeasures, GroupAccuracy
from cnnlab.stats.confidence import wilson_interval
from cnnlab.view.blocks import Block, Column, Figure, Number, Numbers, Report, Section, Table, Text, Tone, shown
from cnnlab.view.drawings import Bars, Gallery, Mark, Matrix, Reliability, tile

CONFUSION, CALIBRATION = "confusion", "calibration"
"""Keys of the sections that say which class is taken for which, and whether the confidence can be believed."""

MOST_CONFUSED = 10
"""Rows of the tables of confused classes."""

_SHARE = "0.1%"


def evaluation_report(
    facts: Classification,
    *,
    name: str,
    split: str,
    images: Tensor | None = None,
    paths: Sequence[str] | None = None,
    groups: Sequence[GroupAccuracy] = (),
    note: str = "",
    told: Sequence[Block] = (),
    beside: Sequence[Block] = (),
) -> Report:
    """The report of one evaluation.

    name: of the run; split: which images, in a word; images: all of them, uint8 [n, c, h, w], to show mistakes;
    paths: where each comes from, if files; note: how the answers were made, such as "averaged with the mirror image";
    told: what stands under the headline; beside: what belongs to the most confident mistakes.
    """
    blocks: list[Block] = [_headline(facts), *told]
    blocks.append(Section("Classes", (_per_class_figure(facts), _per_class_table(facts))))
    blocks.append(Section("Confusion", _confusion(facts), CONFUSION))
    if facts.mistakes:
        blocks.append(Section("The most confident mistakes", (*_mistakes(facts, images, paths), *beside)))
    blocks.append(Section("Calibration", calibration_blocks(facts), CALIBRATION))
    if groups:
        blocks.append(Section("Groups", _groups(groups, facts.accuracy)))
    lead = f"{facts.n:,} images of {of_part(split)}, {len(facts.classes)} classes." + (f" {note}" if note else "")
    return Report(f"Evaluation of {name} on {split}", tuple(blocks), lead)


def evaluation_document(facts: Classification, *, split: str) -> dict[str, Any]:
    """The JSON document of `cnnlab eval --json`: plain values, shares 0 … 1, loss in nats, NaN where undefined."""
    temperature = facts.temperature
    return {
        "split": split,
        "n": facts.n,
        "accuracy": facts.accuracy,
        "ci95": [facts.interval.low, facts.interval.high],
        "loss": facts.loss,
        "top5": facts.top5,
        "macro_f1": facts.macro_f1,
        "ece": facts.calibration.ece,
        "temperature": None
        if temperature is None
        else {
            "value": temperature.value,
            "fitted_on": temperature.fitted_on,
            "ece": None if facts.scaled is None else facts.scaled.ece,
        },
        "classes": list(facts.classes),
        "per_class": [
            {"class": c.name, "precision": c.precision, "recall": c.recall, "f1": c.f1, "support": c.support}
            for c in facts.per_class
        ],
        "confusion": facts.matrix.tolist(),
        "confused": [
            {"classes": [facts.classes[p.first], facts.classes[p.second]], "n": p.n}
            for p in facts.pairs[:MOST_CONFUSED]
        ],
    }


def _headline(facts: Classification) -> Numbers:
    interval = facts.interval
    numbers = [
        Number("accuracy", facts.accuracy, ".2%", detail=f"95 % interval {span(interval.low, interval.high)}"),
        Number("loss", facts.loss, ".3f", "nats", f"guessing: {np.log(len(facts.classes)):.3f}"),
        Number("macro F1", facts.macro_f1, ".2%", detail="each class counts the same"),
        Number("calibration error", facts.calibration.ece, ".2%", detail=sureness(facts.calibration)),
    ]
    if facts.top5 is not None:
        numbers.insert(1, Number("top-5 accuracy", facts.top5, ".2%", detail="the truth is among the first five"))
    return Numbers(tuple(numbers))


def _occurring(facts: Classification) -> tuple[tuple[ClassMeasures, ...], str]:
    """The classes to show, and what is left out: of many those that no image has and no answer names."""
    if len(facts.per_class) <= _MOST_BARS:
        return facts.per_class, ""
    found = tuple(c for c in facts.per_class if c.support or not np.isnan(c.precision))
    absent = len(facts.per_class) - len(found)
    return found, f" Left out: {absent:,} classes that no image has and no answer names." if absent else ""


def _per_class_table(facts: Classification) -> Table:
    shown, absent = _occurring(facts)
    return Table(
        "Each class against the rest",
        (
            Column("class"),
            Column("precision", align="right", form=_SHARE),
            Column("recall", align="right", form=_SHARE),
            Column("F1", align="right", form=_SHARE),
            Column("images", align="right", form=",d"),
        ),
        tuple((c.name, c.precision, c.recall, c.f1, c.support) for c in shown),
        "Precision: of the images called so, the share that is so. Recall: of those that are so, the share found."
        + absent,
        "per_class",
    )


def _per_class_figure(facts: Classification) -> Figure:
    shown, absent = _occurring(facts)
    ranked = sorted(shown, key=lambda c: (np.isnan(c.f1), -np.nan_to_num(c.f1), c.name))[:_MOST_BARS]
    rest = len(shown) - len(ranked)
    return Figure(
        "f1",
        "F1 of each class",
        Bars(
            tuple(c.name for c in ranked),
            tuple(c.f1 for c in ranked),
            "F1 (%)",
            percent=True,
            mark=Mark(facts.macro_f1, "mean"),
        ),
        "Harmonic mean of precision and recall; the best class first."
        + (f" {rest} more classes." if rest else "")
        + absent,
    )


_MOST_BARS = 40


def _confusion(facts: Classification) -> tuple[Block, ...]:
    counts = facts.matrix.numpy()
    support = counts.sum(1, keepdims=True)
    shares = np.divide(counts, support, out=np.zeros(counts.shape), where=support > 0)
    figure = Figure(
        "confusion",
        "Confusion matrix",
        Matrix(
            counts,
            facts.classes,
            facts.classes,
            row_title="truth",
            column_title="answer",
            colour_label="share of the true class (%)",
            shades=shares,
            percent=True,
            root=True,
        ),
        "A row is a true class, a column an answer; the number counts images, the colour is its share of the row.",
    )
    if not facts.pairs:
        return figure, Text("No image was called wrong.", "good")
    names = facts.classes
    pairs = Table(
        "Classes taken for one another",
        (
            Column("classes"),
            Column("mistakes", align="right", form=",d"),
            Column("first as second", align="right", form=",d"),
            Column("second as first", align="right", form=",d"),
        ),
        tuple(
            (f"{names[p.first]} – {names[p.second]}", p.n, p.first_as_second, p.second_as_first)
            for p in facts.pairs[:MOST_CONFUSED]
        ),
        _left_out(len(facts.pairs), "pairs"),
        "confused_pairs",
    )
    directed = Table(
        "What is called what",
        (
            Column("truth"),
            Column("answer"),
            Column("images", align="right", form=",d"),
            Column("share of the truth", align="right", form=_SHARE),
        ),
        tuple((names[c.truth], names[c.predicted], c.n, c.share) for c in facts.confusions[:MOST_CONFUSED]),
        _left_out(len(facts.confusions), "directions"),
        "confusions",
    )
    return figure, pairs, directed


def _left_out(n: int, what: str) -> str:
    return f"The first {MOST_CONFUSED} of {n} {what}." if n > MOST_CONFUSED else ""


def _mistakes(facts: Classification, images: Tensor | None, paths: Sequence[str] | None) -> tuple[Block, ...]:
    names = facts.classes
    blocks: list[Block] = []
    if images is not None:
        gallery = Gallery(
            tuple(tile(images[m.index]) for m in facts.mistakes),
            tuple(f"{names[m.truth]}\n→ {names[m.predicted]} {rounded(m.confidence)}" for m in facts.mistakes),
            columns=min(5, len(facts.mistakes)),
        )
        caption = "Under each: the truth, then the answer and how sure the network was of it."
        blocks.append(Figure("mistakes", "The most confident mistakes", gallery, caption))
    columns = [
        Column("image", align="right", form="d"),
        Column("truth"),
        Column("answer"),
        Column("sure of it", align="right", form=_SHARE),
        Column("sure of the truth", align="right", form=".2g"),
    ]
    rows = [(m.index, names[m.truth], names[m.predicted], m.confidence, m.p_truth) for m in facts.mistakes]
    if paths is None:
        table = Table("By number", tuple(columns), tuple(rows), "Counted from 0 within the part.", "mistakes")
    else:
        columns.append(Column("file"))
        table = Table("By file", tuple(columns), tuple((*row, paths[row[0]]) for row in rows), "", "mistakes")
    return *blocks, table


def rounded(share: float) -> str:
    """How sure an answer is, in per cent."""
    # A certainty of 100 % is what no network has; 99.97 % should not look like it.
    return "> 99 %" if share >= 0.995 else f"{100 * share:.0f} %"


def _groups(groups: Sequence[GroupAccuracy], accuracy: float) -> tuple[Block, ...]:
    figure = Figure(
        "groups",
        "Accuracy of each group",
        Bars(
            tuple(g.name for g in groups[:_MOST_BARS]),
            tuple(g.accuracy for g in groups[:_MOST_BARS]),
            "accuracy (%)",
            low=tuple(g.interval.low for g in groups[:_MOST_BARS]),
            high=tuple(g.interval.high for g in groups[:_MOST_BARS]),
            percent=True,
            mark=Mark(accuracy, "all images"),
        ),
        "The worst group first; whiskers are 95 % intervals.",
    )
    table = Table(
        "Accuracy of each group",
        (
            Column("group"),
            Column("accuracy", align="right", form=_SHARE),
            Column("95 % interval", align="right"),
            Column("images", align="right", form=",d"),
        ),
        tuple((g.name, g.accuracy, span(g.interval.low, g.interval.high), g.n) for g in groups),
        name="groups",
    )
    return figure, table


def span(low: float, high: float) -> str:
    """An interval of shares in per cent."""
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def calibration_blocks(facts: Classification) -> tuple[Block, ...]:
    """The reliability diagram, and what a temperature would change."""
    blocks: list[Block] = [
        reliability_figure(
            "reliability",
            "Reliability",
            facts.calibration,
            "On the dashed line, of the images it is 80 % sure of 80 % are right; bars below it mean too sure.",
        )
    ]
    if facts.temperature is None or facts.scaled is None:
        return tuple(blocks)
    t, before, after = facts.temperature, facts.calibration, facts.scaled
    advice = (
        f"Dividing the logits by {t.value:.3f} takes the calibration error "
        f"from {shown(before.ece, '.2%')} to {shown(after.ece, '.2%')}."
    )
    fitted = f" This temperature was fitted on {t.n:,} images: {t.fitted_on}."
    bound = " It lies at the end of the range searched: those images have no best temperature." if t.at_bound else ""
    tone: Tone = "caution" if t.at_bound else "good" if after.ece < before.ece else "plain"
    blocks.append(Text(advice + fitted + bound, tone, "temperature"))
    if after.ece < before.ece:
        caption = f"The same images with logits divided by {t.value:.3f}."
        blocks.append(reliability_figure("reliability_scaled", "Reliability at the fitted temperature", after, caption))
    return tuple(blocks)


def reliability_figure(name: str, title: str, calibration: Calibration, caption: str) -> Figure:
    """The reliability diagram of a calibration."""
    bins = calibration.bins
    drawing = Reliability(
        edges=(*(b.low for b in bins), bins[-1].high),
        confidence=tuple(b.confidence for b in bins),
        accuracy=tuple(b.accuracy for b in bins),
        counts=tuple(b.n for b in bins),
        error=calibration.ece,
    )
    return Figure(name, title, drawing, caption)


def sureness(calibration: Calibration) -> str:
    """Whether the network is too sure, in a few words; only where the accuracy's interval leaves its confidence out."""
    difference = calibration.mean_confidence - calibration.accuracy
    if abs(difference) < 0.005:
        return "about as sure as it should be"
    if not beyond_noise(calibration):
        n = sum(one.n for one in calibration.bins)
        return f"as sure as it should be, as far as {n:,} image{'s' * (n > 1)} can tell"
    return f"too {'sure' if difference > 0 else 'unsure'} by {100 * abs(difference):.1f} points"


def beyond_noise(calibration: Calibration) -> bool:
    """Whether the mean confidence differs from the accuracy, and lies outside of its interval."""
    n = sum(one.n for one in calibration.bins)
    interval = wilson_interval(round(calibration.accuracy * n), n)
    differs = abs(calibration.mean_confidence - calibration.accuracy) >= 0.005
    return differs and not interval.low <= calibration.mean_confidence <= interval.high
