"""`cnnlab visualize training`."""

from typing import Annotated

import typer

from cnnlab.cli.options import MOST, RUNS, DeviceOption, JsonOption, PluginsOption, RunArgument, RunsOption, data_place
from cnnlab.inside.output import OutOption, write_and_show


def training(
    run: RunArgument,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", show_default=False, help="A convolution; the first one.")
    ] = None,
    picture: Annotated[int, typer.Option(min=0, max=MOST, help="A validation picture, by its number.")] = 0,
    out: OutOption = None,
    device: DeviceOption = "auto",
    allow_plugins: PluginsOption = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Film a training: filters and the evidence for one picture at each epoch, as strips and as GIFs.

    The run must have kept weights: `cnnlab train … logging.snapshots_every_epochs=1`.

    Example: [bold]cnnlab visualize training quickstart[/]
    """
    from cnnlab.cli.bars import followed
    from cnnlab.fit.device import choose_device
    from cnnlab.inside.film.report import film_json, film_report
    from cnnlab.inside.film.run import animations, filmed
    from cnnlab.runs.folder import Run

    opened = Run.open(run, runs)
    steps = filmed(
        opened,
        layer=layer,
        picture=picture,
        place=data_place(),
        device=choose_device(device),
        allow_plugins=allow_plugins,
    )
    facts = followed(steps)
    folder = out or opened.path / "reports" / "visualize-training"
    made = animations(facts, folder)
    write_and_show(film_report(facts), film_json(facts), folder, as_json=as_json, more=made)
