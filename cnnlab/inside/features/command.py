"""`cnnlab visualize features`."""

import sys
from typing import Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import end_without_images
from cnnlab.inside.output import (
    SESSION,
    ChannelsOption,
    LayerOption,
    OutOption,
    folder_of,
    write_and_show,
)
from cnnlab.network.session import Session


@with_session(*SESSION)
@with_network
def features(
    session: Session,
    named: Named,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE…", help="Files, folders, patterns; - for stdin.")],
    layer: LayerOption = None,
    channels: ChannelsOption = None,
    out: OutOption = None,
) -> None:
    """Draw the activations of a layer's channels for an image, list the silent ones, and walk through the network.

    Example: [bold]cnnlab visualize features quickstart photo.jpg --layer conv_bn_act2[/]
    """
    from cnnlab.cli.streams import with_bars
    from cnnlab.inside.channels import channels_of
    from cnnlab.inside.features.report import features_json, features_report
    from cnnlab.inside.features.run import watched_features
    from cnnlab.network.image_files import find_images
    from cnnlab.network.prepared_images import images_of_files

    wanted = None if channels is None else channels_of(channels)
    network = named.open(session, for_images=True)
    sources = find_images(images, sys.stdin.buffer)
    found, unreadable = images_of_files(sources, network.preparation, network.classes)
    if not found:
        end_without_images(unreadable, as_json=session.as_json)
    facts = with_bars(watched_features(network, found, session, layer=layer, channels=wanted))
    folder = folder_of(network, "features", session, out)
    write_and_show(features_report(facts), features_json(facts), folder, session, unreadable=unreadable)
