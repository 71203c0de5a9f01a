"""`cnnlab summary`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import DepthOption, err_console, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.network.session import Session


@with_session("allow_plugins", "runs", "as_json")
@with_network
def summary(
    session: Session,
    named: Named,
    depth: DepthOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="The output-size formula with its numbers; weights without sharing.")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the table there, as CSV and a page.")] = None,
) -> None:
    """Tell a network's shapes, parameters, multiply-accumulates, memory and receptive fields, layer by layer.

    Example: [bold]cnnlab summary configs/cifar.yaml --explain[/]
    """
    from cnnlab.layers_lab.summary.report import summary_json, summary_report
    from cnnlab.layers_lab.summary.run import summarize
    from cnnlab.view import console, files

    network = named.open(session, values=False, device="cpu")
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
