"""`cnnlab`: the commands in their panels, and what happens to errors."""

import sys
import time

BEGAN = time.perf_counter()

from typing import Annotated  # noqa: E402

import typer  # noqa: E402  (the clock starts before the first import that costs something)

from cnnlab import __version__  # noqa: E402
from cnnlab.cli import (  # noqa: E402
    audit,
    compare,
    compare_layers,
    config,
    data,
    doctor,
    evaluate,
    gradcam,
    layer,
    learning_rate,
    listing,
    predict,
    receptive_field,
    report,
    report_card,
    runs,
    saliency,
    sanity,
    schema,
    summary,
    train,
)
from cnnlab.cli.options import with_values  # noqa: E402
from cnnlab.cli.panels import EXPERIMENTS, INSIDE, PROJECT, TRAIN  # noqa: E402
from cnnlab.cli.visualize.app import app as visualize  # noqa: E402
from cnnlab.core.collector import leave_without_a_search  # noqa: E402
from cnnlab.core.errors import CnnlabError  # noqa: E402


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cnnlab {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="cnnlab",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def cnnlab(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and stop.")
    ] = False,
) -> None:
    """Train a convolutional network and understand it, from one YAML file."""


app.command("train", rich_help_panel=TRAIN)(train.train)
app.command("eval", rich_help_panel=TRAIN)(evaluate.evaluate)
app.command("predict", rich_help_panel=TRAIN)(predict.predict)
app.command("runs", rich_help_panel=TRAIN)(runs.runs)
app.command("doctor", rich_help_panel=TRAIN)(doctor.doctor)

app.command("receptive-field", rich_help_panel=INSIDE)(receptive_field.receptive_field)
app.command("gradcam", rich_help_panel=INSIDE)(gradcam.gradcam)
app.command("saliency", rich_help_panel=INSIDE)(saliency.saliency)
app.command("audit", rich_help_panel=INSIDE)(audit.audit)
app.command("sanity", rich_help_panel=INSIDE)(sanity.sanity)
app.command("report", rich_help_panel=INSIDE)(report.report)
app.command("report-card", rich_help_panel=INSIDE)(report_card.report_card)
app.add_typer(visualize, name="visualize", rich_help_panel=INSIDE)
app.command("summary", rich_help_panel=INSIDE)(summary.summary)
app.command("layer", rich_help_panel=INSIDE)(layer.layer)
app.command("compare-layers", rich_help_panel=INSIDE)(compare_layers.compare_layers)

app.command("lr-find", rich_help_panel=EXPERIMENTS)(learning_rate.lr_find)
app.command("compare", rich_help_panel=EXPERIMENTS)(compare.compare)

app.command("list", rich_help_panel=PROJECT)(listing.list_entries)
app.add_typer(config.app, name="config", rich_help_panel=PROJECT)
app.add_typer(data.app, name="data", rich_help_panel=PROJECT)
app.command("schema", rich_help_panel=PROJECT)(schema.schema)


def main() -> None:
    """The entry point: an expected error is one message and an exit code, never a traceback."""
    leave_without_a_search()
    try:
        app(with_values(sys.argv[1:]), prog_name="cnnlab")
    except CnnlabError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _complain("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        # the reader of a pipe left, as `head` does
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        _complain(f"{error.filename2 or error.filename or 'standard output'}: {_reason(error)}")
        sys.exit(1)
    except (RuntimeError, MemoryError) as error:
        _complain(_advice(error))
        sys.exit(1)


def _reason(error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "is a file, and a folder is needed there"
    return error.strerror or str(error)


def _advice(error: RuntimeError | MemoryError) -> str:
    """What to do about an error of torch's or Python's that is no mistake of the program.

    Raises: `error` itself when it is any other.
    """
    message = str(error)
    if "torchvision::nms" in message:
        return "torch and torchvision do not fit each other; `cnnlab doctor` says what to install"
    if isinstance(error, MemoryError) or "out of memory" in message or "allocate memory" in message:
        return "out of memory; a smaller training.batch_size, smaller pictures or a smaller network needs less"
    raise error


def _complain(message: str) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    for line in message.splitlines():
        console.print("[bold red]error:[/]", end=" ")
        console.print(line, markup=False, soft_wrap=True)
