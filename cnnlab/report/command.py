"""`cnnlab report`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli.choices import Weights
from cnnlab.cli.options import (
    RUNS,
    DataOption,
    DeviceOption,
    JsonOption,
    PluginsOption,
    RunArgument,
    RunsOption,
    data_place,
    out_console,
    print_json,
)

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from cnnlab.report.run import WholeReport
    from cnnlab.runs.folder import Run


def report(
    run: RunArgument,
    weights: Annotated[Weights, typer.Option(help="Of the best epoch, or of the last.")] = Weights.best,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Put pictures, numbers and words into the run's TensorBoard, too.")
    ] = False,
    data: DataOption = None,
    device: DeviceOption = "auto",
    allow_plugins: PluginsOption = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Write everything about a run on one page that can be handed to somebody else: reports/index.html.

    Example: [bold]cnnlab report quickstart[/]
    """
    from cnnlab.fit.device import choose_device
    from cnnlab.runs.folder import Run
    from cnnlab.view import json

    opened = Run.open(run, runs)
    written = write_whole_report(
        opened,
        choose_device(device),
        weights=weights,
        tensorboard=tensorboard,
        data=data,
        allow_plugins=allow_plugins,
    )
    if as_json:
        print_json({"page": written.page, "report": json.document(written.report)})
    else:
        out_console().print(str(written.page), soft_wrap=True)


def write_whole_report(
    run: "Run",
    device: "torch.device",
    *,
    weights: Weights = Weights.best,
    tensorboard: bool = False,
    data: "Path | None" = None,
    allow_plugins: bool = False,
) -> "WholeReport":
    """The whole page of a run, with bars on stderr meanwhile; `data`: where its pictures lie now.

    Raises: RequestError where the run has no weights, or its data is not what it was trained on.
    """
    from cnnlab.cli.bars import followed
    from cnnlab.evaluation.run import EvaluateOptions
    from cnnlab.report.run import default_options, whole_report

    options = EvaluateOptions(
        split="validation",
        tta="none",
        by=None,
        weights=weights.value,
        device=device,
        place=data_place(data),
        allow_plugins=allow_plugins,
    )
    return followed(whole_report(run, default_options(run, options), tensorboard=tensorboard))
