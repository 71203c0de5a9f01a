"""The effective receptive field of a unit: over images for given weights, over random weights for an architecture.

Luo, Li, Urtasun and Zemel 2016, arXiv:1701.04128, section 2: a gradient of 1 at the unit and 0 elsewhere, taken back
to the input; its absolute value, averaged over images. The forward pass ends at the unit's layer; only the image's
gradient is computed, never that of a parameter.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, WorkError, unknown
from cnnlab.core.seeds import derive_seed
from cnnlab.models.tensors import lone_tensor
from cnnlab.models.undisturbed import undisturbed
from cnnlab.receptive_field.effective.mass import Place
from cnnlab.walk.layout import Layout
from cnnlab.walk.layouts import Layouts, layouts_of


@dataclass(frozen=True)
class Unit:
    """One place of a layer's output."""

    layer: str | None
    """None for the output of the whole model."""
    position: tuple[int, int]
    """(row, column)."""
    run: int
    """Which run of the layer gives the output, from 1: its last one, where a layer runs several times."""
    layout: Layout
    """Which dimensions of the output are channels, rows and columns."""

    def __str__(self) -> str:
        return f"unit {self.position} of {_named(self.layer)}"


def locate(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    *,
    layer: str | None,
    unit: tuple[int, int] | None = None,
    layouts: Layouts | None = None,
) -> Unit:
    """The unit that is asked for, found by one forward pass of the first image, in evaluation mode.

    `unit` is (row, column), the central one (height // 2, width // 2) if None.
    `layouts` are the network's for images of this size, where the caller has them.

    Raises: RequestError where there is no image, no such layer, no map in it, or no such unit in that.
    """
    if len(images) == 0:
        raise RequestError("no images: an effective receptive field needs at least one")
    with undisturbed(model), torch.no_grad():
        output, runs = _output(model, images[:1].clone(), layer, last=None)
    if runs == 0:
        raise RequestError(f"{_named(layer)} does not run when the model is given an image: name another layer")
    if not isinstance(output, Tensor):
        raise RequestError(f"{_named(layer)} puts out a {type(output).__name__}, not a tensor: name a layer before it")
    layout = (layouts or layouts_of(model, images.shape[1:])).of(layer or "")
    _, height, width = layout.size
    row, column = unit or (height // 2, width // 2)
    if not (0 <= row < height and 0 <= column < width):
        raise RequestError(
            f"unit {unit}: {_named(layer)} puts out a map of {height}×{width}; a unit is (row, column), (0, 0) to "
            f"({height - 1}, {width - 1})"
        )
    return Unit(layer, (row, column), runs, layout)


def summed_influence(model: nn.Module, images: Float[Tensor, "n c h w"], unit: Unit) -> Float64[Tensor, "h w"]:
    """Σ over the images of the mean over input channels of |∂unit/∂pixel|, on the CPU.

    The value of a unit is the sum over all channels.

    Evaluation mode; the model is as it was afterwards, also after an exception, and the images are not changed, even by
    a model that works in place.

    Raises: RequestError where no gradient reaches the image; WorkError for a gradient that is NaN or infinite.
    """
    with undisturbed(model), torch.inference_mode(False), torch.enable_grad():
        pixels = images.detach().clone().requires_grad_()
        # Another copy: a model may begin in place, which autograd forbids on a leaf.
        output, _ = _output(model, pixels.clone(), unit.layer, last=unit.run)
        assert isinstance(output, Tensor)
        output = unit.layout.maps(output)
        if tuple(output.shape[1:]) != unit.layout.size:
            raise RequestError(
                f"{_named(unit.layer)} put out {unit.layout.size} for the first image and "
                f"{tuple(output.shape[1:])} for a later one: the field of one unit needs one size"
            )
        row, column = unit.position
        value = output[:, :, row, column].sum()  # over the batch too: no image's unit depends on another image
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
    return gradient.abs().mean(1).sum(0)


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
        tensor = lone_tensor(output)
        found[0] = output if tensor is None else tensor.clone()
        if runs == last:
            raise _ReachedError

    modules[layer or ""].register_forward_hook(hook)  # which goes with the `undisturbed` that this runs in
    with suppress(_ReachedError):
        model(images)
    return found[0], runs


def _named(layer: str | None) -> str:
    return "the model" if layer is None else f"layer '{layer}'"


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """The influence of each pixel on one unit, averaged so far; `measures.measure` says what it amounts to."""

    influence: Float64[Tensor, "h w"]
    """Mean of |∂unit/∂pixel| over samples and input channels, in the unit's scale per the pixel's; on the CPU."""
    unit: Unit
    centre: Place
    """(row, column) in px of the input over which the unit stands, see `centre_of`."""
    input_channels: int
    done: int
    """Samples behind this average: images, or networks of random weights."""
    total: int
    """Number of samples that there will be."""


def effective_field(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    *,
    layer: str | None,
    unit: tuple[int, int] | None = None,
    max_batch: int = 16,
) -> Iterator[EffectiveField]:
    """The field of one unit, better with each batch of images: the last one is the answer, those before are progress.

    `layer=None` is the model's output; `unit` (row, column) its central one if None. At most `max_batch` images at a
    time. The model is as before between two batches and after the last, also after an exception.

    Raises: RequestError at once where the layer or the unit does not exist; on the way RequestError where no
    gradient reaches the image, WorkError where it is NaN, infinite, or 0 for every image.
    """
    if max_batch < 1:
        raise RequestError(f"max_batch {max_batch}: at least 1 image has to run at a time")
    return _over_images(model, images, locate(model, images, layer=layer, unit=unit), max_batch)


def random_weight_fields(
    make_model: Callable[[int], nn.Module],
    shape: tuple[int, int, int],
    *,
    count: int,
    seed: int,
    layer: str | None,
    unit: tuple[int, int] | None = None,
) -> Iterator[EffectiveField]:
    """The field of an architecture, averaged over `count` networks of random weights; the last one is the answer.

    `make_model` gives a network for a seed. Each sees an input of `shape` (channels, height, width) whose values are
    drawn from the standard normal distribution. Networks, inputs and so the result follow from `seed`; networks whose
    unit is dead (a gradient of 0) count as well. (The average of Luo et al. 2016, arXiv:1701.04128, section 3.)

    Raises: RequestError at once for a count below 1; when iterated as `effective_field`.
    """
    if count < 1:
        raise RequestError(f"count {count}: at least one network is needed")
    return _over_weights(make_model, shape, count, seed, layer, unit)


def centre_of(unit: Unit, height: int, width: int) -> Place:
    """The place of a unit in an image of `height` × `width` px: (row, column), to the half pixel.

    (u + ½) · size/map − ½ along each axis. Exact for a map of the image's size, for windows side by side and for the
    middle of an odd map; elsewhere off by what the padding does at the ends. A 3 × 3 window with stride 2 and padding 1
    on an even size leaves one end's padding unread, so that the last stage of a ResNet stands 15.5 px earlier: only the
    theoretical receptive field knows it, and `measures.measure` takes it.
    """
    row, column = (
        round(2 * ((at + 0.5) * size / cells - 0.5)) / 2
        for at, size, cells in zip(unit.position, (height, width), unit.layout.size[1:], strict=True)
    )
    return min(max(row, 0.0), height - 1.0), min(max(column, 0.0), width - 1.0)


def _over_images(
    model: nn.Module, images: Float[Tensor, "n c h w"], unit: Unit, max_batch: int
) -> Iterator[EffectiveField]:
    total, channels, height, width = images.shape
    centre = centre_of(unit, height, width)
    summed = torch.zeros(height, width, dtype=torch.float64)
    for start in range(0, total, max_batch):
        batch = images[start : start + max_batch]
        summed = summed + summed_influence(model, batch, unit)
        done = start + len(batch)
        if done == total:
            _check_alive(summed, unit, f"{total} image(s)")
        yield EffectiveField(summed / done, unit, centre, channels, done, total)


def _over_weights(
    make_model: Callable[[int], nn.Module],
    shape: tuple[int, int, int],
    count: int,
    seed: int,
    layer: str | None,
    position: tuple[int, int] | None,
) -> Iterator[EffectiveField]:
    channels, height, width = shape
    layouts: Layouts | None = None
    summed = torch.zeros(height, width, dtype=torch.float64)
    for index in range(count):
        model = make_model(derive_seed(seed, "weights", index))
        like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
        generator = torch.Generator().manual_seed(derive_seed(seed, "inputs", index))
        inputs = torch.randn(1, *shape, generator=generator).to(like)
        layouts = layouts or layouts_of(model, shape)
        unit = locate(model, inputs, layer=layer, unit=position, layouts=layouts)
        summed = summed + summed_influence(model, inputs, unit)
        if index + 1 == count:
            _check_alive(summed, unit, f"{count} network(s)")
        yield EffectiveField(summed / (index + 1), unit, centre_of(unit, height, width), channels, index + 1, count)


def _check_alive(summed: Tensor, unit: Unit, samples: str) -> None:
    if float(summed.max()) == 0:
        raise WorkError(
            f"no pixel has an influence on {unit} in {samples}: its gradient is 0 everywhere (a dead unit, or one that "
            "reads only padding); give more or other images, another unit, or a layer before its rectifier"
        )
