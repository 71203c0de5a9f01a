"""`cnnlab report`: everything about a network on one page that needs nothing else."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.files import refuse_links, remove_folder, remove_parts
from cnnlab.evaluation.run import check_asks_for_one_class, predictions_of
from cnnlab.network.asked_data import counted
from cnnlab.network.network import Network, RunNetwork
from cnnlab.network.session import Session
from cnnlab.network.studied import Studied
from cnnlab.report.contributors import CONTRIBUTORS
from cnnlab.report.experiments import experiments
from cnnlab.report.gallery import chosen_images
from cnnlab.report.raw_data import raw_data
from cnnlab.runs.events import EventLog
from cnnlab.view import files
from cnnlab.view import tensorboard as events_of
from cnnlab.view.blocks import Report, tables
from cnnlab.view.contribution import Contribution, composed, unpraised


@dataclass(frozen=True, eq=False)
class PageFacts:
    """Everything that is said of a network."""

    network: Network
    """Its classes have names."""
    said: tuple[Contribution, ...]
    """What each subject says, in the order of the page."""
    lead: str
    usual_folder: Path
    """Where the page lies when no other place is named."""


@dataclass(frozen=True)
class WholeReport:
    """What was written."""

    page: Path
    report: Report


def page_facts(network: Network, session: Session) -> Iterator[Advance | PageFacts]:
    """Ask every subject what it has to say of a network; nothing is written.

    Arguments:
        network: opened for images; what is said is of the validation part of its data, or of what it was trained on
            where none was kept.
        session: where its data lies, and the device.

    Yields:
        How far the work is; at last the facts, of which `page_report` makes the page.

    Raises:
        RequestError: where there is no data, or it is not what a run was trained on.

    Example:
        session = Session()
        *_, facts = page_facts(open_run("cifar", session), session)
        page_report(facts, Path("page")).summary
    """
    studied = _studied(network, session)
    said: list[Contribution] = []
    for contribute in CONTRIBUTORS:
        for step in contribute(studied):
            if isinstance(step, Advance):
                yield step
            else:
                said.append(step)
    yield PageFacts(studied.network, tuple(said), _lead(studied), _usual_folder(network, session))


def page_report(facts: PageFacts, folder: Path) -> Report:
    """The page that is to lie in `folder`, from where its links lead to the files of the run."""
    network, run = facts.network, facts.network.run
    title = f"Report of {network.name}"
    said = facts.said if network.trained else tuple(map(unpraised, facts.said))
    blocks = tuple(block for one in said for block in one.blocks)
    links = raw_data(run, folder, {table.name for table in tables(Report(title, blocks))})
    again = f"cnnlab report {shlex.quote(network.name if run is None else str(run.path))}"
    return composed(title, (*said, experiments(run, folder), links), lead=facts.lead, command=again)


def whole_report(
    network: Network, session: Session, *, tensorboard: bool = False, out: Path | None = None
) -> Iterator[Advance | WholeReport]:
    """Write everything about a network on one page, with its tables beside it.

    Arguments:
        network, session: as of `page_facts`.
        out: the folder, in place of the usual one.
        tensorboard: whether figures, numbers and words go to `RUN/tensorboard/report`, too.

    Yields:
        How far the work is; at last the page, `RUN/reports/index.html`, or `RUNS/report/NAME/index.html` of a network
        that has no run.

    Raises:
        RequestError: as `page_facts`, and where there is no run for `tensorboard`.

    Example:
        session = Session()
        *_, written = whole_report(open_run("cifar", session), session)
        print(written.page)
    """
    run = network.run
    if tensorboard and run is None:
        raise RequestError(f"`tensorboard` is of a run, and {network.name} is none; leave it out")
    folder = out or _usual_folder(network, session)
    refuse_links(folder)  # now, and not when the work is done
    if run is not None:
        remove_parts(run.path)
    for step in page_facts(network, session):
        if isinstance(step, Advance):
            yield step
            continue
        report = page_report(step, folder)
        saved = files.save(report, folder)
        if tensorboard and isinstance(network, RunNetwork):
            events_folder = network.run.path / "tensorboard" / "report"
            remove_folder(events_folder)
            with EventLog(events_folder) as events:
                events_of.write(report, events, network.epoch, prefix="report", drawn=saved.drawn)
        yield WholeReport(saved.page, report)


def _usual_folder(network: Network, session: Session) -> Path:
    run = network.run
    return session.folder(f"report/{network.file_name}") if run is None else run.path / "reports"


def _studied(network: Network, session: Session) -> Studied:
    split, images = network.held_out(session.place)
    check_asks_for_one_class(network, images)
    network = network.named_by(images)
    predictions = predictions_of(network, images)
    return Studied(
        network=network,
        split=split,
        images=images,
        predictions=predictions,
        chosen=chosen_images(predictions.logits.argmax(1), predictions.labels),
        session=session,
    )


def _lead(studied: Studied) -> str:
    network = studied.network
    if not isinstance(network, RunNetwork):
        data = "" if network.asked is None else f" of {network.asked.name}"
        learned = "" if network.trained else ", which have learned nothing"
        count = counted(f"{len(studied.images):,}", studied.part)
        return f"{count}{data}, {len(network.classes)} classes. Everything below is of {network.weights}{learned}."
    record = network.run.record
    return (
        f"{record.data.train:,} training and {record.data.validation:,} validation images of {record.data.name}, "
        f"{len(record.data.classes)} classes, on {record.device}, seed {record.seed}. Everything below is of the "
        f"{network.which} weights. To repeat it: cnnlab train {shlex.quote(str(network.run.path / 'config.yaml'))}"
    )
