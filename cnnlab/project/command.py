"""`cnnlab runs`, `cnnlab doctor` and `cnnlab list`: what there is, and whether it works."""

from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli.options import err_console, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.core.characters import printable, shortened
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from rich.console import Console

    from cnnlab.project.listing import Listed
    from cnnlab.runs.folder import Run

RUN_COLUMNS = {"run": 8, "started": 11, "data": 8, "epochs": 6, "val %": 6, "train s": 7, "outcome": 12}
"""And how wide they are at least; those of words are folded to it."""

FOLDED = ("run", "data", "outcome")

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
        print_json([{"path": str(run.path), "status": run.status, **vars(run.record)} for run in found])
    elif not found:
        err_console().print(said("no runs under {} yet; [bold]cnnlab train[/] makes one", session.runs))
    else:
        console = out_console()
        table = Table(box=None, pad_edge=False, header_style="bold")
        shown = fitting(RUN_COLUMNS, LEAST_FIRST, console.width)
        for name in shown:
            words = name in FOLDED
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
    words = [] if outcome.status == "finished" and outcome.diagnosis else [run.status]
    return {
        "run": printable(run.name),
        "started": printable(record.started[5:16].replace("T", " ")),
        "data": shortened(printable(record.data.name), LONGEST),
        "epochs": str(outcome.epochs),
        "val %": "–" if outcome.val_accuracy is None else f"{100 * outcome.val_accuracy:.2f}",
        "train s": f"{outcome.train_seconds:.0f}",
        "outcome": shortened(printable(", ".join([*words, outcome.diagnosis or ""]).removesuffix(", ")), LONGEST),
    }


@with_session("runs", "as_json")
def doctor(session: Session) -> None:
    """Check the installation, the device and the folders, and say what mends them.

    Exit code 1 when something is broken; a warning alone is 0.

    Example: [bold]cnnlab doctor[/]
    """
    from rich.table import Table
    from rich.text import Text

    from cnnlab.project.doctor import examine
    from cnnlab.view.terminal import said

    checks = examine(session)
    healthy = all(check.state != "fail" for check in checks)
    if session.as_json:
        print_json({"ok": healthy, "checks": checks})
        raise typer.Exit(0 if healthy else 1)
    colours = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    console = out_console()
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        table.add_row(Text(check.state, style=colours[check.state]), check.name, check.found)
    console.print(table)
    for check in checks:
        if check.state != "ok":
            console.print(f"\n{check.name}: ", style=colours[check.state], end="")
            console.print(check.remedy, soft_wrap=True)  # unbroken, so that a command can be copied
    if healthy:
        console.print(said("\neverything that cnnlab needs is here; start with [bold]cnnlab train[/]"))
    raise typer.Exit(0 if healthy else 1)


WORDS = (
    "layers", "initializations", "models", "datasets", "augmentations", "optimizers", "schedules", "losses",
    "clippings", "methods", "kernels", "scores", "outsiders",
)  # fmt: skip


@with_session("as_json")
def list_entries(
    session: Session,
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help=", ".join(WORDS), autocompletion=lambda: WORDS)
    ] = None,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this one, in full.")] = None,
) -> None:
    """List what a config can name, with its options and their defaults; [bold]models[/] are the configs of cnnlab.

    And [bold]methods[/] of attribution, as gradcam, saliency, sanity and audit take them in --method.

    With a name: the whole description, and how it is written in a config. Without a kind: every name.

    Example: [bold]cnnlab list layers conv[/]
    """
    from cnnlab.project.listing import KINDS_LISTED, MODELS, find, listed

    if kind is None:
        _list_names(session.as_json)
        return
    if kind == MODELS:
        _list_configs(name, session.as_json)
        return
    if name is None:
        entries = listed(kind)
        if session.as_json:
            print_json([entry.as_json() for entry in entries])
        else:
            _print_all(entries, out_console())
            if besides := KINDS_LISTED[kind].besides:
                out_console().print(f"\n{besides}", soft_wrap=True)
            out_console().print(f"\ncnnlab list {kind} NAME shows one in full", style="dim")
        return
    entry = find(kind, name)
    if session.as_json:
        print_json(entry.as_json())
    else:
        _print_one(entry, out_console())


def _list_names(as_json: bool) -> None:
    """Every kind with its names."""
    from rich.table import Table

    from cnnlab.project.listing import KINDS_LISTED, MODELS, listed, listed_configs
    from cnnlab.view.terminal import said

    names = {kind: [entry.name for entry in listed(kind)] for kind in KINDS_LISTED}
    names[MODELS] = [config.name for config in listed_configs()]
    if as_json:
        print_json({word: names[word] for word in WORDS})
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for word in WORDS:
        table.add_row(said("[bold cyan]{}[/]", word), ", ".join(names[word]))
    out_console().print(table)


def _print_all(entries: "tuple[Listed, ...]", console: "Console") -> None:
    """A block an entry: name and first line, then its options with their defaults."""
    from rich.padding import Padding
    from rich.text import Text

    from cnnlab.view.terminal import said

    width = max((len(entry.name) for entry in entries), default=0)
    for entry in entries:
        console.print(said("[bold cyan]{}[/]  ", f"{entry.name:<{width}}"), end="")
        console.print(entry.summary, soft_wrap=True)
        words = [f"{o.name} ({o.type})" if o.default is None else f"{o.name}={o.default}" for o in entry.options]
        if words:
            console.print(Padding(Text(", ".join(words), style="dim"), (0, 0, 0, width + 2)))


def _print_one(entry: "Listed", console: "Console") -> None:
    from rich.table import Table

    from cnnlab.view.terminal import said

    console.print(said("[bold cyan]{}[/]", entry.name), end="  ")
    console.print(entry.doc, soft_wrap=True)
    if entry.facts:
        facts = Table(box=None, show_header=False, pad_edge=False)
        for what, fact in entry.facts.items():
            facts.add_row(said("[dim]{}[/]", what), fact)
        console.print()
        console.print(facts)
    if entry.options:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("option", no_wrap=True)
        table.add_column("type")
        table.add_column("default")
        described = any(option.description for option in entry.options)
        if described:
            table.add_column("meaning")
        for option in entry.options:
            default = said("[bold]needed[/]") if option.default is None else option.default
            row = [option.name, option.type, default]
            table.add_row(*row, *([option.description] if described else []))
        console.print()
        console.print(table)
    console.print(f"\n{entry.where}", style="bold")
    console.print(entry.example, soft_wrap=True)


def _list_configs(name: str | None, as_json: bool) -> None:
    from cnnlab.project.listing import find_config, listed_configs
    from cnnlab.view.terminal import said

    console = out_console()
    if name is not None:
        config = find_config(name)
        if as_json:
            print_json(config)
        else:
            console.print(str(config.path), style="dim")
            console.print(config.text.rstrip("\n"), soft_wrap=True)
        return
    configs = listed_configs()
    if as_json:
        print_json([{"name": c.name, "path": str(c.path), "summary": c.summary} for c in configs])
        return
    width = max(len(config.name) for config in configs)
    for config in configs:
        console.print(said("[bold cyan]{}[/]  ", f"{config.name:<{width}}"), end="")
        console.print(config.summary, soft_wrap=True)
    console.print(
        "\nmodels are whole configs: cnnlab train NAME; cnnlab config copy NAME writes one to change; their parts: "
        "cnnlab list layers",
        style="dim",
        soft_wrap=True,
    )
