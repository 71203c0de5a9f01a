"""`cnnlab probe …`: experiments on one network, or on the same task with several."""

from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer

from cnnlab.cli.failures import Application
from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import MOST, DepthOption, OutOption, Split, looked_into
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.network.session import Session
from cnnlab.probe.norm.command import norm
from cnnlab.probe.output import folder_of

app = Application(
    help="Experiments: what moving, mixing and changing images and layers does to a network.", no_args_is_help=True
)

PartOption = Annotated[
    Split | None, typer.Option("--split", help="Which images of the data; what was held out.", show_default=False)
]
WhatIfOption = Annotated[
    list[str] | None,
    typer.Option(metavar="CHANGE", help="The same weights with pool=blur_pool, padding=reflect, activation=identity."),
]


class Border(StrEnum):
    """What comes in where an image has moved away."""

    reflect = "reflect"
    replicate = "replicate"
    zero = "zero"
    circular = "circular"
    canvas = "canvas"


@app.command()
@with_session("max_batch", "seed", "data", "device", "allow_plugins", "runs", "as_json")
@with_network
def equivariance(
    session: Session,
    named: Named,
    split: PartOption = None,
    count: Annotated[int, typer.Option(min=1, max=MOST, help="Images.")] = 16,
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
    from cnnlab.probe.pixels import pixels_of

    part = looked_into(split)
    wanted = () if shifts is None else pixels_of(shifts)
    network = named.open(session, for_images=True, any_channels=session.data is None)
    facts = with_bars(
        measured(network, session, split=part, count=count, shifts=wanted, what_if=what_if or (), depth=depth)
    )
    folder = folder_of(network, "equivariance", session, out)
    write_and_show(equivariance_report(facts), equivariance_document(facts), folder, session)


@app.command()
@with_session("max_batch", "seed", "data", "device", "allow_plugins", "runs", "as_json")
@with_network
def shift(
    session: Session,
    named: Named,
    others: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]…", help="More networks, on the same images.", show_default=False),
    ] = None,
    split: PartOption = None,
    count: Annotated[int, typer.Option(min=1, max=MOST, help="Images, at most.")] = 1000,
    max_shift: Annotated[int, typer.Option(min=1, max=MOST, help="The largest shift, in pixels.")] = 4,
    border: Annotated[Border, typer.Option(help="What comes in; canvas: of the enlarged image.")] = Border.reflect,
    what_if: WhatIfOption = None,
    out: OutOption = None,
) -> None:
    """Measure accuracy and changed answers when the image moves by a few pixels, of several networks side by side.

    Example: [bold]cnnlab probe shift dense dense-shifted local conv --what-if pool=blur_pool[/]
    """
    from cnnlab.probe.shift.facts import shift_document
    from cnnlab.probe.shift.report import shift_report
    from cnnlab.probe.shift.run import shift as measured

    part = looked_into(split)
    every = [named, *(replace(named, text=text) for text in others or ())]
    networks = [one.open(session, for_images=True) for one in every]
    facts = with_bars(
        measured(
            networks,
            session,
            split=part,
            count=count,
            max_shift=max_shift,
            border=border.value,
            what_if=what_if or (),
        )
    )
    folder = folder_of(networks[0], "shift", session, out)
    write_and_show(shift_report(facts), shift_document(facts), folder, session)


@app.command()
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


app.command()(norm)
