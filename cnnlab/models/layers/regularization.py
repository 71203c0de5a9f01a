"""Dropout: noise while training, nothing in eval mode."""

from typing import Literal

from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.quantities import Fraction
from cnnlab.models.layers.inputs import image
from cnnlab.models.registry import LAYERS


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
