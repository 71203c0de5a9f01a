"""`cnnlab visualize embedding`."""

from typing import Annotated

import typer

from cnnlab.cli.choices import Split
from cnnlab.cli.options import MOST, RUNS, DeviceOption, JsonOption, PluginsOption, RunArgument, RunsOption
from cnnlab.inside.output import (
    OutOption,
    SplitOption,
    WeightsOption,
    folder_of,
    opened,
    own_pictures,
    refuse_test,
    write_and_show,
)


def embedding(
    run: RunArgument,
    like: Annotated[
        list[str] | None,
        typer.Option(metavar="N|FILE", show_default=False, help="Whose neighbours to show; may be repeated."),
    ] = None,
    split: SplitOption = Split.validation,
    count: Annotated[int, typer.Option(min=3, max=MOST, help="At most so many pictures.")] = 2000,
    neighbours: Annotated[int, typer.Option(min=1, max=32, help="Of each picture.")] = 8,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", show_default=False, help="Whose input to take; the head.")
    ] = None,
    weights: WeightsOption = None,
    out: OutOption = None,
    device: DeviceOption = "auto",
    allow_plugins: PluginsOption = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Show pictures as points where the head sees them: principal components, neighbours, TensorBoard's projector.

    RUN is a run, or a config for a network that learned nothing.

    Example: [bold]cnnlab visualize embedding quickstart --like 7[/]
    """
    from cnnlab.cli.bars import followed
    from cnnlab.inside.embedding.report import embedding_json, embedding_report
    from cnnlab.inside.embedding.run import embedded, write_projector

    refuse_test(split)
    network, place = opened(run, runs, weights=weights, device=device, allow_plugins=allow_plugins)
    facts = followed(
        embedded(
            network,
            own_pictures(network, split, place),
            split=split.value,
            count=count,
            layer=layer,
            queries=like or (),
            neighbours=neighbours,
        )
    )
    folder = folder_of(network, "embedding", out, runs)
    beside = network.run.path / "tensorboard" if network.run and out is None else folder
    projector = str(write_projector(facts, beside / "embedding"))
    write_and_show(embedding_report(facts, projector), embedding_json(facts, projector), folder, as_json=as_json)
