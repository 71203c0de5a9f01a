"""Every layer and initialisation that comes with the package: importing this module registers them."""

from cnnlab.models import initialization
from cnnlab.models.layers import (
    activation,
    attention,
    composite,
    convolution,
    normalization,
    permutation,
    pooling,
    scaling,
    whitening,
)
from cnnlab.models.registry import INITIALIZATIONS, LAYERS

REGISTERED = (
    activation, attention, composite, convolution, initialization, normalization, permutation, pooling, scaling,
    whitening,
)  # fmt: skip

__all__ = ["INITIALIZATIONS", "LAYERS"]
