"""`cnnlab compare`: runs side by side, as data and as a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnlab.config.differences import dotted
from cnnlab.core.errors import RequestError
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.stats.confidence import Interval, share_difference, wilson_interval
from cnnlab.training.report import EpochRow
from cnnlab.training.report_files import epoch_rows
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

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of the validation accuracy, from the number of images."""
        if self.val_accuracy is None or not self.validation_images:
            return None
        return wilson_interval(round(self.val_accuracy * self.validation_images), self.validation_images)


@dataclass(frozen=True)
class Comparison:
    """Runs, and where their configs differ."""

    runs: tuple[Run, ...]
    compared: tuple[ComparedRun, ...]
    differences: dict[str, list[Any]]
    """Dotted option → its value in each run; None where a run does not have it."""
    same: int
    """Options that all configs have alike."""
    report: Report

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        rows = [
            {
                "run": str(run.path),
                "status": run.status,
                "parameters": one.parameters,
                "epochs": run.record.outcome.epochs,
                "val_accuracy": one.val_accuracy,
                "ci95": [one.interval.low, one.interval.high] if one.interval else None,
                "train_seconds": one.train_seconds,
            }
            for run, one in zip(self.runs, self.compared, strict=True)
        ]
        return {"runs": rows, "differences": self.differences, "same": self.same}


def compare(runs: Sequence[Run], session: Session) -> Comparison:
    """Set runs side by side: where their configs differ, their accuracies with intervals, their curves.

    Arguments:
        runs: two or more.
        session: whether their plugins may be run.

    Returns:
        The differences as data, and a report on them.

    Raises:
        RequestError: for a single run, and where a run's config or curves are damaged.

    Example:
        session = Session()
        compare([session.run("cifar"), session.run("cifar-2")], session).differences
    """
    if len(runs) < 2:
        raise RequestError(f"one run, {runs[0].name}, compares with nothing: name two or more")
    return trainings(runs, session)


def trainings(runs: Sequence[Run], session: Session) -> Comparison:
    """Tell what the trainings of runs wrote down, and where their configs differ.

    Arguments:
        runs: one or more.
        session: whether their plugins may be run.

    Raises:
        RequestError: where a run's config or curves are damaged.
    """
    configs = [dotted(run.config(allow_plugins=session.allow_plugins).as_data()) for run in runs]
    keys = list(dict.fromkeys(key for config in configs for key in config))
    values_of = {key: [config.get(key) for config in configs] for key in keys if key != "name"}
    differences = {key: values for key, values in values_of.items() if any(value != values[0] for value in values)}
    same = len(values_of) - len(differences)
    compared = [
        ComparedRun(
            name=run.name,
            rows=tuple(epoch_rows(run)),
            val_accuracy=run.record.outcome.val_accuracy,
            validation_images=run.record.data.validation,
            test_accuracy=run.test_accuracy(),
            parameters=run.record.parameters,
            train_seconds=run.record.outcome.train_seconds,
            verdict=run.record.outcome.diagnosis or "",
            differences=tuple((key, _shown(values[number])) for key, values in differences.items()),
        )
        for number, run in enumerate(runs)
    ]
    return Comparison(tuple(runs), tuple(compared), differences, same, comparison_report(compared, same=same))


def _shown(value: Any) -> str:
    """A value of a config as YAML writes it."""
    return "–" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def comparison_report(runs: Sequence[ComparedRun], *, same: int | None = None) -> Report:
    """A table, what sets the configs apart, whether the difference may be chance, and overlaid curves.

    same: how many options all configs have alike, where that is known.
    Raises: ValueError without a run.
    """
    if not runs:
        raise ValueError("no runs to compare")
    blocks: list[Block] = [_table(runs)]
    blocks += config_blocks(runs, same=same)
    chance = _chance(runs)
    if chance is not None:
        blocks.append(chance)
    figures = [figure for figure in (_bars(runs), curves_figure(runs)) if figure is not None]
    if figures:
        blocks.append(Section("Figures", tuple(figures)))
    return Report("Comparison of " + listed([run.name for run in runs]), tuple(blocks))


def config_blocks(runs: Sequence[ComparedRun], *, same: int | None) -> list[Block]:
    """Where the runs' configs differ, or that they do not; nothing for a single run.

    same: how many options all configs have alike, where that is known.
    """
    paths = list(dict.fromkeys(path for run in runs for path, _ in run.differences))
    if paths:
        return [
            Table(
                "What sets their configs apart",
                (Column("option"), *(Column(run.name) for run in runs)),
                tuple((path, *(dict(run.differences).get(path) for run in runs)) for path in paths),
                "" if same is None else f"{same} other options are the same in all of them.",
            )
        ]
    if same is not None and len(runs) > 1:
        return [Text(f"their configs are the same: {same} options.", label="configs")]
    return []


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
    counted = [(r.val_accuracy, r.validation_images, r.name, r.interval) for r in runs]
    known = [(a, n, name, interval) for a, n, name, interval in counted if a is not None and n and interval]
    if len(known) < 2:
        return None
    (first, n, leader, above), (second, m, follower, below) = sorted(known, key=lambda one: one[:3], reverse=True)[:2]
    lead = first - second
    # Even 10 of 10 leave something open. Runs that share their validation part differ by less chance than this.
    least = lead - share_difference((first, above), (second, below)).low
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
    counted = [(run.name, run.val_accuracy, run.interval) for run in runs if run.interval is not None]
    if not counted:
        return None
    return Figure(
        "accuracies",
        "Validation accuracy",
        Bars(
            tuple(name for name, _, _ in counted),
            tuple(a for _, a, _ in counted),
            "validation accuracy (%)",
            low=tuple(interval.low for _, _, interval in counted),
            high=tuple(interval.high for _, _, interval in counted),
            percent=True,
        ),
        "Whiskers are 95 % intervals from the number of validation images; the choice of the seed is not in them.",
    )


def curves_figure(runs: Sequence[ComparedRun]) -> Figure | None:
    """The runs' accuracies and losses over the epochs; None where none has an epoch."""
    trained = [run for run in runs if run.rows]
    if not trained:
        return None

    def series(field: str) -> tuple[Series, ...]:
        return tuple(
            Series(run.name, tuple(r.place for r in run.rows), tuple(getattr(r, field) for r in run.rows), colour=n)
            for n, run in enumerate(trained)
        )

    panels = (
        Curves(series("val_accuracy"), "epoch", "validation accuracy (%)", percent=True),
        Curves(series("val_loss"), "epoch", "validation loss (nats)"),
        Curves(series("train_loss"), "epoch", "training loss (nats)"),
    )
    measured = tuple(p for p in panels if any(y is not None for s in p.series for y in s.y))
    return Figure("comparison", "Learning curves", Panels(measured)) if measured else None


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
