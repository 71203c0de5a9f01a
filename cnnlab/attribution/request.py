"""A request for attributions, checked, with its layers and targets found."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from torch import Tensor, nn

from cnnlab.attribution.head import Head
from cnnlab.attribution.layers import LayerChoice, choose_layer
from cnnlab.attribution.method import Known, Method
from cnnlab.attribution.piece import Batch, PixelRange
from cnnlab.attribution.target import ScoreFunction, target_of
from cnnlab.core.errors import RequestError
from cnnlab.walk.layouts import Layouts, layouts_of

Layers: TypeAlias = Literal["auto"] | Sequence[str] | LayerChoice
Smooth: TypeAlias = Literal["aug", "eigen"] | None
Targets: TypeAlias = Tensor | Sequence[int] | ScoreFunction


def request(
    model: nn.Module,
    images: Tensor,
    targets: Targets,
    methods: Sequence[Method],
    layers: Layers,
    smooth: Smooth,
    max_batch: int,
    seed: int,
    layouts: Layouts | None = None,
    pixels: PixelRange | None = None,
) -> Batch:
    """The whole request as one batch, checked, with its layers found."""
    if not images.is_floating_point():
        raise RequestError(f"the images are {images.dtype}; expected floating-point numbers, normalised as in training")
    if len(images) < 1:
        raise RequestError("there are no images; expected at least one")
    if max_batch < 1:
        raise RequestError(f"max_batch: is {max_batch}, expected 1 or more")
    shape = (images.shape[1], images.shape[2], images.shape[3])
    names: tuple[str, ...] = ()
    heads: dict[str, Head] = {}
    needs = {need for method in methods for need in method.needs}
    if any(method.uses_layer for method in methods):
        if isinstance(layers, LayerChoice):
            choices, layouts = [layers], layers.layouts
        else:
            layouts = layouts or layouts_of(model, shape)
            choices = []
            if isinstance(layers, str):
                # a name by itself would be read as a list of letters
                choices = [choose_layer(model, shape, layer=None if layers == "auto" else layers, layouts=layouts)]
            elif Known.head in needs:
                choices = [choose_layer(model, shape, layer=name, layouts=layouts) for name in layers]
        names = tuple(choice.name for choice in choices) or tuple(dict.fromkeys(layers))  # type: ignore[arg-type]
        heads = {choice.name: choice.head for choice in choices}
        if not names:
            raise RequestError("layers: there are none; expected names of layers, or 'auto'")
    elif layouts is None and Known.layouts in needs:
        layouts = layouts_of(model, shape)  # once for all batches
    target = target_of(targets, len(images))
    eigen = smooth == "eigen"
    n = len(images)
    return Batch(model, images, target, names, heads, layouts, eigen, max_batch, seed, pixels, 0, n)


def batches(whole: Batch) -> Iterator[Batch]:
    """The request in parts of at most `max_batch` images, on the network's device."""
    state = next(whole.model.parameters(), whole.images)
    for start in range(0, len(whole.images), whole.max_batch):
        part = slice(start, start + whole.max_batch)
        yield replace(whole, images=whole.images[part].to(state.device), target=whole.target.part(part), first=start)
