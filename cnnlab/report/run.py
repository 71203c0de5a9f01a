"""`cnnlab report`: everything about a run on one page that needs nothing else."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cnnlab.core.advance import Advance
from cnnlab.core.files import refuse_links, remove_folder, remove_parts
from cnnlab.evaluation.run import predictions_of
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.network.studied import Studied
from cnnlab.report.contributors import CONTRIBUTORS
from cnnlab.report.gallery import chosen_images
from cnnlab.runs.events import EventLog
from cnnlab.runs.folder import Run, WhichWeights
from cnnlab.view import files
from cnnlab.view import tensorboard as events_of
from cnnlab.view.blocks import Report
from cnnlab.view.contribution import Contribution, composed


@dataclass(frozen=True)
class WholeReport:
    """What was written."""

    page: Path
    report: Report


def whole_report(
    run: Run, session: Session, *, weights: WhichWeights = "best", tensorboard: bool = False
) -> Iterator[Advance | WholeReport]:
    """Write everything about a run on one page, `RUN/reports/index.html`, with its tables beside it.

    Arguments:
        run: that has weights; the page is on its validation part, or on what it was trained on where none was kept.
        session: where its data lies, and the device.
        weights: `best` or `last`.
        tensorboard: whether figures, numbers and words go to `RUN/tensorboard/report`, too.

    Yields:
        How far the work is; at last the page.

    Raises:
        RequestError: where the run has no weights, or its data is not what it was trained on.

    Example:
        session = Session()
        *_, written = whole_report(session.run("cifar"), session)
        print(written.page)
    """
    refuse_links(run.path / "reports")  # now, and not when the work is done
    remove_parts(run.path)
    studied = _studied(run, session, weights)
    said: list[Contribution] = []
    for contribute in CONTRIBUTORS:
        for step in contribute(studied):
            if isinstance(step, Advance):
                yield step
            else:
                said.append(step)
    again = f"cnnlab report {shlex.quote(str(run.path))}"
    report = composed(f"Report of {run.name}", said, lead=_lead(run, weights), command=again)
    saved = files.save(report, run.path / "reports")
    if tensorboard:
        folder = run.path / "tensorboard" / "report"
        remove_folder(folder)
        with EventLog(folder) as events:
            events_of.write(report, events, studied.network.epoch, prefix="report", drawn=saved.drawn)
    yield WholeReport(saved.page, report)


def _studied(run: Run, session: Session, weights: WhichWeights) -> Studied:
    network = open_run(run, session, weights)
    split, images = network.held_out(session.place)
    predictions = predictions_of(network, images)
    return Studied(
        run=run,
        network=network,
        split=split,
        images=images,
        predictions=predictions,
        chosen=chosen_images(predictions.logits.argmax(1), predictions.labels),
        weights=weights,
        session=session,
    )


def _lead(run: Run, weights: WhichWeights) -> str:
    record = run.record
    return (
        f"{record.data.train:,} training and {record.data.validation:,} validation images of {record.data.name}, "
        f"{len(record.data.classes)} classes, on {record.device}, seed {record.seed}. Everything below is of the "
        f"{weights} weights. To repeat it: cnnlab train {shlex.quote(str(run.path / 'config.yaml'))}"
    )
