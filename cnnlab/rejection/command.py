"""`cnnlab reject`: when an image is none of the classes."""

from typing import Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import MOST, OutOption, Split, looked_into
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import say, with_bars
from cnnlab.core.files import refuse_links
from cnnlab.network.session import Session


@with_session("seed", "data", "device", "allow_plugins", "runs", "as_json")
@with_network
def reject(
    session: Session,
    named: Named,
    accept: Annotated[
        Split | None, typer.Option(help="Whose images are accepted; what was held out.", show_default=False)
    ] = None,
    outside: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FOLDER",
            help="noise, textures, numbers, patches, a data set, a config, a folder; several times.",
            show_default="all that is made here",
        ),
    ] = None,
    score: Annotated[
        str, typer.Option(metavar="NAME", help="max_logit, energy, mahalanobis, …", show_default="chosen")
    ] = "",
    share: Annotated[float, typer.Option(min=0.01, max=1.0, help="Of the accepted images that stay accepted.")] = 0.95,
    count: Annotated[int, typer.Option(min=4, max=MOST, help="Accepted images, and outsiders of each group.")] = 1000,
    train_count: Annotated[int, typer.Option(min=2, max=MOST, help="Training images for statistics.")] = 5000,
    out: OutOption = None,
) -> None:
    """Find a threshold under which an image is none of the classes, and measure what gets past it.

    It comes from accepted images alone, and is kept in the run, where predict --reject finds it. With --out it goes to
    that folder, and the run keeps the one that it has. The score is chosen by blends of accepted images that are not
    among the outsiders.

    Example: [bold]cnnlab reject cifar --accept validation --outside textures --outside photos/[/]
    """
    from cnnlab.rejection.kept import FILE, kept_at
    from cnnlab.rejection.measured import keep
    from cnnlab.rejection.report import reject_report
    from cnnlab.rejection.run import RejectOptions
    from cnnlab.rejection.run import reject as rejecting

    options = RejectOptions(looked_into(accept), outside or (), score, count, train_count, share)
    network = named.open(session, for_images=True)
    folder = session.folder("reject", network.run, out=out, without_run=f"reject/{network.file_name}")
    theirs = kept_at(network, session)
    place = theirs if out is None else folder / FILE
    refuse_links(place)  # now, and not when the work is done
    found = with_bars(rejecting(network, session, options))
    write_and_show(reject_report(found), found.as_json() | {"kept": str(place)}, folder, session)
    keep(found, place)
    using = f"`predict {network.name} … --reject` uses it"
    say(f"kept in {place}; {using}" if place == theirs else f"kept in {place}; as {theirs} {using}")
