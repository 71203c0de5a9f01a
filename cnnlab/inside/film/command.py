"""`cnnlab visualize training`."""

from typing import Annotated

import typer

from cnnlab.cli.options import MOST, RunArgument
from cnnlab.cli.session import with_session
from cnnlab.inside.output import SESSION, OutOption, write_and_show
from cnnlab.network.session import Session


@with_session(*SESSION)
def training(
    session: Session,
    run: RunArgument,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", show_default=False, help="A convolution; the first one.")
    ] = None,
    picture: Annotated[int, typer.Option(min=0, max=MOST, help="A validation image, by its number.")] = 0,
    out: OutOption = None,
) -> None:
    """Film a training: filters and the evidence for one image at each epoch, as strips and as GIFs.

    The run must have kept weights: `cnnlab train … logging.snapshots_every_epochs=1`.

    Example: [bold]cnnlab visualize training quickstart[/]
    """
    from cnnlab.cli.streams import with_bars
    from cnnlab.inside.film.report import film_json, film_report
    from cnnlab.inside.film.run import animations, filmed

    opened = session.run(run)
    facts = with_bars(filmed(opened, session, layer=layer, picture=picture))
    folder = session.folder("visualize-training", opened, out=out)
    made = animations(facts, folder)
    write_and_show(film_report(facts), film_json(facts), folder, session, more=made)
