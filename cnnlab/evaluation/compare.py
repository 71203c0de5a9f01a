"""`cnnlab compare`: runs side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnlab.core.errors import RequestError
from cnnlab.evaluation.comparison_report import ComparedRun, comparison_report
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.stats.confidence import Interval, wilson_interval
from cnnlab.training.report_files import epoch_rows
from cnnlab.view.blocks import Report


@dataclass(frozen=True)
class Comparison:
    """Runs, and where their configs differ."""

    runs: tuple[Run, ...]
    differences: dict[str, list[Any]]
    """Dotted option → its value in each run; None where a run does not have it."""
    same: int
    """Options that all configs have alike."""
    report: Report

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        rows = []
        for run in self.runs:
            outcome, interval = run.record.outcome, accuracy_interval(run)
            rows.append(
                {
                    "run": str(run.path),
                    "status": outcome.status,
                    "parameters": run.record.parameters,
                    "epochs": outcome.epochs,
                    "val_accuracy": outcome.val_accuracy,
                    "ci95": [interval.low, interval.high] if interval else None,
                    "train_seconds": outcome.train_seconds,
                }
            )
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
    configs = [_flat(run.config(allow_plugins=session.allow_plugins).as_data()) for run in runs]
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
    return Comparison(tuple(runs), differences, same, comparison_report(compared, same=same))


def accuracy_interval(run: Run) -> Interval | None:
    """The 95 % interval of a run's best validation accuracy, from the number of validation images."""
    accuracy, count = run.record.outcome.val_accuracy, run.record.data.validation
    return wilson_interval(round(accuracy * count), count) if accuracy is not None and count else None


def _shown(value: Any) -> str:
    """A value of a config as YAML writes it."""
    return "–" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Nested mappings and lists as dotted keys."""
    if isinstance(value, dict):
        items = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list):
        items = [(str(index), inner) for index, inner in enumerate(value)]
    else:
        return {path: value}
    return {k: v for key, inner in items for k, v in _flat(inner, f"{path}.{key}" if path else key).items()}
