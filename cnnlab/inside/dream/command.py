"""`cnnlab visualize dream`."""

from typing import Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.session import with_session
from cnnlab.inside.output import SESSION, LayerOption, OutOption, folder_of, write_and_show
from cnnlab.network.session import Session


@with_session("seed", *SESSION, help={"seed": "The same seed gives the same image."})
@with_network
def dream(
    session: Session,
    named: Named,
    layer: LayerOption = None,
    channel: Annotated[
        str | None, typer.Option(metavar="N,…", show_default=False, help="With --layer: channels, such as 3,7.")
    ] = None,
    chosen: Annotated[
        list[str] | None, typer.Option("--class", metavar="NAME", show_default=False, help="A class; may be repeated.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=100_000, help="Of ascent.")] = 256,
    rate: Annotated[float, typer.Option("--lr", help="The size of a step.")] = 0.1,
    out: OutOption = None,
) -> None:
    """Make images to which a channel or a class answers as strongly as it can, by gradient ascent.

    Example: [bold]cnnlab visualize dream quickstart --class star[/]
    """
    from cnnlab.cli.streams import with_bars
    from cnnlab.inside.dream.report import dream_json, dream_report
    from cnnlab.inside.dream.run import dreams, objectives, save_image

    network = named.open(session, for_images=True)
    wanted = objectives(network, layer=layer, channel=channel, classes=chosen or ())
    facts = with_bars(dreams(network, wanted, session, steps=steps, learning_rate=rate))
    folder = folder_of(network, "dream", session, out)
    made = [save_image(one.image, folder / "pixels" / f"{one.stem}.png") for one in facts.dreams]
    write_and_show(dream_report(facts), dream_json(facts), folder, session, more=made)
