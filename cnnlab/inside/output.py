"""Options that the commands of `cnnlab visualize` share, and what each leaves behind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli.options import Split, err_console, out_console, print_json
from cnnlab.cli.streams import name_unreadable, unreadable_json
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.network.image_files import Unreadable
    from cnnlab.network.network import Network
    from cnnlab.view.blocks import Report

LayerOption = Annotated[str | None, typer.Option(metavar="NAME", show_default=False, help="The layer to look at.")]
ConvolutionOption = Annotated[
    str | None, typer.Option("--layer", metavar="NAME", show_default=False, help="A convolution; the first one.")
]
ChannelsOption = Annotated[
    str | None, typer.Option(metavar="N,…", show_default=False, help="These channels, from 0: 3,7 or 12-15.")
]
SplitOption = Annotated[Split, typer.Option(help="Which images of the data.")]

SESSION = ("data", "device", "allow_plugins", "runs", "as_json")
"""Options that they share with other commands."""


def folder_of(network: "Network", what: str, session: Session, out: Path | None) -> Path:
    """Where `what` of a network is written; without a run, among the runs by the model's name."""
    return session.folder(
        f"visualize-{what}", network.run, out=out, without_run=f"visualize/{what}-{network.file_name}"
    )


def write_and_show(
    report: "Report",
    document: Mapping[str, Any],
    folder: Path,
    session: Session,
    *,
    more: Sequence[Path] = (),
    unreadable: "Sequence[Unreadable]" = (),
) -> None:
    """Figures, tables, the page and the facts below `folder`; then the report or one JSON document on stdout.

    `more` are figures that were written already. Ends with exit code 1 where an image could not be read.
    """
    from cnnlab.core.files import write_whole
    from cnnlab.view import console, files, json

    saved = files.save(report, folder)
    figures = [*saved.figures, *more]
    whole = {**document, "unreadable": unreadable_json(unreadable), "pictures": figures, "page": saved.page}
    write_whole(folder / "facts.json", json.text(whole) + "\n")
    if session.as_json:
        print_json(whole)
    else:
        console.show(report, out_console(), folder=folder)
        for path in more:
            err_console().print(f"written to {path}", style="dim", soft_wrap=True)
        err_console().print(f"written to {saved.page}", style="dim", soft_wrap=True)
    name_unreadable(unreadable)
    if unreadable:
        raise typer.Exit(1)
