"""Options that the commands of `cnnlab visualize` share, and where each writes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli.options import Split
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.network.network import Network

LayerOption = Annotated[str | None, typer.Option(metavar="NAME", show_default=False, help="The layer to look at.")]
ConvolutionOption = Annotated[
    str | None,
    typer.Option(
        "--layer", metavar="NAME", show_default=False, help="A convolution; the first that is 3 × 3 or larger."
    ),
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
