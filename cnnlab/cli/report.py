"""`cnnlab report`."""

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
    data_place,
    out_console,
    print_json,
)


def report(
    run: RunArgument,
    weights: Annotated[Weights, typer.Option(help="Of the best epoch, or of the last.")] = Weights.best,
    device: DeviceOption = "auto",
    allow_plugins: PluginsOption = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Write everything about a run on one page that can be handed to somebody else: reports/index.html.

    Example: [bold]cnnlab report quickstart[/]
    """
    from cnnlab.render import json
    from cnnlab.runs.folder import Run
    from cnnlab.training.device import choose_device
    from cnnlab.workflows.evaluate import EvaluateOptions
    from cnnlab.workflows.whole_report import default_options, whole_report

    opened = Run.open(run, runs)
    options = EvaluateOptions(
        split="validation",
        tta="none",
        by=None,
        weights=weights.value,
        device=choose_device(device),
        place=data_place(),
        allow_plugins=allow_plugins,
    )
    written = whole_report(opened, default_options(opened, options))
    if as_json:
        print_json({"page": written.page, "report": json.document(written.report)})
    else:
        out_console().print(str(written.page), markup=False, soft_wrap=True)
