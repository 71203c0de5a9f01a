"""`cnnlab visualize filters|features|patches|dream|embedding|training`."""

import sys
from typing import Annotated

import typer

from cnnlab.cli.failures import Application
from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import MOST, OutOption, RunArgument, Split, looked_into
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import end_without_images, with_bars
from cnnlab.inside.output import (
    SESSION,
    ChannelsOption,
    ConvolutionOption,
    LayerOption,
    SplitOption,
    folder_of,
)
from cnnlab.network.session import Session

app = Application(
    help="Draw what is inside: filters, feature maps, maximally activating patches, a training.", no_args_is_help=True
)


@app.command()
@with_session("seed", "allow_plugins", "runs", "as_json", help={"seed": "Of the random filters and the intervals."})
@with_network
def filters(
    session: Session,
    named: Named,
    layer: ConvolutionOption = None,
    random: Annotated[int, typer.Option(min=2, max=10_000, help="Random filters to compare with.")] = 64,
    out: OutOption = None,
) -> None:
    """Draw a convolution's filters and measure what they are: edges, gratings, blobs, colours, against chance.

    Example: [bold]cnnlab visualize filters quickstart[/]
    """
    from cnnlab.inside.filters.report import filters_json, filters_report
    from cnnlab.inside.filters.run import measured_filters

    network = named.open(session, device="cpu")
    facts = with_bars(measured_filters(network, session, layer=layer, random=random))
    folder = folder_of(network, "filters", session, out)
    write_and_show(filters_report(facts), filters_json(facts), folder, session)


@app.command()
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


@app.command()
@with_session(*SESSION, several=True)
@with_network
def patches(
    session: Session,
    named: Named,
    layer: LayerOption = None,
    channels: ChannelsOption = None,
    split: SplitOption = Split.validation,
    top: Annotated[int, typer.Option(min=1, max=64, help="Patches of each channel.")] = 9,
    out: OutOption = None,
) -> None:
    """Find the maximally activating patches of each channel in a data set, cut to exactly what its unit sees.

    Example: [bold]cnnlab visualize patches quickstart --layer conv_bn_act3[/]
    """
    from cnnlab.inside.channels import channels_of
    from cnnlab.inside.patches.report import patches_json, patches_report
    from cnnlab.inside.patches.run import found_patches

    looked_into(split)
    wanted = None if channels is None else channels_of(channels)
    network = named.open(session, for_images=True)
    images = network.part(split.value, session.place)
    facts = with_bars(
        found_patches(
            network, images, session, split=network.named_part(split.value), layer=layer, channels=wanted, top=top
        )
    )
    folder = folder_of(network, "patches", session, out)
    write_and_show(patches_report(facts), patches_json(facts), folder, session)


@app.command()
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
    from cnnlab.inside.dream.report import dream_json, dream_report
    from cnnlab.inside.dream.run import dreams, objectives, save_image

    network = named.open(session, for_images=True)
    wanted = objectives(network, layer=layer, channel=channel, classes=chosen or ())
    facts = with_bars(dreams(network, wanted, session, steps=steps, learning_rate=rate))
    folder = folder_of(network, "dream", session, out)
    made = [save_image(one.image, folder / "pixels" / f"{one.stem}.png") for one in facts.dreams]
    write_and_show(dream_report(facts), dream_json(facts), folder, session, more=made)


@app.command()
@with_session(*SESSION)
@with_network
def embedding(
    session: Session,
    named: Named,
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
    out: OutOption = None,
) -> None:
    """Show images as points where the head sees them: principal components, neighbours, TensorBoard's projector.

    Example: [bold]cnnlab visualize embedding quickstart --like 7[/]
    """
    from cnnlab.inside.embedding.report import embedding_json, embedding_report
    from cnnlab.inside.embedding.run import embedded, write_projector

    looked_into(split)
    network = named.open(session, for_images=True)
    images = network.part(split.value, session.place)
    facts = with_bars(
        embedded(
            network,
            images,
            session,
            split=network.named_part(split.value),
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


@app.command()
@with_session(*SESSION)
def training(
    session: Session,
    run: RunArgument,
    layer: ConvolutionOption = None,
    picture: Annotated[int, typer.Option(min=0, max=MOST, help="A validation image, by its number.")] = 0,
    out: OutOption = None,
) -> None:
    """Film a training: filters and the evidence for one image at each epoch, as strips and as GIFs.

    The run must have kept weights: `cnnlab train … logging.snapshots_every_epochs=1`.

    Example: [bold]cnnlab visualize training quickstart[/]
    """
    from cnnlab.inside.film.report import film_json, film_report
    from cnnlab.inside.film.run import animations, filmed

    opened = session.run(run)
    facts = with_bars(filmed(opened, session, layer=layer, picture=picture))
    folder = session.folder("visualize-training", opened, out=out)
    made = animations(facts, folder)
    write_and_show(film_report(facts), film_json(facts), folder, session, more=made)
