"""Facts in, report out: that every number arrives where a reader looks for it."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cnnlab.data.leaks import Leaks
from cnnlab.evaluation.compare import ComparedRun, comparison_report
from cnnlab.evaluation.report import evaluation_document, evaluation_report
from cnnlab.project.data.report import DataStatistics, LeakCheck, data_report, leaks_report, preview_report
from cnnlab.stats.calibration import fit_temperature
from cnnlab.stats.classification import by_group, classify
from cnnlab.training.lr_find import RatePoint
from cnnlab.training.overfitting import diagnose
from cnnlab.training.report import (
    EpochRow,
    StepRow,
    curves_figure,
    learning_curves,
    learning_rate_report,
    training_contribution,
)
from cnnlab.view.blocks import Numbers, Report, Section, Text, figures, tables
from cnnlab.view.drawings import Gallery, Matrix, Panels, tile

NAMES = ("cat", "dog", "frog")


def rows(count: int = 12, clean: bool = True) -> tuple[EpochRow, ...]:
    return tuple(
        EpochRow(
            e, 2 / e, 0.8, 0.9 * (1 - 1 / (e + 1)) if clean else None, 1 / e, 0.88 * (1 - 1 / (e + 1)), 0.1, 3.0, 100.0
        )
        for e in range(1, count + 1)
    )


def texts(report: Report) -> list[Text]:
    found: list[Text] = []

    def walk(blocks: tuple[object, ...]) -> None:
        for block in blocks:
            if isinstance(block, Section):
                walk(block.blocks)
            elif isinstance(block, Text):
                found.append(block)

    walk(report.blocks)
    return found


@pytest.fixture
def logits() -> torch.Tensor:
    return 4 * torch.nn.functional.one_hot(torch.tensor([0, 1, 1, 1, 0, 2]), 3).double()


LABELS = torch.tensor([0, 0, 0, 1, 1, 2])


def test_an_evaluation_has_its_facts_in_place(logits: torch.Tensor) -> None:
    facts = classify(logits, LABELS, classes=NAMES, temperature=fit_temperature(logits, LABELS, fitted_on="validation"))
    images = torch.arange(6, dtype=torch.uint8)[:, None, None, None].expand(6, 3, 4, 4)
    groups = by_group(logits, LABELS, ["a", "a", "a", "b", "b", "b"])
    report = evaluation_report(facts, name="run-1", split="test", images=images, groups=groups)
    assert report.title == "Evaluation of run-1 on test"
    assert isinstance(report.blocks[0], Numbers)
    assert next((n.name, n.value) for n in report.blocks[0].numbers) == ("accuracy", 0.5)
    by_name = {figure.name: figure.drawing for figure in figures(report)}
    assert set(by_name) >= {"f1", "confusion", "mistakes", "reliability", "groups"}
    matrix, gallery = by_name["confusion"], by_name["mistakes"]
    assert isinstance(matrix, Matrix)
    assert matrix.values.tolist() == [[1, 2, 0], [1, 1, 0], [0, 0, 1]]
    assert matrix.shades is not None
    assert matrix.shades.sum(1) == pytest.approx(1)
    assert isinstance(gallery, Gallery)
    assert [int(image[0, 0, 0]) for image in gallery.images] == [m.index for m in facts.mistakes]
    assert gallery.captions[0] == "cat\n→ dog 96 %"
    pairs = next(table for table in tables(report) if table.name == "confused_pairs")
    assert pairs.rows == (("cat – dog", 3, 2, 1),)
    assert any("fitted on 6 images: validation" in text.text for text in texts(report))


def test_the_evaluations_document_has_the_agreed_keys(logits: torch.Tensor) -> None:
    found = evaluation_document(classify(logits, LABELS, classes=NAMES), split="test")
    assert {"split", "n", "accuracy", "ci95", "loss", "ece", "per_class", "confusion"} <= set(found)
    assert (found["split"], found["n"], found["accuracy"]) == ("test", 6, 0.5)
    assert found["confusion"] == [[1, 2, 0], [1, 1, 0], [0, 0, 1]]
    assert found["per_class"][0]["class"] == "cat"
    assert found["ci95"][0] < 0.5 < found["ci95"][1]


def test_without_mistakes_there_is_no_gallery() -> None:
    facts = classify(torch.eye(3), torch.arange(3), classes=NAMES)
    report = evaluation_report(facts, name="r", split="test", images=torch.zeros(3, 3, 2, 2, dtype=torch.uint8))
    assert "mistakes" not in [figure.name for figure in figures(report)]
    assert any(text.text == "No image was called wrong." for text in texts(report))


def test_a_training_says_its_verdict_and_names_its_best_epoch() -> None:
    made = rows()
    diagnosis = diagnose(learning_curves(made, validation_images=5000))
    said = training_contribution(made, diagnosis, train_seconds=36.0, wall_seconds=40.0, config="run-1/config.yaml")
    report = Report("run-1", said.blocks, summary=said.lines)
    assert texts(report)[0].label == diagnosis.sentence.split(": ")[0] == "good"
    assert isinstance(report.blocks[0], Numbers)
    assert report.blocks[0].numbers[0].detail == "epoch 12 of 12"
    epochs = next(table for table in tables(report) if table.name == "epochs")
    assert len(epochs.rows) == 12
    assert epochs.rows[0][:2] == (1, 2.0)
    (line,) = report.summary
    assert (line.figure, line.tone) == (f"{100 * abs(diagnosis.gap or 0):.1f} points", "good")
    assert line.section == "diagnosis"


def test_the_summary_of_a_training_says_since_when_it_is_over_fitted() -> None:
    made = tuple(replace(row, clean_train_accuracy=0.99, val_accuracy=0.6 + 0.01 * row.epoch) for row in rows())
    diagnosis = diagnose(learning_curves(made, validation_images=5000))
    said = training_contribution(made, diagnosis, train_seconds=1.0, wall_seconds=1.0, config="c.yaml")
    (line,) = said.lines
    assert f"over-fitted since epoch {diagnosis.since_epoch}." in line.text
    assert line.tone == "bad"


def test_what_was_not_measured_is_not_drawn() -> None:
    drawing = curves_figure(rows(clean=False)).drawing
    assert isinstance(drawing, Panels)
    assert [series.name for series in drawing.panels[0].series] == ["validation", "training, augmented"]


def test_a_short_training_shows_its_single_steps() -> None:
    steps = tuple(StepRow(place=place / 4, loss=2.0 - place / 8, lr=0.1) for place in range(1, 9))
    few, many = (curves_figure(rows()[:count], steps=steps).drawing for count in (2, 12))
    assert isinstance(few, Panels)
    assert isinstance(many, Panels)
    single = few.panels[1].series[0]
    assert (single.x, single.y) == (tuple(s.place for s in steps), tuple(s.loss for s in steps))
    steps = steps[:3]  # none was recorded in the last epoch
    told = curves_figure(rows()[:2], steps=steps).drawing
    assert isinstance(told, Panels)
    assert told.panels[2].series[0].x == (0.25, 0.5, 0.75, 1.0, 2.0)
    assert [series.name for series in many.panels[1].series] == ["validation", "training, augmented"]


def test_an_epoch_that_the_clock_cut_off_ends_where_it_was_cut_off() -> None:
    made = (*rows()[:2], replace(rows()[2], share=0.25))
    told = curves_figure(made).drawing
    assert isinstance(told, Panels)
    assert all(series.x == (1.0, 2.0, 2.25) for panel in told.panels for series in panel.series)
    diagnosis = diagnose(learning_curves(made, validation_images=5000))
    assert diagnosis.best_epoch == 3
    marked = curves_figure(made, diagnosis).drawing
    assert isinstance(marked, Panels)
    assert [mark.x for mark in marked.panels[0].marks] == [2.25]


def test_a_training_without_validation_and_without_epochs_is_still_a_report() -> None:
    said = training_contribution((), None, train_seconds=0.0, wall_seconds=1.0, config="'a b.yaml'")
    assert said.blocks
    assert said.lines[0].command == "cnnlab train 'a b.yaml' data.validation=0.1"


def test_a_small_difference_between_runs_is_called_chance() -> None:
    a, b = (ComparedRun(name, rows(), accuracy, 1000) for name, accuracy in (("a", 0.85), ("b", 0.86)))
    said = texts(comparison_report([a, b]))[0]
    assert said.label == "close"
    assert "b is 1.00 points ahead of a" in said.text
    least = 196 * math.sqrt(0.85 * 0.15 / 1000 + 0.86 * 0.14 / 1000)
    assert f"up to {least:.2f} may be chance" in said.text


def test_a_large_difference_is_not() -> None:
    a, b = (ComparedRun(name, (), accuracy, 10_000) for name, accuracy in (("a", 0.70), ("b", 0.86)))
    assert texts(comparison_report([a, b]))[0].label == "ahead"


def test_ten_of_ten_are_not_ahead_of_seven_of_ten() -> None:
    a, b = ComparedRun("a", rows(), 1.0, 10), ComparedRun("b", rows(), 0.7, 10)
    said = texts(comparison_report([a, b]))[0]
    assert said.label == "close"
    assert "up to 33." in said.text  # √(27.8² + 19.2²), of Wilson's intervals


def test_one_run_compares_with_nothing() -> None:
    report = comparison_report([ComparedRun("a", rows(), 0.8, 100)])
    assert (report.title, texts(report)) == ("Comparison of a", [])
    with pytest.raises(ValueError, match="no runs"):
        comparison_report([])


def test_what_is_the_same_is_counted() -> None:
    a, b = (ComparedRun(name, rows(), 0.8, 100, differences=(("lr", name),)) for name in "ab")
    assert tables(comparison_report([a, b], same=7))[1].note == "7 other options are the same in all of them."
    alike = [ComparedRun(name, rows(), 0.8, 100) for name in "ab"]
    assert "their configs are the same: 8 options." in [text.text for text in texts(comparison_report(alike, same=8))]


def test_columns_nobody_has_are_left_out() -> None:
    table = tables(comparison_report([ComparedRun("a", rows(), 0.8, 100)]))[0]
    assert [column.title for column in table.columns] == ["run", "epochs", "validation accuracy"]


def test_data_sums_up() -> None:
    report = data_report(
        DataStatistics(
            name="d", count=21, shape=(3, 32, 32), mean=(0.1, 0.2, 0.3), std=(0.1, 0.1, 0.1), train=(4, 5, 6),
            validation=(1, 2, 3), classes=dict(zip(NAMES, (5, 7, 9), strict=True)), skipped=(), parts={},
            remarks=("few",), files=None,
        )
    )  # fmt: skip
    counts = next(table for table in tables(report) if table.name == "classes")
    assert counts.rows[-1] == ("all", 15, 6)
    assert (texts(report)[0].text, texts(report)[0].tone) == ("few", "caution")
    assert report.lead.startswith("21 images of 3 × 32 × 32")


def leaking(second: str, exact: int) -> LeakCheck:
    pairs = torch.zeros(exact, 2, dtype=torch.int64)
    leaks = Leaks(pairs, pairs[:0], pairs[:0, 0], flat=0, compared=6)
    return LeakCheck("train", second, (torch.zeros(1, 3, 4, 4, dtype=torch.uint8),) * 2, leaks)


def test_leaks_are_warned_of_and_drawn() -> None:
    report = leaks_report([leaking("test", 1)])
    assert tables(report)[0].rows == (("test", "train", 1, 0),)
    assert texts(report)[0].tone == "caution"
    assert [figure.name for figure in figures(report)] == ["leaks-train-test"]


@pytest.mark.parametrize(("second", "said"), [("test", False), ("validation", True)])
def test_what_was_not_compared_is_said(second: str, said: bool) -> None:
    report = leaks_report([leaking(second, 0)])
    assert texts(report)[0].tone == "good"
    assert ("The test part was not compared" in texts(report)[0].text) == said


def test_a_preview_has_a_row_per_image() -> None:
    originals = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    report = preview_report(originals, [originals + 1, originals + 2], [0, 2], classes=NAMES, name="c.yaml")
    gallery = figures(report)[0].drawing
    assert isinstance(gallery, Gallery)
    assert [int(image.max()) for image in gallery.images] == [0, 1, 2, 0, 1, 2]
    assert (gallery.columns, gallery.row_labels) == (3, ("cat", "frog"))
    assert gallery.column_titles == ("original", "epoch 1", "epoch 2")


def test_the_learning_rate_is_marked_or_refused() -> None:
    points = [RatePoint(1, 0.1, 1.0, 1.0), RatePoint(2, 0.2, 0.5, 0.5)]
    report = learning_rate_report(points, suggestion=0.1, changes=["optimizer.lr=0.1"], name="c.yaml")
    assert isinstance(report.blocks[0], Numbers)
    assert report.blocks[0].numbers[0].detail == "optimizer.lr=0.1"
    assert texts(learning_rate_report(points, suggestion=None, changes=(), name="c"))[0].tone == "caution"


@pytest.mark.parametrize(("channels", "shown"), [(1, 1), (2, 1), (3, 3), (4, 3)])
def test_tiles_have_one_or_three_channels(channels: int, shown: int) -> None:
    made = tile(torch.arange(channels * 6, dtype=torch.uint8).view(channels, 2, 3))
    assert made.shape == (2, 3, shown)
    assert made.dtype == np.uint8
    assert made[1, 2, 0] == 5
