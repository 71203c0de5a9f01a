"""`cnnlab visualize patches`."""

from typing import Annotated

import typer

from cnnlab.cli.options import RunArgument, Split, looked_into
from cnnlab.cli.session import with_session
from cnnlab.inside.output import (
    SESSION,
    ChannelsOption,
    LayerOption,
    OutOption,
    SplitOption,
    WeightsOption,
    folder_of,
    own_images,
    write_and_show,
)
from cnnlab.network.session import Session


@with_session(*SESSION)
def patches(
    session: Session,
    run: RunArgument,
    layer: LayerOption = None,
    channels: ChannelsOption = None,
    split: SplitOption = Split.validation,
    top: Annotated[int, typer.Option(min=1, max=64, help="Patches of each channel.")] = 9,
    weights: WeightsOption = None,
    out: OutOption = None,
) -> None:
    """Find the maximally activating patches of each channel in a data set, cut to exactly what its unit sees.

    RUN is a run, or a config for a network that learned nothing.

    Example: [bold]cnnlab visualize patches quickstart --layer conv_bn_act3[/]
    """
    from cnnlab.cli.streams import with_bars
    from cnnlab.inside.channels import channels_of
    from cnnlab.inside.patches.report import patches_json, patches_report
    from cnnlab.inside.patches.run import found_patches
    from cnnlab.network.open import open_network

    looked_into(split)
    wanted = None if channels is None else channels_of(channels)
    network = open_network(run, session, weights=weights, for_images=True)
    images = own_images(network, split, session)
    facts = with_bars(found_patches(network, images, session, split=split.value, layer=layer, channels=wanted, top=top))
    folder = folder_of(network, "patches", session, out)
    write_and_show(patches_report(facts), patches_json(facts), folder, session)
