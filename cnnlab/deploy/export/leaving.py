"""A network as it leaves: on the processor, in single precision, with what goes beside its weights."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.deploy.export.measured import Measured, measured
from cnnlab.models.tensors import copied
from cnnlab.network.exported.file_network import FileNetwork
from cnnlab.network.exported.metadata import Metadata, metadata_of
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.rejection.kept import Rejection, is_kept, kept

EXAMPLE = 2
"""Images of the pass that an exporter follows: of a single one it would take the number for fixed."""


@dataclass(frozen=True, eq=False)
class Leaving:
    """What is written in one format or another."""

    network: Network
    """As it was opened."""
    model: nn.Module
    """A copy in evaluation mode, on the processor."""
    metadata: Metadata
    rule: Rejection | None
    """What tells images that are none of the classes, where a rule was kept for it."""
    remarks: tuple[str, ...]
    """What is to be known of the export, in sentences without an end."""
    session: Session
    """Where its images lie."""

    @cached_property
    def measured(self) -> Measured:
        """How good it is; it is run on all images of its part when that is first asked for."""
        return measured(self.network, self.session)

    @property
    def example(self) -> Float[Tensor, "n c h w"]:
        """Images of zeros."""
        return torch.zeros(EXAMPLE, *self.metadata.shape)


def leaving(network: Network, session: Session) -> Leaving:
    """A network ready to be written.

    Arguments:
        network: opened for images; it stays as it is.
        session: where its images lie.

    Returns:
        A copy of it with its metadata.

    Raises:
        RequestError: for a network that is a file already.
    """
    if isinstance(network.model, FileNetwork):
        raise RequestError(
            f"{network.name} is {network.model.kind} already; give the network that it was exported from"
        )
    model = copied(network.model).cpu().float().eval().requires_grad_(False)
    rule, remarks = _rule(network, session)
    metadata = metadata_of(network, None if rule is None else rule.as_metadata(), model=model)
    return Leaving(network, model, metadata, rule, remarks, session)


def _rule(network: Network, session: Session) -> tuple[Rejection | None, tuple[str, ...]]:
    """The rule of rejection that was kept for a network; a remark where that is not to be used."""
    if not is_kept(network, session):
        return None, ()
    if network.fused and network.threshold is None:
        return None, ("no threshold of rejection leaves with a fused network but one of logits (`score` energy)",)
    try:
        return kept(network, session), ()
    except RequestError as error:
        return None, (f"no threshold of rejection leaves with it: {error}",)
