"""What the head sees of each image: penultimate features, their principal components, and nearest neighbours."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
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
    labels: Int64[Tensor, "n"]
    indices: Int64[Tensor, "n"]
    """Places in the data set."""


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """Features along the directions in which they vary most."""

    mean: Float64[Tensor, "d"]
    axes: Float64[Tensor, "count d"]
    """Axes of length 1 and at right angles; the entry of largest size is positive, which fixes the sign."""
    variance: Float64[Tensor, "count"]
    """Along each axis, in squared units of the features, divided by n − 1."""
    share: Float64[Tensor, "count"]
    """Share of the whole variance, 0 … 1; 0 where features do not vary."""
    coordinates: Float64[Tensor, "n count"]
    """Coordinates of the images, in units of the features."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The images most like one, the most like first; among equals the one that stands first."""

    indices: Int64[Tensor, "count"]
    """Rows of the features that were searched."""
    similarity: Float64[Tensor, "count"]
    """Cosine, −1 … 1; 0 where either has length 0."""


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
        entered = _input_of(model, images, layer)
        if entered.dim() != 2:
            layouts = layouts or layouts_of(model, images.shape[1:])
            layout = layouts.entering(layer)
            if layout is None:
                raise RequestError(
                    f"layer '{layer}' gets {tuple(entered.shape)}, neither features nor maps: name the last layer of "
                    "the head"
                )
            entered = layout.maps(entered).mean((2, 3))
        yield Features(layer, entered, labels.cpu().long(), indices)


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
        labels=torch.cat([part.labels for part in every]),
        indices=torch.cat([part.indices for part in every]),
    )


def principal_components(features: Float[Tensor, "n d"], *, count: int = 2) -> PrincipalComponents:
    """The `count` first principal components, by singular values of the centred features in double precision.

    Source: Pearson 1901; Jolliffe, Principal component analysis (2002), section 3.5.

    Raises: RequestError unless there are two images and 1 ≤ count ≤ min(n, d).
    """
    n, d = features.shape
    if n < 2 or not 1 <= count <= min(n, d):
        raise RequestError(
            f"{count} principal components of {n} images with {d} features: expected at least 2 images, and 1 to "
            "as many components as there are images and features"
        )
    values = features.detach().cpu().double()
    mean = values.mean(0)
    _, s, axes = torch.linalg.svd(values - mean, full_matrices=False)
    axes, variance = axes[:count], s**2 / (n - 1)
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    axes = axes * torch.where(largest < 0, -1.0, 1.0).double()
    whole = float(variance.sum())
    share = variance[:count] / whole if whole > 0 else torch.zeros(count, dtype=torch.float64)
    return PrincipalComponents(mean, axes, variance[:count], share, (values - mean) @ axes.T)


def nearest_neighbours(
    features: Float[Tensor, "n d"], query: Float[Tensor, "d"], *, count: int = 8, leave_out: int | None = None
) -> Neighbours:
    """The rows of `features` with the largest cosine to `query`; `leave_out` is the row of the image itself.

    Raises: RequestError unless 1 ≤ count ≤ the number of rows that are left.
    """
    left = len(features) - (leave_out is not None)
    if not 1 <= count <= left:
        raise RequestError(f"{count} neighbours among {left} images: expected 1 to {left}")
    rows = nn.functional.normalize(features.detach().cpu().double(), dim=1)
    cosine = rows @ nn.functional.normalize(query.detach().cpu().double(), dim=0)
    rank = cosine.clone()
    if leave_out is not None:
        rank[leave_out] = -torch.inf
    order = rank.sort(stable=True, descending=True).indices[:count]
    return Neighbours(order, cosine[order].clamp(-1, 1))


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


def _input_of(model: nn.Module, images: Float[Tensor, "n c h w"], layer: str) -> Float[Tensor, "*s"]:
    """What enters `layer`, of its last run, if there are several."""
    entered: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[object, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor):
            # a copy: an in-place layer would change it
            entered[:] = [inputs[0].detach().clone()]

    with undisturbed(model), torch.no_grad():
        dict(model.named_modules())[layer].register_forward_pre_hook(keep)  # which goes with the rest
        model(images)
    if not entered or entered[0].dim() < 2:
        raise RequestError(
            f"layer '{layer}' does not run, or gets no features or maps: name the last layer of the head"
        )
    return entered[0].float().cpu()
