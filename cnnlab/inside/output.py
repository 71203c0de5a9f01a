"""Options that the commands of `cnnlab visualize` share, and what each leaves behind."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli.choices import Split
from cnnlab.cli.options import err_console, out_console, print_json, tracked
from cnnlab.cli.unreadable import name_unreadable, unreadable_json
from cnnlab.core.errors import RequestError

if TYPE_CHECKING:
    from cnnlab.data.dataset import DataPlace, Dataset
    from cnnlab.network.image_files import Unreadable
    from cnnlab.network.network import Network
    from cnnlab.view.blocks import Report

OutOption = Annotated[Path | None, typer.Option(metavar="DIR", help="The folder for pictures, tables and the page.")]
LayerOption = Annotated[str | None, typer.Option(metavar="NAME", show_default=False, help="The layer to look at.")]
ChannelsOption = Annotated[
    str | None, typer.Option(metavar="N,…", show_default=False, help="These channels, from 0: 3,7 or 12-15.")
]
WeightsOption = Annotated[
    str | None,
    typer.Option(metavar="best|last|FILE", show_default=False, help="Of a run best or last; else a file."),
]
SizeOption = Annotated[
    str | None, typer.Option("--input", metavar="SIZE", show_default=False, help="The side of the pictures, in px.")
]
SplitOption = Annotated[Split, typer.Option(help="Which pictures of the run's data.")]


def folder_of(network: "Network", what: str, out: Path | None, runs: Path) -> Path:
    """`out`; or with the run's reports; or beside the runs, with the model's name."""
    if out is not None:
        return out
    if network.run is not None:
        return network.run.path / "reports" / f"visualize-{what}"
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", network.name).strip("-.")
    return runs / "visualize" / f"{what}-{name}"


def opened(
    text: str, runs: Path, *, weights: str | None, device: str, allow_plugins: bool, size: str | None = None
) -> "tuple[Network, DataPlace]":
    """The network that a command's options name, ready for pictures, and where data sets lie.

    Raises: RequestError as `open_network`, and for a device that is not there.
    """
    from cnnlab.network.open import open_network
    from cnnlab.network.session import Session

    session = Session(runs=runs, device_name=device, allow_plugins=allow_plugins, track=tracked)
    network = open_network(text, session, size=size, weights=weights, for_images=True)
    return network, session.place


def refuse_test(split: Split) -> None:
    """Nothing, unless the test part is asked for.

    Raises: RequestError for the test part.
    """
    if split is Split.test:
        raise RequestError("the test part is opened by `cnnlab eval --split test` alone; use --split validation")


def own_pictures(network: "Network", split: Split, place: "DataPlace") -> "Dataset":
    """The pictures of a part of the network's own data.

    Raises: RequestError for a network without any.
    """
    if network.config is None:
        raise RequestError(f"{network.name} has no pictures of its own; name a run, or a config")
    return network.part(split.value, place)


def write_and_show(
    report: "Report",
    document: Mapping[str, Any],
    folder: Path,
    *,
    as_json: bool,
    more: Sequence[Path] = (),
    unreadable: "Sequence[Unreadable]" = (),
) -> None:
    """Pictures, tables, the page and the facts below `folder`; then the report or one JSON document on stdout.

    `more` are pictures that were written already. Ends with exit code 1 where a picture could not be read.
    """
    from cnnlab.core.files import write_whole
    from cnnlab.view import console, files, json

    saved = files.save(report, folder)
    pictures = [*saved.pictures, *more]
    whole = {**document, "unreadable": unreadable_json(unreadable), "pictures": pictures, "page": saved.page}
    write_whole(folder / "facts.json", json.text(whole) + "\n")
    if as_json:
        print_json(whole)
    else:
        console.show(report, out_console(), folder=folder)
        for path in more:
            err_console().print(f"written to {path}", style="dim", soft_wrap=True)
        err_console().print(f"written to {saved.page}", style="dim", soft_wrap=True)
    name_unreadable(unreadable)
    if unreadable:
        raise typer.Exit(1)
