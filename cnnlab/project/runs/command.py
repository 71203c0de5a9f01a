"""`cnnlab runs`."""

from typing import TYPE_CHECKING

from cnnlab.cli.options import err_console, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.core.characters import printable, shortened
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.runs.folder import Run

COLUMNS = {"run": 8, "started": 11, "data": 8, "epochs": 6, "val %": 6, "train s": 7, "outcome": 12}
"""And how wide they are at least; those of words are folded to it."""

WORDS = ("run", "data", "outcome")

LEAST_FIRST = ("train s", "started", "data", "epochs")

LONGEST = 100
"""Characters of a cell."""


@with_session("runs", "as_json")
def runs(session: Session) -> None:
    """List the runs: when, on what, how they ended.

    Example: [bold]cnnlab runs[/]
    """
    from rich.table import Table

    from cnnlab.runs.folder import all_runs
    from cnnlab.view.terminal import fitting, said

    found, others = all_runs(session.runs)
    if session.as_json:
        print_json([{"path": str(run.path), **vars(run.record)} for run in found])
    elif not found:
        err_console().print(said("no runs under {} yet; [bold]cnnlab train[/] makes one", session.runs))
    else:
        console = out_console()
        table = Table(box=None, pad_edge=False, header_style="bold")
        shown = fitting(COLUMNS, LEAST_FIRST, console.width)
        for name in shown:
            words = name in WORDS
            table.add_column(
                name, justify="left" if words or name == "started" else "right", no_wrap=not words, overflow="fold"
            )
        for run in found:
            cells = _cells(run)
            table.add_row(*(cells[name] for name in shown))
        console.print(table)
    for sentence in others:
        err_console().print(said("[yellow]left out:[/] {}", sentence), soft_wrap=True)


def _cells(run: "Run") -> dict[str, str]:
    """What there is to say of a run in a line."""
    record, outcome = run.record, run.record.outcome
    # what finished is told by its verdict; for all the rest there is --json and `cnnlab compare`
    words = [] if outcome.status == "finished" and outcome.diagnosis else [outcome.status]
    return {
        "run": printable(run.name),
        "started": printable(record.started[5:16].replace("T", " ")),
        "data": shortened(printable(record.data.name), LONGEST),
        "epochs": str(outcome.epochs),
        "val %": "–" if outcome.val_accuracy is None else f"{100 * outcome.val_accuracy:.2f}",
        "train s": f"{outcome.train_seconds:.0f}",
        "outcome": shortened(printable(", ".join([*words, outcome.diagnosis or ""]).removesuffix(", ")), LONGEST),
    }
