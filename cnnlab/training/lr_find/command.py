"""`cnnlab lr-find`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.options import ConfigArgument, OverridesArgument, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.network.session import Session


@with_session("device", "allow_plugins", "as_json")
def lr_find(
    session: Session,
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    start: Annotated[float, typer.Option(help="The first learning rate.")] = 1e-5,
    end: Annotated[float, typer.Option(help="The last learning rate.")] = 10.0,
    steps: Annotated[int, typer.Option(min=20, max=100_000, help="Batches of the test.")] = 200,
    out: Annotated[Path, typer.Option(help="The folder for the curve.")] = Path("runs/lr-find"),
) -> None:
    """Let the learning rate grow batch by batch, draw the loss, and suggest a rate.

    Example: [bold]cnnlab lr-find configs/cifar.yaml --steps 300[/]
    """
    from cnnlab.config.config import read_config
    from cnnlab.training.lr_find.report import learning_rate_report
    from cnnlab.training.lr_find.run import find_learning_rate, smoothed_losses, suggest_rate
    from cnnlab.view import console, png

    settings = read_config(config, overrides or [], allow_plugins=session.allow_plugins)
    search = find_learning_rate(settings, session, start=start, end=end, steps=steps)
    points = list(session.track(search, "range test", steps))
    suggestion = suggest_rate(points)
    report = learning_rate_report(
        [point.lr for point in points],
        [point.loss for point in points],
        smoothed_losses(points),
        suggestion=suggestion,
        name=settings.name,
    )
    figures = png.save(report, out)
    if session.as_json:
        print_json({"suggestion": suggestion, "points": points, "picture": figures[0]})
        return
    console.show(report, out_console(), folder=out)
