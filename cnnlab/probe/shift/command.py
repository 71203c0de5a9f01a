"""`cnnlab probe shift`."""

from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import MOST, OutOption, looked_into
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.network.session import Session
from cnnlab.probe.options import PartOption, WhatIfOption
from cnnlab.probe.output import folder_of


class Border(StrEnum):
    """What comes in where an image has moved away."""

    reflect = "reflect"
    replicate = "replicate"
    zero = "zero"
    circular = "circular"
    canvas = "canvas"


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
