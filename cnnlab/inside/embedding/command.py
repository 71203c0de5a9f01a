"""`cnnlab visualize embedding`."""

from typing import Annotated

import typer

from cnnlab.cli.options import MOST, RunArgument, Split, looked_into
from cnnlab.cli.session import with_session
from cnnlab.inside.output import SESSION, OutOption, SplitOption, WeightsOption, folder_of, own_images, write_and_show
from cnnlab.network.session import Session


@with_session(*SESSION)
def embedding(
    session: Session,
    run: RunArgument,
    like: Annotated[
        list[str] | None,
        typer.Option(metavar="N|FILE", show_default=False, help="Whose neighbours to show; may be repeated."),
    ] = None,
    split: SplitOption = Split.validation,
    count: Annotated[int, typer.Option(min=3, max=MOST, help="At most so many images.")] = 2000,
    neighbours: Annotated[int, typer.Option(min=1, max=32, help="Neighbours of each image.")] = 8,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", show_default=False, help="Whose input to take; the head.")
    ] = None,
    weights: WeightsOption = None,
    out: OutOption = None,
) -> None:
    """Show images as points where the head sees them: principal components, neighbours, TensorBoard's projector.

    RUN is a run, or a config for a network that learned nothing.

    Example: [bold]cnnlab visualize embedding quickstart --like 7[/]
    """
    from cnnlab.cli.streams import with_bars
    from cnnlab.inside.embedding.report import embedding_json, embedding_report
    from cnnlab.inside.embedding.run import embedded, write_projector
    from cnnlab.network.open import open_network

    looked_into(split)
    network = open_network(run, session, weights=weights, for_images=True)
    facts = with_bars(
        embedded(
            network,
            own_images(network, split, session),
            session,
            split=split.value,
            count=count,
            layer=layer,
            like=like or (),
            neighbours=neighbours,
        )
    )
    folder = folder_of(network, "embedding", session, out)
    beside = network.run.path / "tensorboard" if network.run and out is None else folder
    projector = str(write_projector(facts, beside / "embedding"))
    write_and_show(embedding_report(facts, projector), embedding_json(facts, projector), folder, session)
