"""`cnnlab`: the commands in their panels, and what happens to errors."""

import os
import sys
import time
import traceback
from functools import cache

BEGAN = time.perf_counter()

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cnnlab import __version__
from cnnlab.attribution import command as attribution
from cnnlab.check_model import command as check
from cnnlab.cli.failures import EXPECTED, PIPE_CLOSED, Application, StoppedError, blamed, failed, forget_options
from cnnlab.cli.options import with_values
from cnnlab.cli.streams import safe_streams
from cnnlab.core.memory import leave_without_a_search
from cnnlab.deploy.export import command as export
from cnnlab.deploy.fuse import command as fuse
from cnnlab.deploy.serve import command as serve
from cnnlab.evaluation import command as evaluation
from cnnlab.evaluation.label_errors import command as label_errors
from cnnlab.inside.command import app as visualize
from cnnlab.landscape import command as landscape
from cnnlab.layers_lab import command as layer
from cnnlab.layers_lab.cost import command as cost
from cnnlab.layers_lab.kernel import command as kernel
from cnnlab.layers_lab.summary import command as summary
from cnnlab.probe.command import app as probe
from cnnlab.project import command as project
from cnnlab.project.config import command as config
from cnnlab.project.data import command as data
from cnnlab.project.init import command as init
from cnnlab.receptive_field import command as receptive_field
from cnnlab.recipe import command as recipe
from cnnlab.rejection import command as rejection
from cnnlab.report import command as report
from cnnlab.speed import command as bench
from cnnlab.textbook import command as chapter
from cnnlab.training import command as train
from cnnlab.trust import command as trust
from cnnlab.wiring import invocation

TRAIN = "Train and use a network"
INSIDE = "Look inside a network"
EXPERIMENTS = "Experiments"
PROJECT = "Data and project"
"""The panels of `cnnlab --help`, in their order."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cnnlab {__version__}")
        raise typer.Exit


class Commands(TyperGroup):
    """All of them; Ctrl-C in one is an error as any other, and not typer's exit without a word."""

    def invoke(self, ctx: Any) -> Any:
        """The command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise StoppedError("interrupted") from error


app = Application(
    name="cnnlab",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def cnnlab(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and stop.")
    ] = False,
) -> None:
    """Train a convolutional network and understand it, from one YAML file."""
    context.obj = invocation(BEGAN)


app.command("train", rich_help_panel=TRAIN)(train.train)
app.command("eval", rich_help_panel=TRAIN)(evaluation.evaluate)
app.command("predict", rich_help_panel=TRAIN)(evaluation.predict)
app.command("reject", rich_help_panel=TRAIN)(rejection.reject)
app.command("export", rich_help_panel=TRAIN)(export.export)
app.command("serve", rich_help_panel=TRAIN)(serve.serve)
app.command("fuse", rich_help_panel=TRAIN)(fuse.fuse)
app.command("bench", rich_help_panel=TRAIN)(bench.bench)
app.command("runs", rich_help_panel=TRAIN)(project.runs)
app.command("doctor", rich_help_panel=TRAIN)(project.doctor)

app.command("receptive-field", rich_help_panel=INSIDE)(receptive_field.receptive_field)
app.command("check-model", rich_help_panel=INSIDE)(check.check_model)
app.command("gradcam", rich_help_panel=INSIDE)(attribution.gradcam)
app.command("saliency", rich_help_panel=INSIDE)(attribution.saliency)
app.command("audit", rich_help_panel=INSIDE)(trust.audit)
app.command("sanity", rich_help_panel=INSIDE)(trust.sanity)
app.command("report", rich_help_panel=INSIDE)(report.report)
app.command("report-card", rich_help_panel=INSIDE)(report.report_card)
app.add_typer(visualize, name="visualize", rich_help_panel=INSIDE)
app.command("summary", rich_help_panel=INSIDE)(summary.summary)
app.command("cost", rich_help_panel=INSIDE)(cost.cost)
app.command("layer", rich_help_panel=INSIDE)(layer.layer)
app.command("compare-layers", rich_help_panel=INSIDE)(layer.compare_layers)
app.command("kernel", rich_help_panel=INSIDE)(kernel.kernel)

app.command("lr-find", rich_help_panel=EXPERIMENTS)(train.lr_find)
app.command("compare", rich_help_panel=EXPERIMENTS)(evaluation.compare)
app.command("chapter", rich_help_panel=EXPERIMENTS)(chapter.chapter)
app.add_typer(probe, name="probe", rich_help_panel=EXPERIMENTS)
app.command("landscape", rich_help_panel=EXPERIMENTS)(landscape.landscape)
app.command("ablate", rich_help_panel=EXPERIMENTS)(recipe.ablate)
app.command("sweep", rich_help_panel=EXPERIMENTS)(recipe.sweep)

app.command("init", rich_help_panel=PROJECT)(init.init)
app.command("list", rich_help_panel=PROJECT)(project.list_entries)
app.add_typer(config.app, name="config", rich_help_panel=PROJECT)
data.app.command("label-errors")(label_errors.label_errors)
app.add_typer(data.app, name="data", rich_help_panel=PROJECT)
app.command("schema", rich_help_panel=PROJECT)(config.schema)


@cache
def program() -> Any:
    """All commands, as typer makes them of their functions: 30 ms, spent once by whoever asks for several."""
    return typer.main.get_command(app)


def main() -> None:
    """The entry point: an expected error is one message and an exit code, never a traceback."""
    leave_without_a_search()
    with safe_streams():
        sys.exit(answer(with_values(sys.argv[1:])))


def answer(arguments: list[str]) -> int:
    """Do what the command line asks for; the exit code."""
    if os.environ.get("NO_COLOR"):
        from typer import rich_utils

        rich_utils.COLOR_SYSTEM = None  # of --help; typer itself would leave it bold
    forget_options()
    try:
        ended = program()(arguments, prog_name="cnnlab", standalone_mode=False)
        sys.stdout.flush()  # what cannot be written is told while there is somebody to tell
    except EXPECTED as raised:
        error = blamed(raised)
        # a bar that is drawn by a generator ends with it, and no frame may keep it until the interpreter's end
        traceback.clear_frames(raised.__traceback__)
        return failed(error, as_json="--json" in arguments)
    except SystemExit as end:
        # so typer and rich answer a reader of a pipe that left, as `head` does
        if isinstance(end.__context__, BrokenPipeError):
            return PIPE_CLOSED
        raise
    return ended if isinstance(ended, int) else 0
