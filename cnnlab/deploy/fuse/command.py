"""`cnnlab fuse`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import MOST, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.network.session import Session


@with_session("data", "allow_plugins", "runs", "as_json")
@with_network
def fuse(
    session: Session,
    named: Named,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="The new run's folder; of a network that is no run, the file of weights.",
            show_default="RUN-fused, or below runs/fuse",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=MOST, help="Passes of both networks that are timed.")] = 30,
) -> None:
    """Fold batch norms into convolutions, merge summed branches, and keep the network that computes the same.

    Both are compared in double precision on noise and on images: where a logit differs by more than 1e-10 of the
    largest, nothing is written, and the exit code is 1. A run becomes a new run; of another network the weights are
    written, to be given with --weights.

    Example: [bold]cnnlab fuse quickstart[/]
    """
    from cnnlab.deploy.fuse.report import fuse_json, fuse_report
    from cnnlab.deploy.fuse.run import fuse_network
    from cnnlab.view import console

    network = named.open(session, for_images=True, device="cpu")
    facts = with_bars(fuse_network(network, session, out=out, repeats=repeats))
    if session.as_json:
        print_json(fuse_json(facts))
    else:
        console.show(fuse_report(facts), out_console())
