"""`cnnlab report` and `cnnlab report-card`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import OutOption, Split, err_console, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.core.errors import RequestError
from cnnlab.network.session import Session


@with_session("data", "device", "allow_plugins", "runs", "as_json")
@with_network
def report(
    session: Session,
    named: Named,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Put figures, numbers and words into the run's TensorBoard, too.")
    ] = False,
    out: OutOption = None,
) -> None:
    """Write everything about a network on one page that can be handed to somebody else: reports/index.html of a run.

    What is no run is looked at on the images that --data names, and has no training to tell of.

    Example: [bold]cnnlab report quickstart[/]
    """
    from cnnlab.report.run import whole_report
    from cnnlab.view import json

    network = named.open(session, for_images=True)
    written = with_bars(whole_report(network, session, tensorboard=tensorboard, out=out))
    if session.as_json:
        print_json({"page": written.page, "report": json.document(written.report)})
    else:
        out_console().print(str(written.page), soft_wrap=True)


@with_session("data", "device", "allow_plugins", "runs", "as_json")
@with_network
def report_card(
    session: Session,
    named: Named,
    pick: Annotated[
        str, typer.Option(metavar="WHICH", help="first-correct, wrong, an image's number, or a class.")
    ] = "first-correct",
    split: Annotated[Split, typer.Option(help="The images to pick from.")] = Split.validation,
    random_weights: Annotated[bool, typer.Option(help="The same network before it learned anything.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder for the card.")] = None,
) -> None:
    """Draw one image and four lenses on the answer: filters, a feature map, saliency, Grad-CAM; one PNG.

    Example: [bold]cnnlab report-card cifar --pick wrong[/]
    """
    from cnnlab.report.card.report import card_json, report_card_report
    from cnnlab.report.card.run import report_card as make_card
    from cnnlab.view import console, png

    if split is Split.test:
        raise RequestError("the test part is opened by `cnnlab eval --split test` alone; pick from validation or train")
    network = named.open(session, for_images=True)
    images, part = network.part(split.value, session.place), network.named_part(split.value)
    card = make_card(network, images, split=part, pick=pick, random_weights=random_weights)
    drawn = report_card_report(card)
    without_run = f"report-card/{network.file_name}"
    folder = session.folder("report-card", network.run, out=out, without_run=without_run)
    (figure,) = png.save(drawn, folder)
    if session.as_json:
        print_json({"picture": figure, **card_json(card)})
    else:
        console.show(drawn, out_console(), folder=folder)
        err_console().print(f"written to {figure}", style="dim", soft_wrap=True)
