"""`cnnlab visualize dream`."""

from typing import Annotated

import typer

from cnnlab.cli.options import LAST_SEED, RUNS, DeviceOption, JsonOption, ModelArgument, PluginsOption, RunsOption
from cnnlab.inside.output import LayerOption, OutOption, SizeOption, WeightsOption, folder_of, opened, write_and_show


def dream(
    model: ModelArgument,
    layer: LayerOption = None,
    channel: Annotated[
        str | None, typer.Option(metavar="N,…", show_default=False, help="With --layer: channels, such as 3,7.")
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", metavar="NAME", show_default=False, help="A class; may be repeated.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=100_000, help="Of ascent.")] = 256,
    rate: Annotated[float, typer.Option("--lr", help="The size of a step.")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, max=LAST_SEED, help="The same seed gives the same picture.")] = 0,
    size: SizeOption = None,
    weights: WeightsOption = None,
    out: OutOption = None,
    device: DeviceOption = "auto",
    allow_plugins: PluginsOption = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Make pictures to which a channel or a class answers as strongly as it can, by gradient ascent.

    MODEL is a run, a config, torchvision:NAME or timm:NAME.

    Example: [bold]cnnlab visualize dream quickstart --class star[/]
    """
    from cnnlab.cli.bars import followed
    from cnnlab.inside.dream.image_file import save_picture
    from cnnlab.inside.dream.report import dream_json, dream_report
    from cnnlab.inside.dream.run import dreams, objectives

    network, place = opened(model, runs, weights=weights, device=device, allow_plugins=allow_plugins, size=size)
    wanted = objectives(network, layer=layer, channels=channel, classes=classes or ())
    facts = followed(dreams(network, wanted, steps=steps, learning_rate=rate, seed=seed, place=place))
    folder = folder_of(network, "dream", out, runs)
    made = [save_picture(one.image, folder / "pixels" / f"{one.stem}.png") for one in facts.dreams]
    write_and_show(dream_report(facts), dream_json(facts), folder, as_json=as_json, more=made)
