"""The networks of configs/zoo/ with what their headers say of them, worked out by cnnlab's own functions."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torchvision.ops.misc import SqueezeExcitation

from cnnlab.config.config import read_config
from cnnlab.core.arithmetic import Shape
from cnnlab.data.registry import image_of
from cnnlab.models.build import Model, build, parameter_count
from cnnlab.models.layers.attention import SqueezeExcite
from cnnlab.models.weight_flow import weight_flow
from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.walk.walker import walked

ZOO = Path(__file__).parents[2] / "configs" / "zoo"
FILES = sorted(ZOO.glob("*.yaml"))
GATES = (SqueezeExcite, SqueezeExcitation)


def shape_of(path: Path, changes: Sequence[str] = ()) -> Shape:
    """The shape of an image of the config's data set."""
    shape, _ = image_of(read_config(path, changes).data.dataset)
    assert shape is not None
    return shape


def zoo_network(
    path: Path, *, size: int | None = None, classes: int = 10, device: str = "cpu", changes: Sequence[str] = ()
) -> Model:
    """The network of a zoo file with `changes`, in evaluation mode, for images of `size` px (by default its data's)."""
    channels, height, width = shape_of(path, changes)
    model = read_config(path, changes).model
    assert isinstance(model, list)
    with torch.device(device):
        return build(model, (channels, size or height, size or width), classes=classes).eval()


def costs_of(model: torch.nn.Module, shape: Shape) -> tuple[int, int]:
    """Parameters, and multiply-accumulates for an image of `shape`."""
    run = walked(model, shape, follow=False, count=True)
    assert run.failure is None
    return parameter_count(model), run.macs


def field_of(model: torch.nn.Module, shape: Shape) -> int:
    """The largest receptive field of a layer that has places, in pixels, past gates; `model` has lost these then."""
    fields = receptive_fields(_without_gates(model), shape)
    return max(one.size[0] for one in fields.layers if one.stride and one.stride[0] is not None)


def depth_of(model: torch.nn.Module, shape: Shape) -> int:
    """Layers with a matrix or kernels on the longest path to the scores, past gates; `model` has lost these then."""
    weight = next(model.parameters())
    layers, _ = weight_flow(_without_gates(model), torch.zeros(1, *shape, dtype=weight.dtype))
    depths: dict[str, int] = {}
    for name, layer in layers.items():
        before = max((depths[earlier] for earlier in layer.after), default=0)
        depths[name] = before + any(tensor.dim() > 1 for tensor in layer.tensors.values())
    return max(depths.values())


def _without_gates(model: torch.nn.Module) -> torch.nn.Module:
    """The network with the identity in place of gates that look at the whole image."""
    for name, module in list(model.named_modules()):
        if isinstance(module, GATES):
            model.set_submodule(name, torch.nn.Identity())
    return model


COUNTS = r"([\d,]+) parameters, ([\d,]+) multiply-accumulates, a receptive field of ([\d,]+) px"


@dataclass(frozen=True)
class Counts:
    """What a header says of its network."""

    parameters: int
    macs: int
    """Multiply-accumulates for one image."""
    field: int
    """The receptive field in pixels."""
    depth: int
    """Layers with weights on the longest path."""
    classes: int

    @property
    def costs(self) -> tuple[int, int]:
        """Parameters and multiply-accumulates."""
        return self.parameters, self.macs


def counts_of(path: Path) -> Counts:
    """What the header says."""
    found = re.fullmatch(COUNTS + r", ([\d,]+) layers deep; .*, ([\d,]+) classes", header_of(path)["Counts"])
    assert found, path
    return Counts(*map(_number, found.groups()))


def small_of(path: Path) -> tuple[list[str], tuple[int, int, int]] | None:
    """The changes for small images that the header names, and what it says of the network then; None without such."""
    line = header_of(path).get("Small")
    if line is None:
        return None
    found = re.fullmatch(f"(.*): {COUNTS}", line)
    assert found, path
    changes, *counts = found.groups()
    parameters, macs, field = map(_number, counts)
    return shlex.split(changes), (parameters, macs, field)


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def header_of(path: Path) -> dict[str, str]:
    """The lines of a file's header by their first words."""
    lines = [re.match(r"# (\w+): +(.*)", line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line[1]: line[2] for line in lines if line}
