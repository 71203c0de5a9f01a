"""Runs side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cnnlab.stats.confidence import wilson_interval
from cnnlab.training.report import EpochRow
from cnnlab.view.blocks import Block, Cell, Column, Figure, Report, Section, Table, Text
from cnnlab.view.drawings import Bars, Curves, Panels, Series


@dataclass(frozen=True)
class ComparedRun:
    """What is compared of one run. Accuracies 0 … 1; None where it is not known."""

    name: str
    rows: tuple[EpochRow, ...]
    val_accuracy: float | None
    """Accuracy of the checkpoint that the run keeps."""
    validation_images: int | None
    test_accuracy: float | None = None
    """From its evaluation, if there was one."""
    parameters: int | None = None
    train_seconds: float | None = None
    verdict: str = ""
    differences: tuple[tuple[str, str], ...] = ()
    """(path in the config, value) where the runs' configs differ."""


def comparison_report(runs: Sequence[ComparedRun], *, same: int | None = None) -> Report:
    """A table, what sets the configs apart, whether the difference may be chance, and overlaid curves.

    same: how many options all configs have alike, where that is known.
    Raises: ValueError without a run.
    """
    if not runs:
        raise ValueError("no runs to compare")
    blocks: list[Block] = [_table(runs)]
    paths = list(dict.fromkeys(path for run in runs for path, _ in run.differences))
    if paths:
        blocks.append(
            Table(
                "What sets their configs apart",
                (Column("option"), *(Column(run.name) for run in runs)),
                tuple((path, *(dict(run.differences).get(path) for run in runs)) for path in paths),
                "" if same is None else f"{same} other options are the same in all of them.",
            )
        )
    elif same is not None and len(runs) > 1:
        blocks.append(Text(f"their configs are the same: {same} options.", label="configs"))
    chance = _chance(runs)
    if chance is not None:
        blocks.append(chance)
    figures = [figure for figure in (_bars(runs), _curves(runs)) if figure is not None]
    if figures:
        blocks.append(Section("Figures", tuple(figures)))
    return Report("Comparison of " + _listed([run.name for run in runs]), tuple(blocks))


def _table(runs: Sequence[ComparedRun]) -> Table:
    optional: list[tuple[Column, list[Cell]]] = [
        (Column("validation accuracy", align="right", form=".2%"), [run.val_accuracy for run in runs]),
        (Column("test accuracy", align="right", form=".2%"), [run.test_accuracy for run in runs]),
        (Column("verdict"), [run.verdict or None for run in runs]),
        (Column("parameters", align="right", form=",d"), [run.parameters for run in runs]),
        (Column("training", "s", "right", ".1f"), [run.train_seconds for run in runs]),
    ]
    # A column in which no run has a value says nothing.
    kept = [(column, cells) for column, cells in optional if any(cell is not None for cell in cells)]
    return Table(
        "Runs",
        (Column("run"), Column("epochs", align="right", form="d"), *(column for column, _ in kept)),
        tuple((run.name, len(run.rows), *(cells[i] for _, cells in kept)) for i, run in enumerate(runs)),
        name="runs",
    )


def _chance(runs: Sequence[ComparedRun]) -> Text | None:
    known = [(r.val_accuracy, r.validation_images, r.name) for r in runs if r.val_accuracy is not None]
    counted = sorted(((a, n, name) for a, n, name in known if n), reverse=True)
    if len(counted) < 2:
        return None
    (first, n, leader), (second, m, follower) = counted[0], counted[1]
    lead = first - second
    # Two shares of independent images, from Wilson's intervals (Newcombe 1998, Statistics in Medicine 17):
    # even 10 of 10 leave something open. Runs that share their validation part differ by less chance than this.
    above, below = wilson_interval(round(first * n), n), wilson_interval(round(second * m), m)
    least = math.hypot(first - above.low, below.high - second)
    sentence = f"{leader} is {100 * lead:.2f} points ahead of {follower}"
    if lead <= least:
        return Text(
            f"{sentence}; with so few validation images ({min(n, m):,}) up to {100 * least:.2f} may be chance. "
            "More seeds would tell.",
            "caution",
            "close",
        )
    return Text(
        f"{sentence}, more than the {100 * least:.2f} that the choice of validation images explains. "
        "Another seed moves the result too; several trainings show by how much.",
        "plain",
        "ahead",
    )


def _bars(runs: Sequence[ComparedRun]) -> Figure | None:
    known = [(r.name, r.val_accuracy, r.validation_images) for r in runs if r.val_accuracy is not None]
    counted = [(name, a, n) for name, a, n in known if n]
    if not counted:
        return None
    intervals = [wilson_interval(round(a * n), n) for _, a, n in counted]
    return Figure(
        "accuracies",
        "Validation accuracy",
        Bars(
            tuple(name for name, _, _ in counted),
            tuple(a for _, a, _ in counted),
            "validation accuracy (%)",
            low=tuple(i.low for i in intervals),
            high=tuple(i.high for i in intervals),
            percent=True,
        ),
        "Whiskers are 95 % intervals from the number of validation images; the choice of the seed is not in them.",
    )


def _curves(runs: Sequence[ComparedRun]) -> Figure | None:
    trained = [run for run in runs if run.rows]
    if not trained:
        return None

    def series(run: ComparedRun, number: int, values: tuple[float | None, ...]) -> Series:
        return Series(run.name, tuple(float(r.epoch) for r in run.rows), values, colour=number)

    accuracy = tuple(series(r, i, tuple(row.val_accuracy for row in r.rows)) for i, r in enumerate(trained))
    validation = tuple(series(r, i, tuple(row.val_loss for row in r.rows)) for i, r in enumerate(trained))
    training = tuple(series(r, i, tuple(row.train_loss for row in r.rows)) for i, r in enumerate(trained))
    panels = (
        Curves(accuracy, "epoch", "validation accuracy (%)", percent=True),
        Curves(validation, "epoch", "validation loss (nats)"),
        Curves(training, "epoch", "training loss (nats)"),
    )
    measured = tuple(p for p in panels if any(y is not None for s in p.series for y in s.y))
    return Figure("comparison", "Learning curves", Panels(measured)) if measured else None


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
