"""`cnnlab summary`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.options import DepthOption, ModelArgument, err_console, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.network.session import Session


@with_session("allow_plugins", "runs", "as_json")
def summary(
    session: Session,
    model: ModelArgument,
    size: Annotated[
        str | None, typer.Option("--input", metavar="SIZE", help="Size of the images: 224, 224,160 or C,H,W.")
    ] = None,
    depth: DepthOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="The output-size formula with its numbers; weights without sharing.")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the table there, as CSV and a page.")] = None,
) -> None:
    """Tell a network's shapes, parameters, multiply-accumulates, memory and receptive fields, layer by layer.

    MODEL is a run, a config, torchvision:NAME or timm:NAME.

    Example: [bold]cnnlab summary configs/cifar.yaml --explain[/]
    """
    from cnnlab.layers_lab.summary.report import summary_json, summary_report
    from cnnlab.layers_lab.summary.run import summarize
    from cnnlab.network.open import open_network
    from cnnlab.view import console, files

    network = open_network(model, replace(session, device_name="cpu"), size=size, values=False)
    found = summarize(network)
    report = summary_report(found, name=network.name, depth=depth, explain=explain)
    if out is not None:
        files.save(report, out)
    if session.as_json:
        print_json(summary_json(found, network.name))
        return
    console.show(report, out_console())
    if out is not None:
        err_console().print(f"written to {out}", style="dim", soft_wrap=True)
