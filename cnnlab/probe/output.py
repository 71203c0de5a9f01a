"""Where each command of `cnnlab probe` writes."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.network.network import Network


def folder_of(network: "Network", what: str, session: Session, out: Path | None) -> Path:
    """Where `what` of a network is written; without a run, among the runs by the model's name."""
    return session.folder(f"probe-{what}", network.run, out=out, without_run=f"probe/{what}-{network.file_name}")
