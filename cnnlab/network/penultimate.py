"""What the head sees of each image: its features, and the logits that it makes of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, unknown
from cnnlab.models.undisturbed import observe, undisturbed
from cnnlab.walk.layouts import Layouts, layouts_of


@dataclass(frozen=True, eq=False)
class Features:
    """The input of the head for some images."""

    layer: str
    """The head: the layer that turns these features into scores."""
    features: Float[Tensor, "n d"]
    logits: Float[Tensor, "n k"]
    """Of the same pass."""
    labels: Int64[Tensor, "n"]
    indices: Int64[Tensor, "n"]
    """Places in the data set."""


def penultimate_features(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor, int]], *, layer: str | None = None
) -> Iterator[Features]:
    """The features of each batch (images, labels, index of the first) in turn; `joined` puts them together.

    The head is `layer`, or else the last module that runs whose weight has a row per class and whose output has one
    score per class: a linear layer, or a convolution in a network without one, whose input is then averaged over
    space (with a 1×1 kernel in front of a global mean that is exactly what its scores are linear in).

    The model is in evaluation mode for each batch only, and stays as it was.

    Raises: RequestError for a network without such a layer, a name that is no layer, and one without images as input.
    """
    modules = dict(model.named_modules())
    if layer is not None and layer not in modules:
        raise RequestError(unknown("layer", layer, [name for name in modules if name]))
    layouts: Layouts | None = None
    for images, labels, first in batches:
        layer = _head(model, images[:1]) if layer is None else layer
        indices = torch.arange(first, first + len(images))
        entered, logits = _input_of(model, images, layer)
        if entered.dim() != 2:
            layouts = layouts or layouts_of(model, images.shape[1:])
            layout = layouts.entering(layer)
            if layout is None:
                raise RequestError(
                    f"layer '{layer}' gets {tuple(entered.shape)}, neither features nor maps: name the last layer of "
                    "the head"
                )
            entered = layout.maps(entered).mean((2, 3))
        yield Features(layer, entered, logits, labels.cpu().long(), indices)


def joined(parts: Iterable[Features]) -> Features:
    """The features of all batches as one.

    Raises: RequestError without any.
    """
    every = list(parts)
    if not every:
        raise RequestError("no images to take features of: the data set has none")
    return Features(
        layer=every[0].layer,
        features=torch.cat([part.features for part in every]),
        logits=torch.cat([part.logits for part in every]),
        labels=torch.cat([part.labels for part in every]),
        indices=torch.cat([part.indices for part in every]),
    )


def _head(model: nn.Module, images: Float[Tensor, "n c h w"]) -> str:
    """The name of the layer that turns features into scores, found in one pass."""
    ran: list[tuple[str, int, tuple[int, ...]]] = []

    def note(name: str, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or not isinstance(output, Tensor) or not inputs:
            return
        if isinstance(inputs[0], Tensor) and weight.dim() == inputs[0].dim() and len(weight) == output.shape[1]:
            ran.append((name, weight.dim(), tuple(output.shape)))

    with observe(model, note):
        scores = model(images)
    classes = scores.shape[1] if isinstance(scores, Tensor) and scores.dim() == 2 else None
    for dimensions in (2, 4):  # a linear layer first, whatever convolutions run behind it
        for name, dim, shape in reversed(ran):
            if dim == len(shape) == dimensions and shape[1] == classes:
                return name
    raise RequestError(
        "no layer of this network gives one score per class from features, so which ones are the last before the head "
        "is not known; name the layer that takes them"
    )


def _input_of(model: nn.Module, images: Float[Tensor, "n c h w"], layer: str) -> tuple[Tensor, Tensor]:
    """What enters `layer`, of its last run, if there are several; and what the network puts out, (n, k)."""
    entered: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[object, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor):
            # a copy: an in-place layer would change it
            entered[:] = [inputs[0].detach().clone()]

    with undisturbed(model), torch.no_grad():
        dict(model.named_modules())[layer].register_forward_pre_hook(keep)  # which goes with the rest
        output = model(images)
    if not entered or entered[0].dim() < 2:
        raise RequestError(
            f"layer '{layer}' does not run, or gets no features or maps: name the last layer of the head"
        )
    logits = output if isinstance(output, Tensor) and output.dim() == 2 else entered[0].new_zeros(len(images), 0)
    return entered[0].float().cpu(), logits.detach().float().cpu()
