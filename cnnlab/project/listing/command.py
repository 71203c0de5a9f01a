"""`cnnlab list`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli.options import out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from rich.console import Console

    from cnnlab.project.listing.run import Listed

WORDS = (
    "layers", "initializations", "models", "datasets", "augmentations", "optimizers", "schedules", "losses",
    "clippings", "methods",
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
    from cnnlab.project.listing.run import MODELS, find, listed

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

    from cnnlab.project.listing.run import KINDS_LISTED, MODELS, listed, listed_configs
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
    from cnnlab.project.listing.run import find_config, listed_configs
    from cnnlab.view.terminal import said

    console = out_console()
    if name is not None:
        config = find_config(name)
        if as_json:
            print_json({"name": config.name, "path": str(config.path), "summary": config.summary, "text": config.text})
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
    folder = configs[0].path.parent
    console.print(
        f"\nmodels are whole configs, in {folder}: cnnlab train CONFIG; their parts: cnnlab list layers", style="dim"
    )
