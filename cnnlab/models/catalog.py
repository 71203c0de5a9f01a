"""Every layer and initialisation that comes with the package: importing this module registers them."""

from cnnlab.models import initialization
from cnnlab.models.layers import activation, composite, convolution, normalization, permutation, pooling
from cnnlab.models.registry import INITIALIZATIONS, LAYERS

REGISTERED = (activation, composite, convolution, initialization, normalization, permutation, pooling)

__all__ = ["INITIALIZATIONS", "LAYERS"]
