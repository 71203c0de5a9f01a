"""`cnnlab visualize filters`."""

from typing import Annotated

import typer

from cnnlab.cli.options import LAST_SEED, RUNS, JsonOption, ModelArgument, PluginsOption, RunsOption
from cnnlab.inside.output import OutOption, WeightsOption, folder_of, write_and_show


def filters(
    model: ModelArgument,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", show_default=False, help="A convolution; the first one.")
    ] = None,
    random: Annotated[int, typer.Option(min=2, max=10_000, help="Random filters to compare with.")] = 64,
    weights: WeightsOption = None,
    seed: Annotated[int, typer.Option(min=0, max=LAST_SEED, help="Of the random filters and the intervals.")] = 0,
    out: OutOption = None,
    allow_plugins: PluginsOption = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Draw a convolution's filters and measure what they are: edges, gratings, blobs, colours, against chance.

    MODEL is a run, a config, torchvision:NAME or timm:NAME.

    Example: [bold]cnnlab visualize filters quickstart[/]
    """
    from cnnlab.cli.bars import followed
    from cnnlab.inside.filters.report import filters_json, filters_report
    from cnnlab.inside.filters.run import filters_network, measured_filters

    named = filters_network(model, runs, weights=weights, allow_plugins=allow_plugins)
    facts = followed(measured_filters(named, layer=layer, random=random, seed=seed))
    folder = folder_of(named, "filters", out, runs)
    write_and_show(filters_report(facts), filters_json(facts), folder, as_json=as_json)
