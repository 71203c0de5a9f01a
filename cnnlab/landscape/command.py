"""`cnnlab landscape`: the loss around a network's weights."""

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli.network import ASKED_ALIKE, Named, with_networks
from cnnlab.cli.options import MOST, OutOption, Split, looked_into
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.network.network import Network


class Statistics(StrEnum):
    """Of batch norm."""

    retaken = "retaken"
    kept = "kept"


@with_session(
    *("seed", "data", "device", "allow_plugins", "runs", "as_json"),
    help={"seed": "Of directions and images.", "data": ASKED_ALIKE},
)
@with_networks
def landscape(
    session: Session,
    named: list[Named],
    split: Annotated[
        Split | None, typer.Option(help="Train, or validation where there is no other.", show_default=False)
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=MOST, help="Images over which the loss is the mean.")] = 512,
    points: Annotated[int, typer.Option(min=3, max=501, help="Places along each side; odd.")] = 17,
    span: Annotated[
        float, typer.Option(min=0.001, max=100, help="How far: 1 moves each filter by its own length.")
    ] = 1.0,
    draws: Annotated[int, typer.Option(min=2, max=1000, help="Random directions for the mean rise.")] = 8,
    path: Annotated[bool, typer.Option(help="The plane of the training's path, too.")] = True,
    statistics: Annotated[
        Statistics, typer.Option(help="Of batch norm: taken anew at each place, augmented as in training, or its own.")
    ] = Statistics.retaken,
    out: OutOption = None,
) -> None:
    """Draw the loss around weights: filter-normalised surface, mean rise, the training's path; of several, too.

    Directions are filter-normalised (Li et al. 2018), so that networks can be compared. The path needs the weights of
    the epochs: train with logging.snapshots_every_epochs=1. Stopped, the same command goes on where it was.

    Example: [bold]cnnlab landscape cifar cifar-without-norm[/]
    """
    from cnnlab.evaluation.side_by_side_run import comparable
    from cnnlab.landscape.report import landscape_report
    from cnnlab.landscape.run import LandscapeOptions
    from cnnlab.landscape.run import landscape as measured

    options = LandscapeOptions(
        looked_into(split),
        count,
        points=points,
        span=span,
        draws=draws,
        path=path,
        statistics=statistics.value,
    )
    if len(named) == 1:
        networks: tuple[Network, ...] = (named[0].open(session, for_images=True),)
    else:
        networks = comparable([one.open(replace(session, data=None), for_images=True) for one in named], session)
    folder = session.folder("landscape", networks[0].run, out=out, without_run=f"landscape/{networks[0].file_name}")
    facts = with_bars(measured(networks, session, options, keep=folder))
    write_and_show(landscape_report(facts), facts.as_json(), folder, session)
