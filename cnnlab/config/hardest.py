"""What a config says of learning from the hardest images alone."""

from typing import Annotated

from pydantic import Field

from cnnlab.core.registry import Section
from cnnlab.models.registry import Layers


class Hardest(Section):
    """Learn from the images of each batch alone that a small network, trained before, finds hardest.

    Jordan 2024, arXiv:2404.00498; worth its time where the proxy costs a small part of the network.
    """

    proxy: Layers = Field(description="that small network, layer after layer")
    keep: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.5, description="the share of each batch, with the largest losses, that is learned from"
    )
    skip: Annotated[int, Field(ge=2, le=1_000_000)] | None = Field(
        default=None, description="the proxy itself learns nothing from every so many-th batch; null: it does from all"
    )
