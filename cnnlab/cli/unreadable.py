"""Images that could not be read, in the words and documents of every command that reads some."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from cnnlab.cli.options import err_console, print_json

if TYPE_CHECKING:
    from cnnlab.network.image_files import Unreadable


def name_unreadable(unreadable: "Sequence[Unreadable]") -> None:
    """A line on stderr for each."""
    from cnnlab.view.terminal import said

    for one in unreadable:
        err_console().print(said("[bold red]unreadable:[/] {}: {}", one.path, one.reason), soft_wrap=True)


def unreadable_json(unreadable: "Sequence[Unreadable]") -> list[dict[str, Any]]:
    """Path and reason of each."""
    return [{"path": one.path, "reason": one.reason} for one in unreadable]


def end_without_images(unreadable: "Sequence[Unreadable]", *, as_json: bool) -> NoReturn:
    """The end of a command of which no image could be read: exit code 1."""
    name_unreadable(unreadable)
    if as_json:
        message = f"none of the {len(unreadable)} images could be read"
        print_json({"error": message, "code": 1, "unreadable": unreadable_json(unreadable)})
    raise typer.Exit(1)
