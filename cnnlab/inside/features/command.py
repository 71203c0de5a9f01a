"""`cnnlab visualize features`."""

import sys
from typing import Annotated

import typer

from cnnlab.cli.options import RUNS, DeviceOption, JsonOption, ModelArgument, PluginsOption, RunsOption
from cnnlab.cli.unreadable import end_without_pictures
from cnnlab.inside.output import (
    ChannelsOption,
    LayerOption,
    OutOption,
    SizeOption,
    WeightsOption,
    folder_of,
    opened,
    write_and_show,
)


def features(
    model: ModelArgument,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE…", help="Files, folders, patterns; - for stdin.")],
    layer: LayerOption = None,
    channels: ChannelsOption = None,
    size: SizeOption = None,
    weights: WeightsOption = None,
    out: OutOption = None,
    device: DeviceOption = "auto",
    allow_plugins: PluginsOption = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Draw what a layer's channels make of a picture, list the silent ones, and walk through the network.

    MODEL is a run, a config, torchvision:NAME or timm:NAME.

    Example: [bold]cnnlab visualize features quickstart photo.jpg --layer conv_bn_act2[/]
    """
    from cnnlab.cli.bars import followed
    from cnnlab.inside.channels import channels_of
    from cnnlab.inside.features.report import features_json, features_report
    from cnnlab.inside.features.run import watched_features
    from cnnlab.network.image_files import find_pictures
    from cnnlab.network.prepared_images import pictures_of_files

    wanted = None if channels is None else channels_of(channels)
    network, place = opened(model, runs, weights=weights, device=device, allow_plugins=allow_plugins, size=size)
    sources = find_pictures(images, sys.stdin.buffer)
    found, unreadable = pictures_of_files(sources, network.preparation, network.classes)
    if not found:
        end_without_pictures(unreadable, as_json=as_json)
    facts = followed(watched_features(network, found, layer=layer, channels=wanted, place=place))
    folder = folder_of(network, "features", out, runs)
    write_and_show(features_report(facts), features_json(facts), folder, as_json=as_json, unreadable=unreadable)
