"""The influence of each pixel on one unit, by its gradient; the forward pass ends at the unit's layer.

Luo, Li, Urtasun and Zemel 2016, arXiv:1701.04128, section 2: a gradient of 1 at the unit and 0 elsewhere, taken back
to the input; its absolute value, averaged over images. Only the image's gradient is computed, never that of a
parameter.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, WorkError, unknown
from cnnlab.models.undisturbed import undisturbed
from cnnlab.walk.layout import Layout
from cnnlab.walk.layouts import Layouts, layouts_of

Part = Literal["absolute", "positive"]


@dataclass(frozen=True)
class Unit:
    """One place of a layer's output."""

    layer: str | None
    """None for the output of the whole model."""
    position: tuple[int, int] | int
    """(row, column) in a map, an index among features."""
    channel: int | None
    """None for the sum over all channels."""
    shape: tuple[int, ...]
    """The layer's output without the batch: (channels, height, width) or (features,)."""
    run: int
    """Which run of the layer gives the output, from 1: its last one, where a layer runs several times."""
    layout: Layout | None = None
    """Layout of the output, where it is a map."""

    def __str__(self) -> str:
        place = "" if self.channel is None else f", channel {self.channel}"
        return f"unit {self.position} of {_named(self.layer)}{place}"


def locate(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    *,
    layer: str | None,
    unit: tuple[int, int] | int | None = None,
    channel: int | None = None,
    layouts: Layouts | None = None,
) -> Unit:
    """The unit that is asked for, found by one forward pass of the first image, in evaluation mode.

    `unit` is (row, column) of a map, its central one (height // 2, width // 2) if None, or the index of a feature.
    `layouts` are the network's for images of this size, where the caller has them.

    Raises: RequestError where there is no image, no such layer, or no such unit or channel in it.
    """
    if len(images) == 0:
        raise RequestError("no images: an effective receptive field needs at least one")
    with undisturbed(model), torch.no_grad():
        output, runs = _output(model, images[:1].clone(), layer, last=None)
    if runs == 0:
        raise RequestError(f"{_named(layer)} does not run when the model is given an image: name another layer")
    if not isinstance(output, Tensor):
        raise RequestError(f"{_named(layer)} puts out a {type(output).__name__}, not a tensor: name a layer before it")
    layout, shape = None, tuple(output.shape[1:])
    if len(shape) != 1:
        layout = (layouts or layouts_of(model, images.shape[1:])).of(layer or "")
        shape = layout.size
    return Unit(layer, _position(layer, shape, unit), _channel(layer, shape, channel), shape, runs, layout)


def summed_influence(
    model: nn.Module, images: Float[Tensor, "n c h w"], unit: Unit, *, part: Part = "absolute"
) -> Float64[Tensor, "h w"]:
    """Σ over the images of the mean over input channels of |∂unit/∂pixel|, on the CPU.

    A unit over all channels is the sum of their values. With `part="positive"` channels count only where they are
    positive, and pixels only where their gradient is (Ding et al. 2022, arXiv:2203.06717: max(·, 0) of both).

    Evaluation mode; the model is as it was afterwards, also after an exception, and the images are not changed, even by
    a model that works in place.

    Raises: RequestError where no gradient reaches the image; WorkError for a gradient that is NaN or infinite.
    """
    with undisturbed(model), torch.inference_mode(False), torch.enable_grad():
        pixels = images.detach().clone().requires_grad_()
        # Another copy: a model may begin in place, which autograd forbids on a leaf.
        output, _ = _output(model, pixels.clone(), unit.layer, last=unit.run)
        assert isinstance(output, Tensor)
        output = output if unit.layout is None else unit.layout.maps(output)
        if tuple(output.shape[1:]) != unit.shape:
            raise RequestError(
                f"{_named(unit.layer)} put out {_sizes(unit.shape)} for the first image and "
                f"{_sizes(tuple(output.shape[1:]))} for a later one: the field of one unit needs one size"
            )
        value = _value(output, unit, part)
        gradient = torch.autograd.grad(value, pixels, allow_unused=True)[0] if value.requires_grad else None
    if gradient is None:
        raise RequestError(
            f"no gradient goes from {_named(unit.layer)} to the image: the model cuts it before (no_grad, detach, a "
            "rounding, a whole number); name an earlier layer"
        )
    # To the CPU first: not every device has float64.
    gradient = gradient.cpu().double()
    if not bool(gradient.isfinite().all()):
        raise WorkError(
            f"the gradient of {unit} is NaN or infinite; "
            "the weights diverged, or the images were not normalised as in training"
        )
    return (gradient.clamp(min=0) if part == "positive" else gradient.abs()).mean(1).sum(0)


def _value(output: Tensor, unit: Unit, part: Part) -> Tensor:
    """The sum over the batch: no image's unit depends on another image."""
    if isinstance(unit.position, int):
        values = output[:, unit.position]
    else:
        values = output[:, :, unit.position[0], unit.position[1]]
        values = values if unit.channel is None else values[:, unit.channel]
    return (values.relu() if part == "positive" else values).sum()


class _ReachedError(BaseException):
    """Ends a forward pass at its layer; no `Exception`, so that a model that catches those lets it through."""


def _output(model: nn.Module, images: Tensor, layer: str | None, *, last: int | None) -> tuple[object, int]:
    """What the layer puts out in run `last`, or in its last run if None, and how often it ran until then."""
    modules = dict(model.named_modules(remove_duplicate=False))
    if layer is not None and (layer not in modules or not layer):
        raise RequestError(unknown("layer", layer, [name for name in modules if name]))
    found: list[object] = [None]
    runs = 0

    def hook(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal runs
        runs += 1
        # A copy: a later in-place layer would change it.
        found[0] = output.clone() if isinstance(output, Tensor) else output
        if runs == last:
            raise _ReachedError

    modules[layer or ""].register_forward_hook(hook)  # which goes with the `undisturbed` that this runs in
    with suppress(_ReachedError):
        model(images)
    return found[0], runs


def _position(layer: str | None, shape: tuple[int, ...], unit: tuple[int, int] | int | None) -> tuple[int, int] | int:
    if len(shape) == 1:
        if not isinstance(unit, int) or not 0 <= unit < shape[0]:
            given = "a unit of it" if unit is None else f"unit {unit}"
            raise RequestError(
                f"{given}: {_named(layer)} puts out {shape[0]} features and no map; name one by its index, 0 to "
                f"{shape[0] - 1}, or name a layer before it"
            )
        return unit
    height, width = shape[1:]
    if unit is None:
        return height // 2, width // 2
    if isinstance(unit, int) or not (0 <= unit[0] < height and 0 <= unit[1] < width):
        raise RequestError(
            f"unit {unit}: {_named(layer)} puts out a map of {height}×{width}; a unit is (row, column), (0, 0) to "
            f"({height - 1}, {width - 1})"
        )
    return unit


def _channel(layer: str | None, shape: tuple[int, ...], channel: int | None) -> int | None:
    if channel is None:
        return None
    if len(shape) == 1:
        raise RequestError(f"channel {channel}: {_named(layer)} puts out features without channels; leave it out")
    if not 0 <= channel < shape[0]:
        raise RequestError(f"channel {channel}: {_named(layer)} has {shape[0]} channels, 0 to {shape[0] - 1}")
    return channel


def _named(layer: str | None) -> str:
    return "the model" if layer is None else f"layer '{layer}'"


def _sizes(shape: tuple[object, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
