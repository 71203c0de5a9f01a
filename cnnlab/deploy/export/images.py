"""The images on which an exported network is compared: its own, those that are named for it, or made ones."""

from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.deploy.export.agreement import BATCHES
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.runs.images import fixed_sample

COUNT = sum(BATCHES)


@dataclass(frozen=True, eq=False)
class Compared:
    """Images in the network's size."""

    pixels: UInt8[Tensor, "n c h w"]
    source: str
    """Whose they are, in words."""
    real: bool
    """Whether they are no made ones."""


def compared_images(network: Network, session: Session) -> Compared:
    """The images of the validation part, or of the data that was named; made ones where there are none.

    Arguments:
        network: opened for images.
        session: where its data lies, and the seed of the choice.

    Returns:
        As many as the passes need; some twice where there are fewer.

    Raises:
        RequestError: where data was named and is not there.
    """
    note = ""
    if network.has_images:
        try:
            split, part = network.held_out(session.place)
            chosen = fixed_sample(part, COUNT, session.seed, "export").images
            filled = chosen[torch.arange(COUNT) % len(chosen)]
            kept = "images" if len(chosen) == COUNT else f"images ({len(chosen)} of them different)"
            return Compared(filled, f"{COUNT} {kept} of the {network.named_part(split)} part of {part.name}", True)
        except RequestError as error:
            if network.asked is not None or session.data is not None:
                raise
            note = f" (its own are not at hand: {error})"
    generator = torch.Generator().manual_seed(derive_seed(session.seed, "export"))
    pixels = torch.randint(256, (COUNT, *network.shape), generator=generator, dtype=torch.uint8)
    return Compared(pixels, f"{COUNT} images of random pixels, seed {session.seed}{note}", False)
