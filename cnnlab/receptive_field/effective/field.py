"""The effective receptive field of a unit: over images for given weights, over random weights for an architecture."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.seeds import derive_seed
from cnnlab.receptive_field.effective.capture import Part, Unit, locate, summed_influence
from cnnlab.receptive_field.effective.mass import Place
from cnnlab.walk.layouts import Layouts, layouts_of


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
    unit: tuple[int, int] | int | None = None,
    channel: int | None = None,
    part: Part = "absolute",
    max_batch: int = 16,
) -> Iterator[EffectiveField]:
    """The field of one unit, better with each batch of images: the last one is the answer, those before are progress.

    `layer=None` is the model's output; `unit` (row, column) its central one if None, an index for a layer of features;
    `channel=None` the sum over channels; for `part` see `capture.summed_influence`. At most `max_batch` images at a
    time. The model is as before between two batches and after the last, also after an exception.

    Raises: RequestError at once where the layer, the unit or the channel does not exist; on the way RequestError
    where no gradient reaches the image, WorkError where it is NaN, infinite, or 0 for every image.
    """
    if max_batch < 1:
        raise RequestError(f"max_batch {max_batch}: at least 1 image has to run at a time")
    found = locate(model, images, layer=layer, unit=unit, channel=channel)
    return _over_images(model, images, found, part, max_batch)


def random_weight_fields(
    make_model: Callable[[int], nn.Module],
    shape: tuple[int, int, int],
    *,
    count: int,
    seed: int,
    layer: str | None,
    unit: tuple[int, int] | int | None = None,
    images: int = 1,
    max_batch: int = 16,
) -> Iterator[EffectiveField]:
    """The field of an architecture, averaged over `count` networks of random weights; the last one is the answer.

    `make_model` gives a network for a seed. Each sees `images` inputs of `shape` (channels, height, width) whose values
    are drawn from the standard normal distribution. Networks, inputs and so the result follow from `seed`; networks
    whose unit is dead (a gradient of 0) count as well. (The average of Luo et al. 2016,
    arXiv:1701.04128, section 3.)

    Raises: RequestError at once for a count below 1; when iterated as `effective_field`.
    """
    if count < 1 or images < 1 or max_batch < 1:
        raise RequestError(f"count {count}, images {images}, max_batch {max_batch}: each has to be at least 1")
    return _over_weights(make_model, shape, count, seed, layer, unit, images, max_batch)


def centre_of(unit: Unit, height: int, width: int) -> Place:
    """The place of a unit in an image of `height` × `width` px: (row, column), to the half pixel.

    (u + ½) · size/map − ½ along each axis. Exact for a map of the image's size, for windows side by side and for the
    middle of an odd map; elsewhere off by what the padding does at the ends. A 3 × 3 window with stride 2 and padding 1
    on an even size leaves one end's padding unread, so that the last stage of a ResNet stands 15.5 px earlier: only the
    theoretical receptive field knows it, and `measures.measure` takes it. A feature stands over the middle.
    """
    if isinstance(unit.position, int):
        return (height - 1) / 2, (width - 1) / 2
    row, column = (
        round(2 * ((at + 0.5) * size / cells - 0.5)) / 2
        for at, size, cells in zip(unit.position, (height, width), unit.shape[1:], strict=True)
    )
    return min(max(row, 0.0), height - 1.0), min(max(column, 0.0), width - 1.0)


def _over_images(
    model: nn.Module, images: Float[Tensor, "n c h w"], unit: Unit, part: Part, max_batch: int
) -> Iterator[EffectiveField]:
    total, channels, height, width = images.shape
    centre = centre_of(unit, height, width)
    summed = torch.zeros(height, width, dtype=torch.float64)
    for start in range(0, total, max_batch):
        batch = images[start : start + max_batch]
        summed = summed + summed_influence(model, batch, unit, part=part)
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
    position: tuple[int, int] | int | None,
    images: int,
    max_batch: int,
) -> Iterator[EffectiveField]:
    channels, height, width = shape
    layouts: Layouts | None = None
    summed = torch.zeros(height, width, dtype=torch.float64)
    for index in range(count):
        model = make_model(derive_seed(seed, "weights", index))
        like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
        generator = torch.Generator().manual_seed(derive_seed(seed, "inputs", index))
        inputs = torch.randn(images, *shape, generator=generator).to(like)
        layouts = layouts or layouts_of(model, shape)
        unit = locate(model, inputs, layer=layer, unit=position, layouts=layouts)
        for batch in inputs.split(max_batch):
            summed = summed + summed_influence(model, batch, unit) / images
        if index + 1 == count:
            _check_alive(summed, unit, f"{count} network(s)")
        yield EffectiveField(summed / (index + 1), unit, centre_of(unit, height, width), channels, index + 1, count)


def _check_alive(summed: Tensor, unit: Unit, samples: str) -> None:
    if float(summed.max()) == 0:
        raise WorkError(
            f"no pixel has an influence on {unit} in {samples}: its gradient is 0 everywhere (a dead unit, or one that "
            "reads only padding); give more or other images, another unit, or a layer before its rectifier"
        )
