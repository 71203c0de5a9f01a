"""`cnnlab predict`."""

import csv
import sys
import time
from typing import Annotated

import typer

from cnnlab.cli.choices import Weights
from cnnlab.cli.options import (
    RUNS,
    DeviceOption,
    JsonOption,
    PluginsOption,
    RunArgument,
    RunsOption,
    err_console,
    print_json,
    tracked,
)
from cnnlab.core.errors import RequestError


def predict(
    run: RunArgument,
    paths: Annotated[list[str], typer.Argument(metavar="PATH…", help="Pictures, folders, patterns; - for stdin.")],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name.")] = 5,
    reject_below: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="No label where the probability is below this.")
    ] = 0.0,
    weights: Annotated[Weights, typer.Option(help="Of the best epoch, or of the last.")] = Weights.best,
    device: DeviceOption = "auto",
    allow_plugins: PluginsOption = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: path, label, probability.")] = False,
) -> None:
    """Label pictures of any size and mode, prepared as the run's own were.

    Example: [bold]cnnlab predict cifar photos/ --top 3 --reject-below 0.5[/]
    """
    if as_json and as_csv:
        raise RequestError("--json and --csv exclude each other")
    from rich.markup import escape
    from rich.table import Table

    from cnnlab.cli.options import out_console
    from cnnlab.runs.folder import Run
    from cnnlab.training.device import choose_device
    from cnnlab.workflows.network import trained_network
    from cnnlab.workflows.predict import Prediction, Unreadable, find_pictures, predict_pictures

    opened = Run.open(run, runs)
    network = trained_network(opened, choose_device(device), which=weights.value, allow_plugins=allow_plugins)
    sources = find_pictures(paths, sys.stdin.buffer)
    began = time.perf_counter()
    results = list(
        tracked(predict_pictures(network, sources, top=top, reject_below=reject_below), "predicting", len(sources))
    )
    seconds = time.perf_counter() - began
    good = [result for result in results if isinstance(result, Prediction)]
    bad = [result for result in results if isinstance(result, Unreadable)]
    if as_json:
        print_json([result.as_json() for result in good])
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["path", "label", "probability"])
        writer.writerows([r.path, r.label or "", f"{r.probability:.6f}"] for r in good)
    elif good:
        table = Table(box=None, pad_edge=False)
        for column in ("picture", "label"):
            table.add_column(column)
        table.add_column("probability", justify="right")
        table.add_column("then", overflow="fold")
        for result in good:
            rest = escape(", ".join(f"{label} {probability:.0%}" for label, probability in result.top[1:]))
            label = "[dim]rejected[/]" if result.label is None else escape(result.label)
            table.add_row(escape(result.path), label, f"{result.probability:.1%}", f"[dim]{rest}[/]")
        out_console().print(table)
    console = err_console()
    console.print(f"{len(good)} pictures, {len(good) / seconds:,.0f} a second", style="dim")
    for unreadable in bad:
        console.print(f"[bold red]unreadable:[/] {escape(f'{unreadable.path}: {unreadable.reason}')}", soft_wrap=True)
    if bad:
        raise typer.Exit(1)
