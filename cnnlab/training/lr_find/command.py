"""`cnnlab lr-find`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.options import (
    ConfigArgument,
    DeviceOption,
    JsonOption,
    OverridesArgument,
    PluginsOption,
    data_place,
    out_console,
    print_json,
    tracked,
)
from cnnlab.core.errors import RequestError


def lr_find(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    start: Annotated[float, typer.Option(help="The first learning rate.")] = 1e-5,
    end: Annotated[float, typer.Option(help="The last learning rate.")] = 10.0,
    steps: Annotated[int, typer.Option(min=20, max=100_000, help="Batches of the test.")] = 200,
    out: Annotated[Path, typer.Option(help="The folder for the curve.")] = Path("runs/lr-find"),
    device: DeviceOption = "auto",
    allow_plugins: PluginsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let the learning rate grow batch by batch, draw the loss, and suggest a rate.

    Example: [bold]cnnlab lr-find configs/cifar.yaml --steps 300[/]
    """
    if not 0 < start < end <= 1e6:
        raise RequestError(f"--start is {start:g} and --end {end:g}; expected 0 < start < end, and 1e6 at most")
    from cnnlab.config.config import read_config
    from cnnlab.fit.device import choose_device
    from cnnlab.training.lr_find.finder import smoothed_losses, suggest_rate
    from cnnlab.training.lr_find.report import learning_rate_report
    from cnnlab.training.lr_find.run import find_learning_rate
    from cnnlab.view import console, png

    settings = read_config(config, overrides or [], allow_plugins=allow_plugins)
    search = find_learning_rate(settings, data_place(), choose_device(device), start=start, end=end, steps=steps)
    points = list(tracked(search, "range test", steps))
    suggestion = suggest_rate(points)
    report = learning_rate_report(
        [point.lr for point in points],
        [point.loss for point in points],
        smoothed_losses(points),
        suggestion=suggestion,
        name=settings.name,
        reason="The rate of the steepest fall, at most a third of the rate where the loss is least.",
    )
    pictures = png.save(report, out)
    if as_json:
        print_json({"suggestion": suggestion, "points": points, "picture": pictures[0]})
        return
    console.show(report, out_console(), folder=out)
