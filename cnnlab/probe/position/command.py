"""`cnnlab probe position`."""

from typing import Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import MOST, DepthOption, OutOption
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.network.session import Session
from cnnlab.probe.options import WhatIfOption
from cnnlab.probe.output import folder_of


@with_session("max_batch", "seed", "device", "allow_plugins", "runs", "as_json")
@with_network
def position(
    session: Session,
    named: Named,
    count: Annotated[int, typer.Option(min=1, max=MOST, help="Images of noise, and of patterns.")] = 128,
    what_if: WhatIfOption = None,
    depth: DepthOption = None,
    out: OutOption = None,
) -> None:
    """Read out of each layer where in the image it is: what a padded border tells, and circular padding does not.

    Example: [bold]cnnlab probe position quickstart --what-if padding=reflect[/]
    """
    from cnnlab.probe.position.facts import position_document
    from cnnlab.probe.position.report import position_report
    from cnnlab.probe.position.run import position as measured

    network = named.open(session)
    facts = with_bars(measured(network, session, count=count, what_if=what_if or (), depth=depth))
    folder = folder_of(network, "position", session, out)
    write_and_show(position_report(facts), position_document(facts), folder, session)
