"""Every layer and initialisation that comes with the package: importing this module registers them."""

from cnnlab.models import initialization as _initialization  # noqa: F401
from cnnlab.models.layers import activation as _activation  # noqa: F401
from cnnlab.models.layers import attention as _attention  # noqa: F401
from cnnlab.models.layers import composite as _composite  # noqa: F401
from cnnlab.models.layers import convolution as _convolution  # noqa: F401
from cnnlab.models.layers import dense as _dense  # noqa: F401
from cnnlab.models.layers import local as _local  # noqa: F401
from cnnlab.models.layers import normalization as _normalization  # noqa: F401
from cnnlab.models.layers import pooling as _pooling  # noqa: F401
from cnnlab.models.layers import regularization as _regularization  # noqa: F401
from cnnlab.models.registry import INITIALIZATIONS, LAYERS

__all__ = ["INITIALIZATIONS", "LAYERS"]
