"""What a command leaves behind: a folder with its page, figures, tables and facts, and the same on the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cnnlab.cli.options import err_console, out_console, print_json
from cnnlab.cli.streams import name_unreadable, unreadable_json
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.network.image_files import Unreadable
    from cnnlab.view.blocks import Report


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
