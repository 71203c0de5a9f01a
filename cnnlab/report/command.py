"""`cnnlab report`."""

from typing import Annotated

import typer

from cnnlab.cli.options import RunArgument, Weights, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.network.session import Session


@with_session("data", "device", "allow_plugins", "runs", "as_json")
def report(
    session: Session,
    run: RunArgument,
    weights: Annotated[Weights, typer.Option(help="Of the best epoch, or of the last.")] = Weights.best,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Put figures, numbers and words into the run's TensorBoard, too.")
    ] = False,
) -> None:
    """Write everything about a run on one page that can be handed to somebody else: reports/index.html.

    Example: [bold]cnnlab report quickstart[/]
    """
    from cnnlab.report.run import whole_report
    from cnnlab.view import json

    written = with_bars(whole_report(session.run(run), session, weights=weights.value, tensorboard=tensorboard))
    if session.as_json:
        print_json({"page": written.page, "report": json.document(written.report)})
    else:
        out_console().print(str(written.page), soft_wrap=True)
