"""`cnnlab export`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.network.session import Session


@with_session("data", "allow_plugins", "runs", "as_json")
@with_network
def export(
    session: Session,
    named: Named,
    to: Annotated[
        str, typer.Option("--to", metavar="onnx|pt2|safetensors|folder", help="The format; folder is a hub's layout.")
    ] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The file, or the folder.", show_default="below the run's reports"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what lies there.")] = False,
    fuse: Annotated[
        bool, typer.Option("--fuse", help="Fold batch norms and merge branches before, as `cnnlab fuse` does.")
    ] = False,
) -> None:
    """Write a network for other programs, with its classes and preparation, run and compared before it is kept.

    What is written is read back and run on real images in batches of 1, 2 and 5: where a logit differs by more than
    1e-4, or an answer, there is no file, and the exit code is 1.

    Example: [bold]cnnlab export quickstart --to onnx --out quickstart.onnx[/]
    """
    from cnnlab.deploy.export.report import export_report
    from cnnlab.deploy.export.run import export as export_network
    from cnnlab.deploy.fuse.run import as_proven
    from cnnlab.view import console

    network = named.open(session, for_images=True, device="cpu")
    if fuse:
        network = as_proven(network, session)
    made = export_network(network, session, to=to, out=out, overwrite=overwrite)
    if session.as_json:
        print_json(made.document())
    else:
        console.show(export_report(made), out_console())
