"""The numbers that a layer learns: tensors with their axes named, weights apart from biases.

Source: the documentation of `torch.nn` (the order of the axes).
"""

from dataclasses import dataclass
from math import prod

from torch import nn

from cnnlab.models.layers.convolution import LocallyConnected2d
from cnnlab.models.layers.normalization import DynamicTanh


@dataclass(frozen=True)
class ParameterTensor:
    """One parameter of a layer."""

    name: str
    """Its path, such as `conv1.weight`."""
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    """A name for each axis; empty where they have none."""
    is_bias: bool
    """Added to the outputs, and so multiplied with nothing."""

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


def parameters_of(model: nn.Module) -> tuple[ParameterTensor, ...]:
    """Every parameter of `model`, in its order; one that is shared stands there once."""
    owners = dict(model.named_modules())
    found = []
    for path, parameter in model.named_parameters():
        owner, _, name = path.rpartition(".")
        axes = _axes(owners[owner], name, parameter.dim())
        found.append(ParameterTensor(path, tuple(parameter.shape), axes, name == "bias"))
    return tuple(found)


def _axes(module: nn.Module, name: str, rank: int) -> tuple[str, ...]:
    """The names of the axes of the parameter `name` of `module`."""
    axes: tuple[str, ...] = ()
    match module, name:
        case nn.Conv2d(), "weight":
            axes = ("out", "in" if module.groups == 1 else "in/groups", "kernel height", "kernel width")
        case nn.ConvTranspose2d(), "weight":
            axes = ("in", "out" if module.groups == 1 else "out/groups", "kernel height", "kernel width")
        case nn.Conv2d(), "gain":
            axes = ("out", "1", "1", "1")
        case LocallyConnected2d(), "weight":
            axes = ("row", "column", "out", "in", "kernel height", "kernel width")
        case LocallyConnected2d(), "bias":
            axes = ("out", "row", "column")
        case nn.Linear(), "weight":
            axes = ("out", "in")
        case ((nn.Conv2d() | nn.ConvTranspose2d() | nn.Linear()), "bias"):
            axes = ("out",)
        case nn.LayerNorm(), _ if rank == 3:
            axes = ("channels", "height", "width")
        case ((nn.BatchNorm1d() | nn.BatchNorm2d() | nn.InstanceNorm2d() | nn.GroupNorm()), _):
            axes = ("channels",)
        case ((nn.LayerNorm() | DynamicTanh()), ("weight" | "bias")):
            axes = ("channels",)
    assert len(axes) in (0, rank), f"{len(axes)} names for {rank} axes"
    return axes
