"""Activations and dropout: any shape, no parameters.

No activation works in place: explanations read what went into a layer after it has run.
"""

from typing import Literal

from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.quantities import Fraction, NonNegativeNumber
from cnnlab.models.layers.inputs import image
from cnnlab.models.registry import LAYERS


@LAYERS.register("relu")
def relu() -> nn.ReLU:
    """y = max(0, x). Source: Nair & Hinton 2010; Krizhevsky et al. 2012."""
    return nn.ReLU()


@LAYERS.register("relu6")
def relu6() -> nn.ReLU6:
    """y = min(max(0, x), 6), whose outputs fit few bits. Source: Howard et al. 2017 (MobileNets), arXiv:1704.04861."""
    return nn.ReLU6()


@LAYERS.register("leaky_relu")
def leaky_relu(*, slope: NonNegativeNumber = 0.01) -> nn.LeakyReLU:
    """y = x where x > 0, otherwise slope·x. Source: Maas et al. 2013."""
    return nn.LeakyReLU(slope)


@LAYERS.register("gelu")
def gelu(*, approximate: Literal["none", "tanh"] = "none") -> nn.GELU:
    """y = x·Φ(x), Φ the normal distribution function. Source: Hendrycks & Gimpel 2016, arXiv:1606.08415.

    `approximate: tanh` is 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
    """
    return nn.GELU(approximate)


@LAYERS.register("silu")
def silu() -> nn.SiLU:
    """y = x·σ(x), also called swish. Source: Elfwing et al. 2017, arXiv:1702.03118."""
    return nn.SiLU()


@LAYERS.register("hardswish")
def hardswish() -> nn.Hardswish:
    """y = x·min(max(x + 3, 0), 6)/6: silu without the exponential. Source: Howard et al. 2019, arXiv:1905.02244."""
    return nn.Hardswish()


@LAYERS.register("hardsigmoid")
def hardsigmoid() -> nn.Hardsigmoid:
    """y = min(max(x + 3, 0), 6)/6: a gate without the exponential. Source: Howard et al. 2019, arXiv:1905.02244."""
    return nn.Hardsigmoid()


@LAYERS.register("sigmoid")
def sigmoid() -> nn.Sigmoid:
    """y = 1/(1 + exp(−x)), between 0 and 1."""
    return nn.Sigmoid()


@LAYERS.register("tanh")
def tanh() -> nn.Tanh:
    """y = tanh(x), between −1 and 1: what LeNet used. Source: LeCun et al. 1998."""
    return nn.Tanh()


@LAYERS.register("dropout")
def dropout(
    shape: Shape, *, probability: Fraction = 0.5, unit: Literal["element", "channel"] = "element"
) -> nn.Dropout | nn.Dropout2d:
    """While training, each value is set to 0 with `probability`, the others divided by 1 − `probability`; shape kept.

    `unit: channel` drops whole channels (spatial dropout), since neighbouring pixels of one carry the same information.
    Sources: Srivastava et al. 2014, JMLR 15; Tompson et al. 2015, arXiv:1411.4280.
    """
    if unit == "channel":
        image(shape)
        return nn.Dropout2d(probability)
    return nn.Dropout(probability)
