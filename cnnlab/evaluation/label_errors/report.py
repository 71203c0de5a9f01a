"""The report on likely label errors: how many, the first of them as a contact sheet, what they rest on."""

from collections.abc import Sequence

from cnnlab.evaluation.label_errors.facts import Candidate, LabelErrorFacts
from cnnlab.stats.confidence import Interval
from cnnlab.view import csv
from cnnlab.view.blocks import Block, Cell, Column, Figure, Number, Numbers, Report, Table, Text, shown
from cnnlab.view.claims import claims_section
from cnnlab.view.drawings import Gallery, Matrix, tiles

SHOWN = 60
"""Images of the contact sheet."""
ROWS = 20
"""Rows of the table on the terminal and the page; the CSV has all."""
MOST_CLASSES = 40
"""Of the joint that is drawn."""
ORDERS = {"normalized_margin": "normalised margin", "self_confidence": "self-confidence"}


def label_errors_report(facts: LabelErrorFacts) -> Report:
    """The page, and what the terminal shows of it.

    Arguments:
        facts: of the search.
    """
    count, images = len(facts.errors.indices), facts.images
    blocks: list[Block] = [Text(sentence, "caution", "note") for sentence in facts.cautions]
    blocks.append(
        Numbers(
            (
                Number("labels in question", count, ",d", detail=f"of {len(images):,}"),
                Number(
                    "wrong by the calibrated joint",
                    facts.errors.estimated,
                    ",d",
                    detail="an estimate, too high where the networks are weak",
                ),
                Number("labels that the networks answer", facts.accuracy, ".2%"),
            )
        )
    )
    first = list(facts.candidates(SHOWN))
    if first:
        blocks += [_table(first[:ROWS], facts), _sheet(first, facts)]
        if untouched := [one for one in facts.candidates() if one.wrong is False][:SHOWN]:
            blocks.append(_untouched(untouched, facts))
    else:
        blocks.append(Text("No label is in question: each is what its network confidently answers.", "good"))
    if facts.searches:
        blocks += [_searches(facts), claims_section(facts.claims)]
    blocks.append(_thresholds(facts))
    if len(images.classes) <= MOST_CLASSES:
        blocks.append(_joint(facts))
    if facts.folds:
        blocks.append(_folds(facts))
    blocks.append(
        Text(
            "Look at each image before its label is changed: a network doubts rare and odd images, too. In "
            "label-errors.csv write relabel or exclude into the column decision, correct the column likely where it is "
            "wrong, and give the path of that file as data.corrections in the config.",
            "note",
            "next",
        )
    )
    return Report(f"Label errors of {facts.name}", tuple(blocks), _lead(facts))


def candidates_csv(facts: LabelErrorFacts) -> str:
    """All candidates as CSV, in their order, with an empty column for what is decided.

    Arguments:
        facts: of the search.
    """
    heading = ["rank", "index", "file", "given", "likely", "decision", "self_confidence", "likely_probability"]
    heading += ["normalized_margin", *(["swapped_on_purpose"] if facts.wrong is not None else [])]
    heading += [f"p_{name}" for name in facts.images.classes]
    rows: list[list[Cell]] = [list(heading)]
    for one in facts.candidates():
        words: list[Cell] = [one.rank, one.index, one.file, one.given, one.likely, ""]
        swapped = [] if one.wrong is None else [int(one.wrong)]
        numbers = (one.self_confidence, one.likely_probability, one.margin)
        rows.append([*words, *numbers, *swapped, *facts.probabilities[one.row].tolist()])
    return csv.text(rows)


def _lead(facts: LabelErrorFacts) -> str:
    if facts.folds:
        whose = (
            f"each answered by the one of {len(facts.folds)} networks that was not shown it ({facts.epochs} "
            f"epoch{'s' * (facts.epochs != 1)} each)"
        )
    else:
        whose = f"with the probabilities of {facts.source}"
    return (
        f"{len(facts.images):,} training and validation images of {facts.images.name}, {whose}. A label is in question "
        "where another class has at least the probability that its own images have on average, and is the likeliest "
        f"(confident learning, Northcutt et al. 2021). Ordered by {ORDERS[facts.ranking]}."
    )


