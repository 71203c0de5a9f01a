"""How weights start: of convolutions, linear and locally connected layers. Norms keep γ = 1 and β = 0.

Each initialisation sets one layer in place. Fans are a layer's true ones: a group of a convolution is a map of its
own, as is each place of a locally connected layer (`torch.nn.init` overlooks the groups in fan_out).
"""

from math import sqrt
from typing import Literal

import torch
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.core.quantities import NonNegativeNumber, PositiveNumber
from cnnlab.core.registry import Component
from cnnlab.core.seeds import derive_seed
from cnnlab.models.data_dependent import own_start
from cnnlab.models.layers.convolution import LocallyConnected2d
from cnnlab.models.registry import INITIALIZATIONS

Weighted = nn.Conv2d | nn.Linear | LocallyConnected2d
Distribution = Literal["normal", "uniform"]


def initialize(model: nn.Module, initialization: Component, *, seed: int) -> None:
    """Set the weights of every convolution, linear and locally connected layer of `model`, in place.

    Layers that begin from images are left as they are.

    Each layer has a generator of its own, from `seed` and its name, so that a layer's start does not depend on the
    layers beside it; the global generators are left as they were. On one kind of device the outcome follows from the
    seed alone.
    """
    own = own_start(model)
    for name, module in model.named_modules():
        if not isinstance(module, Weighted) or module in own:
            continue
        device = module.weight.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.no_grad():
            torch.manual_seed(derive_seed(seed, "weights", name))
            initialization.build(module=module)


def check_settable(model: nn.Module, initialization: Component) -> None:
    """See that what `initialize` sets are the parameters themselves.

    Raises: RequestError for a weight that is worked out from others, as weight normalisation does: setting it has no
    effect.
    """
    for name, module in model.named_modules():
        if isinstance(module, Weighted) and "weight" not in module._parameters:
            what = f"layer '{name}'" if name else "the network"
            error = RequestError(
                f"the weight of {what} is worked out from other parameters (weight or spectral normalisation), and "
                "cannot be set; leave `initialization` out, by which the network keeps its own"
            )
            raise initialization.located(error)


@INITIALIZATIONS.register("default")
def default(module: nn.Module) -> None:
    """PyTorch's: weights and biases uniform in ±1/√fan_in."""
    _weighted(module).reset_parameters()


@INITIALIZATIONS.register("kaiming")
def kaiming(
    module: nn.Module,
    *,
    mode: Literal["fan_in", "fan_out"] = "fan_in",
    nonlinearity: Literal["linear", "relu", "leaky_relu", "selu", "sigmoid", "tanh"] = "relu",
    distribution: Distribution = "normal",
) -> None:
    """Weights of standard deviation gain/√fan, biases 0: the variance stays through layers with that nonlinearity.

    The gain is `torch.nn.init.calculate_gain(nonlinearity)`, √2 for relu. Source: He et al. 2015, arXiv:1502.01852,
    section 2.2.
    """
    fan_in, fan_out = fans(module)
    gain = nn.init.calculate_gain(nonlinearity)
    _draw(module, gain / sqrt(fan_in if mode == "fan_in" else fan_out), distribution)


@INITIALIZATIONS.register("xavier")
def xavier(module: nn.Module, *, gain: PositiveNumber = 1.0, distribution: Distribution = "uniform") -> None:
    """Weights of standard deviation gain·√(2/(fan_in + fan_out)), biases 0.

    Source: Glorot & Bengio 2010, equation 16 (the uniform one, gain 1).
    """
    fan_in, fan_out = fans(module)
    _draw(module, gain * sqrt(2 / (fan_in + fan_out)), distribution)


@INITIALIZATIONS.register("orthogonal")
def orthogonal(module: nn.Module, *, gain: PositiveNumber = 1.0) -> None:
    """Weights whose rows (or columns, whichever are fewer) are orthogonal and of length `gain`, biases 0.

    A group, or a place of a locally connected layer, is a matrix (outputs, fan_in). Source: Saxe et al. 2013,
    arXiv:1312.6120.
    """
    weights = matrices(module)
    rows, columns = weights.shape[1:]
    tall = torch.randn(len(weights), max(rows, columns), min(rows, columns), device=weights.device)
    basis, triangle = torch.linalg.qr(tall)
    # The sign of the diagonal makes the draw uniform over orthogonal matrices (Mezzadri 2006, arXiv:math-ph/0609050).
    basis = basis * triangle.diagonal(dim1=1, dim2=2).sign().unsqueeze(1)
    weights.copy_(gain * (basis if rows >= columns else basis.mT))
    _zero_bias(module)


@INITIALIZATIONS.register("dirac")
def dirac(module: nn.Module) -> None:
    """Convolutions that start by passing their input channels on; the other filters, and other layers, as by default.

    Of each group, the first min(inputs, outputs) filters become 1 at the kernel's centre of the channel of the same
    number, and the biases 0. Further filters keep the default: as zeros, as `torch.nn.init.dirac_` has them, they
    would never learn before a relu. It does not apply to an even kernel, which has no centre, nor to linear and
    locally connected layers: these get the default. Source: Zagoruyko & Komodakis 2017, arXiv:1706.00388; Jordan
    2024, arXiv:2404.00498.
    """
    default(module)
    if not isinstance(module, nn.Conv2d) or any(size % 2 == 0 for size in module.kernel_size):
        return
    filters = module.weight.view(module.groups, -1, *module.weight.shape[1:])
    passed = min(filters.shape[1], filters.shape[2])
    filters[:, :passed] = 0
    channel = torch.arange(passed)
    filters[:, channel, channel, module.kernel_size[0] // 2, module.kernel_size[1] // 2] = 1
    _zero_bias(module)


@INITIALIZATIONS.register("scale")
def scale(module: nn.Module, *, factor: NonNegativeNumber) -> None:
    """The default times `factor`, weights and biases: each layer's output is that many times as large."""
    layer = _weighted(module)
    layer.reset_parameters()
    layer.weight.mul_(factor)
    if layer.bias is not None:
        layer.bias.mul_(factor)


def matrices(module: nn.Module) -> Tensor:
    """A view of the weight as (maps, outputs, fan_in): one map per group of a convolution, per place, or just one."""
    layer = _weighted(module)
    weight = layer.weight.data
    if isinstance(layer, nn.Conv2d):
        return weight.view(layer.groups, layer.out_channels // layer.groups, -1)
    if isinstance(layer, LocallyConnected2d):
        return weight.flatten(3).flatten(0, 1)
    return weight.unsqueeze(0)


def fans(module: nn.Module) -> tuple[int, int]:
    """(fan_in, fan_out): inputs that an output sums, and outputs that an input reaches (borders and stride aside)."""
    layer = _weighted(module)
    _, outputs, fan_in = matrices(layer).shape
    window = 1 if isinstance(layer, nn.Linear) else layer.kernel_size[0] * layer.kernel_size[1]
    return fan_in, outputs * window


def _weighted(module: nn.Module) -> Weighted:
    assert isinstance(module, Weighted), f"{type(module).__name__} has no weights to initialise"
    return module


def _draw(module: nn.Module, deviation: float, distribution: Distribution) -> None:
    weight = _weighted(module).weight
    if distribution == "normal":
        nn.init.normal_(weight, std=deviation)
    else:
        nn.init.uniform_(weight, -sqrt(3) * deviation, sqrt(3) * deviation)
    _zero_bias(module)


def _zero_bias(module: nn.Module) -> None:
    bias = _weighted(module).bias
    if bias is not None:
        nn.init.zeros_(bias)
