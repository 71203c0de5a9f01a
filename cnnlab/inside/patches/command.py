"""`cnnlab visualize patches`."""

from typing import Annotated

import typer

from cnnlab.cli.choices import Split
from cnnlab.cli.options import RUNS, DeviceOption, JsonOption, PluginsOption, RunArgument, RunsOption
from cnnlab.inside.output import (
    ChannelsOption,
    LayerOption,
    OutOption,
    SplitOption,
    WeightsOption,
    folder_of,
    opened,
    own_pictures,
    refuse_test,
    write_and_show,
)


def patches(
    run: RunArgument,
    layer: LayerOption = None,
    channels: ChannelsOption = None,
    split: SplitOption = Split.validation,
    top: Annotated[int, typer.Option(min=1, max=64, help="Patches of each channel.")] = 9,
    weights: WeightsOption = None,
    out: OutOption = None,
    device: DeviceOption = "auto",
    allow_plugins: PluginsOption = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Find the patches of a data set that each channel answers to most, cut to exactly what its unit sees.

    RUN is a run, or a config for a network that learned nothing.

    Example: [bold]cnnlab visualize patches quickstart --layer conv_bn_act3[/]
    """
    from cnnlab.cli.bars import followed
    from cnnlab.inside.channels import channels_of
    from cnnlab.inside.patches.report import patches_json, patches_report
    from cnnlab.inside.patches.run import found_patches

    refuse_test(split)
    wanted = None if channels is None else channels_of(channels)
    network, place = opened(run, runs, weights=weights, device=device, allow_plugins=allow_plugins)
    pictures = own_pictures(network, split, place)
    facts = followed(found_patches(network, pictures, split=split.value, layer=layer, channels=wanted, top=top))
    folder = folder_of(network, "patches", out, runs)
    write_and_show(patches_report(facts), patches_json(facts), folder, as_json=as_json)
