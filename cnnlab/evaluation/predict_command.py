"""`cnnlab predict`."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli.choices import Weights
from cnnlab.cli.options import MOST, RunArgument, err_console, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.cli.unreadable import name_unreadable
from cnnlab.core.errors import RequestError
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.evaluation.predict import Prediction
    from cnnlab.network.image_files import Unreadable


@with_session("data", "device", "allow_plugins", "runs", "as_json")
def predict(
    session: Session,
    run: RunArgument,
    paths: Annotated[list[str], typer.Argument(metavar="PATH…", help="Images, folders, patterns; - for stdin.")],
    top: Annotated[int, typer.Option(min=1, max=MOST, help="How many classes to name.")] = 5,
    reject_below: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="No label where the probability is below this.")
    ] = 0.0,
    weights: Annotated[Weights, typer.Option(help="Of the best epoch, or of the last.")] = Weights.best,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: path, label, probability, error.")] = False,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="With --json or --csv: those of all classes, too.")
    ] = False,
) -> None:
    """Label images of any size and mode, prepared as the run's own were.

    An image that cannot be read has a row with the reason in JSON and CSV, and makes the exit code 1.

    Example: [bold]cnnlab predict cifar photos/ --top 3 --reject-below 0.5[/]
    """
    if session.as_json and as_csv:
        raise RequestError("--json and --csv exclude each other")
    if probabilities and not (session.as_json or as_csv):
        raise RequestError("--probabilities goes with --json or --csv; for people there is --top")
    from cnnlab.evaluation.predict import Prediction, predict_images
    from cnnlab.network.image_files import Unreadable, find_images
    from cnnlab.network.open import open_run
    from cnnlab.runs.images import relocated
    from cnnlab.view import csv

    network = open_run(session.run(run), session, weights.value)
    relocated(network.config, session.place)  # a prediction needs nothing of it, but a wrong path is said
    sources = find_images(paths, sys.stdin.buffer)
    began = time.perf_counter()
    predictions = predict_images(network, sources, top=top, reject_below=reject_below)
    results = list(session.track(predictions, "predicting", len(sources)))
    seconds = time.perf_counter() - began
    good = [result for result in results if isinstance(result, Prediction)]
    bad = [result for result in results if isinstance(result, Unreadable)]
    classes = network.classes if probabilities else ()
    if session.as_json:
        print_json([result.as_json() | _every(result, classes) for result in results])
    elif as_csv:
        heads = ["path", "label", "probability", "error", *(f"p({name})" for name in classes)]
        sys.stdout.write(csv.text([heads, *(_row(result, classes) for result in results)]))
    elif good:
        _show(good)
    err_console().print(
        f"{len(good)} image{'' if len(good) == 1 else 's'}, {len(good) / seconds:,.0f} a second", style="dim"
    )
    name_unreadable(bad)
    if bad:
        raise typer.Exit(1)


def _every(result: "Prediction | Unreadable", classes: Sequence[str]) -> dict[str, Any]:
    """The probability of each of `classes`, for JSON."""
    if not classes:
        return {}
    known = getattr(result, "probabilities", None)
    return {"probabilities": None if known is None else dict(zip(classes, known, strict=True))}


def _row(result: "Prediction | Unreadable", classes: Sequence[str]) -> list[str]:
    """A row for CSV."""
    facts = result.as_json()
    values = (_every(result, classes).get("probabilities") or dict.fromkeys(classes)).values()
    numbers = ["" if value is None else f"{value:.6f}" for value in (facts["probability"], *values)]
    return [result.path, facts["label"] or "", numbers[0], facts["error"] or "", *numbers[1:]]


def _show(results: "Sequence[Prediction]") -> None:
    """The table for people."""
    from rich.table import Table
    from rich.text import Text

    from cnnlab.core.characters import printable

    table = Table(box=None, pad_edge=False)
    table.add_column("image", overflow="fold")
    table.add_column("label", overflow="fold")
    table.add_column("probability", justify="right", no_wrap=True)
    table.add_column("then", overflow="fold", style="dim", min_width=len("100%,"))
    for result in results:
        rest = ", ".join(f"{label} {probability:.0%}" for label, probability in result.top[1:])
        label = Text("rejected", style="dim") if result.label is None else printable(result.label)
        table.add_row(printable(result.path), label, f"{result.probability:.1%}", printable(rest))
    out_console().print(table)