def _table(first: Sequence[Candidate], facts: LabelErrorFacts) -> Table:
    known = facts.wrong is not None
    columns = (
        Column("rank", align="right", form="d"),
        Column("image", align="right", form="d"),
        Column("given"),
        Column("likely"),
        Column("p given", align="right", form=".3f"),
        Column("p likely", align="right", form=".3f"),
        Column("margin", align="right", form=".3f"),
        *((Column("swapped"),) if known else ()),
        *((Column("file"),) if facts.images.paths is not None else ()),
    )
    rows = tuple(
        (
            *(one.rank, one.index, one.given, one.likely),
            *(one.self_confidence, one.likely_probability, one.margin),
            *((("yes" if one.wrong else "no"),) if known else ()),
            *((one.file,) if facts.images.paths is not None else ()),
        )
        for one in first
    )
    return Table(
        f"The likeliest errors: {len(first)} of {len(facts.errors.indices):,}",
        columns,
        rows,
        "Margin: (p given − largest other p + 1) / 2, 0 where another class is certain. All are in label-errors.csv.",
    )


def _sheet(first: Sequence[Candidate], facts: LabelErrorFacts) -> Figure:
    ticked = " ✓: swapped on purpose." if facts.wrong is not None else ""
    caption = f"Image: given → likely.{ticked} The likeliest error first, by {ORDERS[facts.ranking]}."
    return Figure("label-errors", f"The {len(first)} likeliest label errors", _gallery(first, facts), caption)


def _untouched(first: Sequence[Candidate], facts: LabelErrorFacts) -> Figure:
    return Figure(
        "untouched",
        f"The first {len(first)} whose label was not swapped",
        _gallery(first, facts),
        "Image: given → likely. False alarms, or errors that the data set came with: look and judge.",
    )


def _gallery(candidates: Sequence[Candidate], facts: LabelErrorFacts) -> Gallery:
    captions = tuple(f"{one.index}: {one.given}\n→ {one.likely}{' ✓' * bool(one.wrong)}" for one in candidates)
    return Gallery(tiles(facts.images.images[one.row] for one in candidates), captions=captions, columns=10)


def _searches(facts: LabelErrorFacts) -> Table:
    columns = (
        Column("order"),
        Column("swapped", align="right", form=",d"),
        Column("in question", align="right", form=",d"),
        Column("precision"),
        Column("recall"),
        Column("average precision"),
    )
    rows = tuple(
        (
            ORDERS[order],
            found.there,
            found.chosen,
            _share(found.precision, found.precision_interval),
            _share(found.recall, found.recall_interval),
            _share(found.average_precision, found.average_precision_interval),
        )
        for order, found in facts.searches
    )
    note = (
        "Against the labels that were swapped on purpose (data.label_noise); an error that was there before counts as "
        "a false alarm. 95 % intervals: Wilson's, of average precision by drawing images again."
    )
    return Table("How well the swapped labels are found", columns, rows, note, "swapped")


def _share(value: float | None, interval: Interval | None) -> str:
    if interval is None:
        return shown(value, ".1%")
    return f"{shown(value, '.1%')} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _thresholds(facts: LabelErrorFacts) -> Table:
    errors, classes = facts.errors, facts.images.classes
    calibrated = errors.calibrated
    named = facts.images.labels[errors.indices].bincount(minlength=len(classes)).tolist()
    rows = tuple(
        (
            classes[k],
            int(errors.counts[k]),
            float(errors.thresholds[k]) if errors.counts[k] else None,
            named[k],
            int(calibrated[k].sum() - calibrated[k, k]),
        )
        for k in range(len(classes))
    )
    columns = (
        Column("label"),
        Column("images", align="right", form=",d"),
        Column("threshold", align="right", form=".3f"),
        Column("in question", align="right", form=",d"),
        Column("wrong, estimated", align="right", form=",d"),
    )
    note = "Threshold: the mean probability of the class over the images labelled so. Estimated: the calibrated joint."
    return Table("By label", columns, rows, note, "by-label")


def _joint(facts: LabelErrorFacts) -> Figure:
    classes = facts.images.classes
    calibrated = facts.errors.calibrated
    shades = calibrated.double()
    shades.fill_diagonal_(0)
    matrix = Matrix(
        calibrated.numpy(),
        row_labels=classes,
        column_labels=classes,
        row_title="label",
        column_title="likely class",
        colour_label="share of the largest error",
        form=",d",
        shades=(shades / shades.max().clamp_min(1)).numpy(),
    )
    return Figure(
        "joint",
        "Labels and what they likely should be: the calibrated joint",
        matrix,
        "Images, estimated for all from those that are confidently of a class; off the diagonal are wrong labels.",
    )


def _folds(facts: LabelErrorFacts) -> Table:
    rows = tuple((fold.number, fold.images, fold.accuracy, fold.run) for fold in facts.folds)
    columns = (
        Column("fold", align="right", form="d"),
        Column("images", align="right", form=",d"),
        Column("labels answered", align="right", form=".2%"),
        Column("run"),
    )
    return Table("Folds", columns, rows, "Each network was trained on the other folds, and asked about this one.")
