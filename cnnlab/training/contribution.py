"""What a training says on the page of its run, from what the run wrote down."""

import shlex
from collections.abc import Iterator

from cnnlab.network.studied import Studied
from cnnlab.training.overfitting import diagnose
from cnnlab.training.report import learning_curves, training_contribution
from cnnlab.training.report_files import epoch_rows, step_rows
from cnnlab.view.blocks import SummaryLine, Text
from cnnlab.view.contribution import Contribution, Question


def training(studied: Studied) -> Iterator[Contribution]:
    """Curves and diagnosis, of a run."""
    run = studied.network.run
    if run is None:
        unknown = SummaryLine(Question.OVERFITTED, "Nobody can tell: only a run has the curves of its training.")
        yield Contribution((), (unknown,))
        return
    rows = epoch_rows(run)
    if not rows:
        resume = SummaryLine(Question.OVERFITTED, "No epoch is finished; the training goes on with",
                             command=f"cnnlab train --resume {shlex.quote(str(run.path))}")  # fmt: skip
        yield Contribution((Text("The run has no finished epoch in metrics.jsonl.", "caution"),), (resume,))
        return
    held_out = run.record.data.validation
    seconds = sum(row.seconds for row in rows)
    yield training_contribution(
        rows,
        diagnose(learning_curves(rows, validation_images=held_out)) if held_out else None,
        train_seconds=seconds,
        wall_seconds=run.record.outcome.wall_seconds or seconds,
        config=shlex.quote(str(run.path / "config.yaml")),
        record=run.record,
        steps=step_rows(run),
    )
