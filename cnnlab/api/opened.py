"""A network that was opened, and all that can be asked of it."""

from typing import final

import torch
from torch import nn

from cnnlab.api.answers import Answers
from cnnlab.api.channels import Channels
from cnnlab.api.cost import Costing
from cnnlab.api.deploy import Departures
from cnnlab.api.embedding import Embeddings
from cnnlab.api.explanation import Explanations
from cnnlab.api.film import Films
from cnnlab.api.kernel import Kernels
from cnnlab.api.landscape import Landscapes
from cnnlab.api.layers import Layers
from cnnlab.api.norms import Normalisation
from cnnlab.api.pages import Pages
from cnnlab.api.probes import Probes
from cnnlab.api.rejection import Rejections
from cnnlab.api.serving import Serving
from cnnlab.api.trust import Trust
from cnnlab.core.arithmetic import Shape


@final
class OpenedNetwork(
    Answers,
    Explanations,
    Trust,
    Layers,
    Costing,
    Kernels,
    Channels,
    Embeddings,
    Films,
    Landscapes,
    Probes,
    Normalisation,
    Rejections,
    Pages,
    Departures,
    Serving,
):
    """A network, and what can be asked of it; `cnnlab.open` is the way to one.

    Each question is what the command of the same name asks. A module that was given is as it was after each of them:
    its modes, gradients, hooks, values and device.

    Example:
        >>> import cnnlab
        >>> net = cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu")
        >>> net.summary().parameters
        1235496
    """

    @property
    def name(self) -> str:
        """What it is called, as in a title."""
        return self._network.name

    @property
    def model(self) -> nn.Module:
        """The module itself."""
        return self._network.model

    @property
    def shape(self) -> Shape:
        """(channels, height, width) of its images, in pixels."""
        return self._network.shape

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of its classes, in the order of its logits; none where they are not known."""
        return self._network.classes

    @property
    def trained(self) -> bool:
        """Whether its weights are learned ones."""
        return self._network.trained

    @property
    def weights(self) -> str:
        """What its weights are, in words."""
        return self._network.weights

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return self._network.device

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence for each thing about it that was assumed or changed."""
        return self._network.remarks

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.shape))
        about = [f"{len(self.classes)} classes"] if self.classes else []
        lines = [f"{self.name}: images of {shape}, {', '.join([*about, self.weights])}, on {self.device}"]
        return "\n".join([*lines, *(f"note: {remark}" for remark in self.remarks)])
