"""`cnnlab probe equivariance`."""

from typing import Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import MOST, DepthOption, OutOption, looked_into
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.network.session import Session
from cnnlab.probe.options import PartOption, WhatIfOption
from cnnlab.probe.output import folder_of


@with_session("max_batch", "seed", "data", "device", "allow_plugins", "runs", "as_json")
@with_network
def equivariance(
    session: Session,
    named: Named,
    split: PartOption = None,
    count: Annotated[
        int | None,
        typer.Option(min=1, max=MOST, help="Images.", show_default="16, and 4 of those larger than 64 px"),
    ] = None,
    shifts: Annotated[
        str | None, typer.Option(metavar="N,…", help="In pixels; by default up to the largest stride.")
    ] = None,
    what_if: WhatIfOption = None,
    depth: DepthOption = None,
    out: OutOption = None,
) -> None:
    """Tell whether the maps of each layer move as the image does, where they stop doing so, and why.

    Shifts, half a pixel among them, turns and sizes; padding, subsampling and activations are taken away in turn.
    Without images of its own or --data it is noise that moves.

    Example: [bold]cnnlab probe equivariance quickstart --what-if padding=reflect[/]
    """
    from cnnlab.probe.equivariance.facts import equivariance_document
    from cnnlab.probe.equivariance.report import equivariance_report
    from cnnlab.probe.equivariance.run import equivariance as measured
    from cnnlab.probe.numbers import listed_numbers

    part = looked_into(split)
    asked = "`shifts`"
    wanted = () if shifts is None else listed_numbers(shifts, asked, what="whole pixels", example="1,2,4")
    network = named.open(session, for_images=True, any_channels=session.data is None)
    facts = with_bars(
        measured(network, session, split=part, count=count, shifts=wanted, what_if=what_if or (), depth=depth)
    )
    folder = folder_of(network, "equivariance", session, out)
    write_and_show(equivariance_report(facts), equivariance_document(facts), folder, session)
