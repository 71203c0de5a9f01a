"""`cnnlab visualize filters`."""

from typing import Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.session import with_session
from cnnlab.inside.output import OutOption, folder_of, write_and_show
from cnnlab.network.session import Session


@with_session("seed", "allow_plugins", "runs", "as_json", help={"seed": "Of the random filters and the intervals."})
@with_network
def filters(
    session: Session,
    named: Named,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", show_default=False, help="A convolution; the first one.")
    ] = None,
    random: Annotated[int, typer.Option(min=2, max=10_000, help="Random filters to compare with.")] = 64,
    out: OutOption = None,
) -> None:
    """Draw a convolution's filters and measure what they are: edges, gratings, blobs, colours, against chance.

    Example: [bold]cnnlab visualize filters quickstart[/]
    """
    from cnnlab.cli.streams import with_bars
    from cnnlab.inside.filters.report import filters_json, filters_report
    from cnnlab.inside.filters.run import measured_filters

    network = named.open(session, device="cpu")
    facts = with_bars(measured_filters(network, session, layer=layer, random=random))
    folder = folder_of(network, "filters", session, out)
    write_and_show(filters_report(facts), filters_json(facts), folder, session)
