"""`cnnlab compare`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.options import RUNS, JsonOption, PluginsOption, RunsOption, out_console, print_json


def compare(
    names: Annotated[list[str], typer.Argument(metavar="RUN…", help="Two runs or more.")],
    out: Annotated[Path | None, typer.Option(help="The folder for the curves.", show_default="RUNS/compare")] = None,
    allow_plugins: PluginsOption = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Runs side by side: where their configs differ, their results with intervals, overlaid curves.

    Example: [bold]cnnlab compare cifar cifar-2[/]
    """
    from cnnlab.evaluation.compare import compare as compare_runs
    from cnnlab.runs.folder import Run
    from cnnlab.view import console, png

    comparison = compare_runs([Run.open(name, runs) for name in names], allow_plugins=allow_plugins)
    folder = out or runs / "compare"
    if out is not None or not as_json:
        png.save(comparison.report, folder)
    if as_json:
        print_json(comparison.as_json())
        return
    console.show(comparison.report, out_console(), folder=folder)
