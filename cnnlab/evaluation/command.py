"""`cnnlab eval`, `cnnlab compare` and `cnnlab predict`."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli.failures import with_options
from cnnlab.cli.network import ASKED_ALIKE, Named, with_network, with_networks
from cnnlab.cli.options import (
    MOST,
    LeastSureOption,
    OutOption,
    Split,
    TestTime,
    ViewsOption,
    err_console,
    out_console,
    print_json,
)
from cnnlab.cli.output import write_and_show
from cnnlab.cli.results import print_document
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import name_unreadable, say
from cnnlab.core.errors import RequestError
from cnnlab.evaluation.stream.command import AskedStream, print_stream
from cnnlab.network.session import Session


class Pairs(StrEnum):
    """Which networks are set against each other."""

    all = "all"
    first = "first"


if TYPE_CHECKING:
    from cnnlab.evaluation.predict import Prediction
    from cnnlab.network.image_files import Unreadable


@with_session("data", "device", "allow_plugins", "runs", "as_json", several=True)
@with_network
def evaluate(
    session: Session,
    named: Named,
    split: Annotated[Split, typer.Option(help="Only this command opens the test part.")] = Split.validation,
    tta: ViewsOption = TestTime.none,
    least_sure: LeastSureOption = 1.0,
    by: Annotated[
        str | None,
        typer.Option(metavar="GROUP", help="Accuracy per group, class, or per match of a regex on the path."),
    ] = None,
    reject: Annotated[
        bool, typer.Option("--reject", help="Tell how many images the rule of `cnnlab reject` accepts.")
    ] = False,
    nearest: Annotated[
        int, typer.Option(min=0, max=12, help="Of a run: training images beside each of the surest mistakes.")
    ] = 3,
    among: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST,
            help="Training images they are looked for among, at most.",
            show_default="as many as are evaluated, from 500 to 2000",
        ),
    ] = None,
    out: OutOption = None,
) -> None:
    """Measure a trained network: accuracy with its interval, confusion, calibration, the worst errors.

    What is no run is measured on the images that --data names.

    Example: [bold]cnnlab eval cifar --split test --tta flip[/]
    """
    from cnnlab.fit.views import AveragedViews

    views = AveragedViews(tta.value, least_sure)
    from cnnlab.evaluation.neighbours import NeighbourOptions
    from cnnlab.evaluation.run import EvaluateOptions
    from cnnlab.evaluation.run import evaluate as evaluate_network
    from cnnlab.rejection.kept import kept
    from cnnlab.view import console

    network = named.open(session, for_images=True)
    rejection = kept(network, session) if reject else None
    options = EvaluateOptions(
        split=split.value, tta=views, by=by, rejection=rejection, neighbours=NeighbourOptions(nearest, among)
    )
    result = evaluate_network(network, session, options, out=out)
    if session.as_json:
        print_json(result.as_json())
    else:
        console.show(result.report, out_console(), folder=result.folder)
    for sentence in result.sources:
        err_console().print(sentence, style="dim", soft_wrap=True)
    if result.neighbours is not None:
        err_console().print(with_options(result.neighbours.sentence), style="dim", soft_wrap=True)
    err_console().print(f"{result.facts.n:,} images answered in {result.seconds:.1f} s", style="dim")
    err_console().print(f"written to {result.folder}", style="dim", soft_wrap=True)
    if result.test_evaluations > 1:
        _say_opened_often("this run", result.test_evaluations)


@with_session("data", "device", "allow_plugins", "runs", "as_json", help={"data": ASKED_ALIKE})
@with_networks
def compare(
    session: Session,
    named: list[Named],
    split: Annotated[
        Split | None, typer.Option(help="Which images; validation where networks are measured.", show_default=False)
    ] = None,
    pairs: Annotated[Pairs, typer.Option(help="first: each with the first alone.")] = Pairs.all,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The folder for figures, tables and the page.", show_default="in RUNS/compare"
        ),
    ] = None,
) -> None:
    """Networks side by side on the same images: accuracy, calibration, cost, and which differences may be chance.

    Each network gets them prepared in its own way. Runs alone, without --data, --split or options: what their
    trainings wrote down, where their configs differ, overlaid curves.

    Example: [bold]cnnlab compare quickstart "net.py:build --weights w.pt --input 32" --data photos/ --split test[/]
    """
    from cnnlab.network.open import is_no_run

    if split is None and session.data is None and not any(one.options or is_no_run(one.text) for one in named):
        _compare_trainings(session, [one.text for one in named], out)
    else:
        _compare_networks(session, named, split or Split.validation, pairs, out)


def _compare_trainings(session: Session, names: Sequence[str], out: Path | None) -> None:
    from cnnlab.evaluation.compare import compare as compare_runs
    from cnnlab.view import console, png

    comparison = compare_runs([session.run(name) for name in names], session)
    folder = session.folder("compare", out=out)
    if out is not None or not session.as_json:
        png.save(comparison.report, folder)
    if session.as_json:
        print_json(comparison.as_json())
        return
    console.show(comparison.report, out_console(), folder=folder)


def _compare_networks(session: Session, named: Sequence[Named], split: Split, pairs: Pairs, out: Path | None) -> None:
    from cnnlab.evaluation.side_by_side_run import SideBySideOptions, comparable, compare_networks, folder_of

    alone = replace(session, data=None)  # the data is named for all of them together
    opened = [one.open(alone, for_images=True) for one in named]
    networks = comparable(opened, session)
    for one, before, network in zip(named, opened, networks, strict=True):
        one.tell(network.remarks[len(before.remarks) :])
    folder = folder_of(networks, split.value, session, out=out)
    compared = compare_networks(networks, session, SideBySideOptions(split=split.value, pairs=pairs.value))
    write_and_show(compared.report, compared.document(), folder, session)
    for contestant in (scored.contestant for scored in compared.facts.networks):
        if contestant.test_evaluations > 1:
            _say_opened_often(contestant.name, contestant.test_evaluations)


def _say_opened_often(name: str, times: int) -> None:
    from cnnlab.view.terminal import said

    err_console().print(
        said(
            "[yellow]the test part of {} has now been evaluated {} times[/]: "
            "choosing by it makes its accuracy too good to be true",
            name,
            times,
        ),
        soft_wrap=True,
    )


@with_session("data", "device", "allow_plugins", "runs", "as_json", document="as_csv")
@with_network
def predict(
    session: Session,
    named: Named,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH]…", help="Images, folders, patterns; - for stdin.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=MOST, help="How many classes to name.")] = 5,
    reject_below: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="No label where the probability is below this.")
    ] = 0.0,
    reject: Annotated[
        bool, typer.Option("--reject", help="Say what is none of the classes, by what `cnnlab reject` has kept.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: path, label, probability, error.")] = False,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="With --json or --csv: those of all classes, too.")
    ] = False,
    watch: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Label each image that appears in a folder, until Ctrl-C.")
    ] = None,
    existing: Annotated[bool, typer.Option("--existing", help="With --watch: those that are there, too.")] = False,
    frames: Annotated[
        str | None,
        typer.Option(metavar="WxH[:rgb|bgr|gray]|images", help="Stdin is a stream: of raw frames, or JPEG and PNG."),
    ] = None,
    every_frame: Annotated[
        bool, typer.Option("--every-frame", help="With --frames: none is dropped where the network is slower.")
    ] = False,
    smooth: Annotated[
        int, typer.Option(min=1, max=MOST, help="Of a stream: the mean of the last so many probabilities.")
    ] = 1,
    tta: ViewsOption = TestTime.none,
    least_sure: LeastSureOption = 1.0,
) -> None:
    """Label images of any size and mode, prepared as those that the network learned from.

    MODEL may be an ONNX file, or a folder that `cnnlab export` wrote, too.
    An image that cannot be read has a row with the reason in JSON and CSV, and makes the exit code 1.

    Example: [bold]cnnlab predict cifar photos/ --top 3 --reject-below 0.5[/]
    """
    if session.as_json and as_csv:
        raise RequestError("--json and --csv exclude each other")
    if probabilities and not (session.as_json or as_csv):
        raise RequestError("--probabilities goes with --json or --csv; for people there is --top")
    stream = AskedStream(watch, existing, frames, every_frame, smooth, least_sure)
    if not stream.is_one and not paths:
        raise RequestError("no images: give files, folders or patterns, - for stdin, or --watch or --frames")
    if stream.is_one and as_csv:
        raise RequestError("--csv is a table, and a stream has no end; --json prints a document a line")
    from cnnlab.evaluation.predict import Prediction, predict_images
    from cnnlab.fit.views import AveragedViews
    from cnnlab.network.image_files import Unreadable, find_images
    from cnnlab.rejection.kept import kept
    from cnnlab.runs.images import relocated
    from cnnlab.view import csv

    views = AveragedViews(tta.value, least_sure)
    arriving = stream.arrivals(paths or [], sys.stdin.buffer) if stream.is_one else ()
    network = named.open(session, for_images=True)
    if network.config is not None:
        relocated(network.config, session.place)  # a prediction needs nothing of it, but a wrong path is said
    rejection = kept(network, session) if reject else None
    if stream.is_one:
        from cnnlab.evaluation.stream.answers import StreamOptions

        options = StreamOptions(top, reject_below, smooth, rejection, views)
        print_stream(network, arriving, options, as_json=session.as_json, probabilities=probabilities)
        return
    sources = find_images(paths or [], sys.stdin.buffer)
    began = time.perf_counter()
    predictions = predict_images(network, sources, top=top, reject_below=reject_below, rejection=rejection, tta=views)
    results = list(session.track(predictions, "predicting", len(sources)))
    seconds = time.perf_counter() - began
    good = [result for result in results if isinstance(result, Prediction)]
    bad = [result for result in results if isinstance(result, Unreadable)]
    if good and network.activation == "sigmoid" and network.logits != 1:
        say("each class is answered by itself (activation sigmoid); the label is the likeliest")
    count = len(good[0].probabilities) if good else 0
    classes = (network.classes or tuple(map(str, range(count)))) if probabilities else ()
    if session.as_json:
        print_json([result.as_json() | _every(result, classes) for result in results])
    elif as_csv:
        more = ["answer", "score", "threshold"] if reject else []
        heads = ["path", "label", "probability", "error", *more, *(f"p({name})" for name in classes)]
        print_document(csv.text([heads, *(_row(result, classes, more) for result in results)]))
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


def _row(result: "Prediction | Unreadable", classes: Sequence[str], more: Sequence[str]) -> list[str]:
    """A row for CSV; `more`: keys of JSON that it has besides."""
    facts = result.as_json()
    besides = ["" if facts.get(key) is None else str(facts[key]) for key in more]
    values = (_every(result, classes).get("probabilities") or dict.fromkeys(classes)).values()
    numbers = ["" if value is None else f"{value:.6f}" for value in (facts["probability"], *values)]
    return [result.path, facts["label"] or "", numbers[0], facts["error"] or "", *besides, *numbers[1:]]


def _show(results: "Sequence[Prediction]") -> None:
    """The table for people."""
    from rich.table import Table
    from rich.text import Text

    from cnnlab.core.characters import per_cent, printable

    table = Table(box=None, pad_edge=False)
    table.add_column("image", overflow="fold")
    table.add_column("label", overflow="fold")
    table.add_column("probability", justify="right", no_wrap=True)
    scored = [result.score is not None for result in results]
    for heading in ("score", "threshold") if any(scored) else ():
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("then", overflow="fold", style="dim", min_width=len("100%,"))
    for result in results:
        rest = ", ".join(f"{label} {per_cent(probability)}" for label, probability in result.top[1:])
        label = Text(result.answer or "rejected", style="dim") if result.label is None else printable(result.label)
        numbers = [f"{value:.4g}" for value in (result.score, result.threshold) if value is not None]
        table.add_row(printable(result.path), label, f"{result.probability:.1%}", *numbers, printable(rest))
    out_console().print(table)
