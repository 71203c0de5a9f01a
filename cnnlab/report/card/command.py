"""`cnnlab report-card`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.choices import Split, Weights
from cnnlab.cli.options import (
    RUNS,
    DataOption,
    DeviceOption,
    JsonOption,
    PluginsOption,
    RunArgument,
    RunsOption,
    data_place,
    err_console,
    out_console,
    print_json,
)


def report_card(
    run: RunArgument,
    pick: Annotated[
        str, typer.Option(metavar="WHICH", help="first-correct, wrong, a picture's number, or a class.")
    ] = "first-correct",
    split: Annotated[Split, typer.Option(help="The pictures to pick from.")] = Split.validation,
    random_weights: Annotated[bool, typer.Option(help="The same network before it learned anything.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder for the card.")] = None,
    weights: Annotated[Weights, typer.Option(help="Of the best epoch, or of the last.")] = Weights.best,
    data: DataOption = None,
    device: DeviceOption = "auto",
    allow_plugins: PluginsOption = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Draw one picture and four lenses on the answer: filters, a feature map, saliency, Grad-CAM; one PNG.

    Example: [bold]cnnlab report-card cifar --pick wrong[/]
    """
    from cnnlab.core.errors import RequestError
    from cnnlab.network.open import open_run
    from cnnlab.network.session import Session
    from cnnlab.report.card.report import report_card_report
    from cnnlab.report.card.run import report_card as make_card
    from cnnlab.runs.folder import Run
    from cnnlab.runs.images import evaluation_pictures
    from cnnlab.view import console, png

    opened = Run.open(run, runs)
    if split is Split.test:
        raise RequestError("the test part is opened by `cnnlab eval --split test` alone; pick from validation or train")
    network = open_run(opened, Session(device_name=device, allow_plugins=allow_plugins), weights.value)
    pictures = evaluation_pictures(opened, network.config, split.value, data_place(data))
    card = make_card(network, pictures, run=opened.name, split=split.value, pick=pick, random_weights=random_weights)
    report = report_card_report(card)
    folder = out or opened.path / "reports" / "report-card"
    (picture,) = png.save(report, folder)
    if as_json:
        facts = {"truth": card.truth, "answer": card.answer, "probability": card.probability, "index": card.index}
        lenses = {"method": card.method, "layer": card.layer, "filters": card.first, "feature": card.middle}
        more = {"located": card.located, "random_weights": card.random, "likeness": card.likeness}
        print_json({"picture": picture, "run": card.run, "split": card.split, **facts, **lenses, **more})
    else:
        console.show(report, out_console(), folder=folder)
        err_console().print(f"written to {picture}", style="dim", soft_wrap=True)
