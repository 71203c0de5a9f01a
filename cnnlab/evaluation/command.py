"""`cnnlab eval` and `cnnlab compare`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.choices import Split, TestTime, Weights
from cnnlab.cli.options import RunArgument, err_console, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.network.session import Session


@with_session("data", "device", "allow_plugins", "runs", "as_json")
def evaluate(
    session: Session,
    run: RunArgument,
    split: Annotated[Split, typer.Option(help="Only this command opens the test part.")] = Split.validation,
    tta: Annotated[TestTime, typer.Option(help="flip: the mean of each image and its mirror image.")] = TestTime.none,
    by: Annotated[
        str | None,
        typer.Option(metavar="GROUP", help="Accuracy per group, class, or per match of a regex on the path."),
    ] = None,
    weights: Annotated[Weights, typer.Option(help="Of the best epoch, or of the last.")] = Weights.best,
) -> None:
    """Measure a trained network: accuracy with its interval, confusion, calibration, the worst errors.

    Example: [bold]cnnlab eval cifar --split test --tta flip[/]
    """
    from cnnlab.evaluation.run import EvaluateOptions
    from cnnlab.evaluation.run import evaluate as evaluate_run
    from cnnlab.view import console
    from cnnlab.view.terminal import said

    options = EvaluateOptions(session, split=split.value, tta=tta.value, by=by, weights=weights.value)
    result = evaluate_run(session.run(run), options)
    if session.as_json:
        print_json(result.as_json())
    else:
        console.show(result.report, out_console(), folder=result.folder)
    for part, path in result.places.items():
        err_console().print(f"{part} images: {path}", style="dim", soft_wrap=True)
    err_console().print(f"written to {result.folder}", style="dim", soft_wrap=True)
    if result.test_evaluations > 1:
        err_console().print(
            said(
                "[yellow]the test part of this run has now been evaluated {} times[/]: "
                "choosing by it makes its accuracy too good to be true",
                result.test_evaluations,
            ),
            soft_wrap=True,
        )


@with_session("allow_plugins", "runs", "as_json")
def compare(
    session: Session,
    names: Annotated[list[str], typer.Argument(metavar="RUN…", help="Two runs or more.")],
    out: Annotated[Path | None, typer.Option(help="The folder for the curves.", show_default="RUNS/compare")] = None,
) -> None:
    """Runs side by side: where their configs differ, their results with intervals, overlaid curves.

    Example: [bold]cnnlab compare cifar cifar-2[/]
    """
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
