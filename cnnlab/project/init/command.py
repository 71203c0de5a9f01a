"""`cnnlab init`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import say
from cnnlab.network.session import Session


@with_session("device", "runs", "as_json")
def init(
    session: Session,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|CSV",
            show_default=False,
            help="Class folders, parts with class folders, or a table path,label[,group][,part].",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", show_default="NAME.yaml here", help="The config that is written.")
    ] = None,
) -> None:
    """Look at images of your own, and write a config that trains on them, with the reason for each choice.

    Counts, sizes, kinds, copies within and across parts, files that cannot be read, names that tell of patients or
    sessions, whether the classes survive a mirror; and how long training will take on this machine, from a few steps.
    No image is copied or moved.

    Example: [bold]cnnlab init photos && cnnlab train photos.yaml[/]
    """
    from cnnlab.project.init.report import init_report
    from cnnlab.project.init.run import init as looked_through
    from cnnlab.project.init.run import write_config

    facts = looked_through(source, session, out=out)
    write_config(facts)
    write_and_show(init_report(facts), facts.as_json(), session.folder("init") / facts.name, session)
    say(f"written {facts.out}; next: cnnlab train {facts.out}")
