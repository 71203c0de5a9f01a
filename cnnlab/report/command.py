"""`cnnlab report`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli.choices import Weights
from cnnlab.cli.options import (
    RunArgument,
    out_console,
    print_json,
)
from cnnlab.cli.session import with_session
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.report.run import WholeReport
    from cnnlab.runs.folder import Run


@with_session("data", "device", "allow_plugins", "runs", "as_json")
def report(
    session: Session,
    run: RunArgument,
    weights: Annotated[Weights, typer.Option(help="Of the best epoch, or of the last.")] = Weights.best,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Put pictures, numbers and words into the run's TensorBoard, too.")
    ] = False,
) -> None:
    """Write everything about a run on one page that can be handed to somebody else: reports/index.html.

    Example: [bold]cnnlab report quickstart[/]
    """
    from cnnlab.view import json

    written = write_whole_report(session.run(run), session, weights=weights, tensorboard=tensorboard)
    if session.as_json:
        print_json({"page": written.page, "report": json.document(written.report)})
    else:
        out_console().print(str(written.page), soft_wrap=True)


def write_whole_report(
    run: "Run", session: Session, *, weights: Weights = Weights.best, tensorboard: bool = False
) -> "WholeReport":
    """The whole page of a run, with bars on stderr meanwhile.

    Raises: RequestError where the run has no weights, or its data is not what it was trained on.
    """
    from cnnlab.cli.bars import followed
    from cnnlab.evaluation.run import EvaluateOptions
    from cnnlab.report.run import default_options, whole_report

    options = EvaluateOptions(
        split="validation",
        tta="none",
        by=None,
        weights=weights.value,
        session=session,
    )
    return followed(whole_report(run, default_options(run, options), tensorboard=tensorboard))
