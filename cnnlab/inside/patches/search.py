"""Maximally activating patches of each channel of a layer, found in one pass over a data set.

M. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, arXiv:1311.2901, figure 2.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.network.forward import capture_outputs
from cnnlab.walk.layout import Layout
from cnnlab.walk.layouts import layouts_of

Batches = Iterable[tuple[Tensor, Tensor, int]]
"""(images (n, c, h, w) as the network gets them, labels (n,), index of the first one in the data set)."""


@dataclass(frozen=True, eq=False)
class TopUnits:
    """The k images of each channel with the highest single activation, the highest first, one unit an image.

    Among equal values the image with the lower index comes first, and in it the upper left unit.
    """

    layer: str
    size: tuple[int, int]
    """(height, width) of the layer's output."""
    values: Float[Tensor, "channels k"]
    """Activations in the layer's own units."""
    images: Int64[Tensor, "channels k"]
    """Indices in the data set."""
    rows: Int64[Tensor, "channels k"]
    columns: Int64[Tensor, "channels k"]
    labels: Int64[Tensor, "channels k"]
    """The images' classes."""
    seen: int
    """Images looked at so far; k is at most this."""


@dataclass(frozen=True)
class ChannelClasses:
    """The classes among a channel's top images."""

    entropy: float
    """Entropy in bits: 0 where all are of one class."""
    normalised: float
    """Share of the largest entropy that k images of so many classes can have, 0 … 1; 0 with one image."""
    purity: float
    """Share of the most frequent class …"""
    label: int
    """The class of which most are; the lowest among equals."""


def top_units(
    model: nn.Module, batches: Batches, layer: str, *, k: int = 9, layout: Layout | None = None
) -> Iterator[TopUnits]:
    """After each batch, the best units so far; the last of them is the answer for the whole data set.

    `layout` is the layer's for images of this size, where the caller has it.

    Nothing but the best is kept, so memory does not grow with the data set; neither the size nor the order of batches
    changes the answer. The model is in evaluation mode for each batch only, and stays as it was.

    Raises: RequestError for a name that is no layer, a layer without spatial output, one whose output changes its size
    from batch to batch, `k` below 1, and no images; WorkError where an activation is NaN.
    """
    if k < 1:
        raise RequestError(f"the {k} highest activations were asked for: expected 1 or more")
    best: TopUnits | None = None
    for images, labels, first in batches:
        captured = capture_outputs(model, images, [layer])
        layout = layout or layouts_of(model, images.shape[1:]).of(layer)
        output = layout.maps(captured[layer]).float().cpu()
        size = (output.shape[2], output.shape[3])
        if best is not None and size != best.size:
            raise RequestError(
                f"layer '{layer}' gives {size[0]}×{size[1]} units for one batch and {best.size[0]}×{best.size[1]} for "
                "another: all images of a search need one size"
            )
        n, channels, _, width = output.shape
        # torch.max names the first of equal values
        values, units = output.flatten(2).max(2)
        if bool(values.isnan().any()):
            image = int(values.isnan().any(1).nonzero()[0, 0])
            raise WorkError(f"layer '{layer}' gives NaN for image {first + image}: the weights diverged")
        indices = torch.arange(first, first + n).expand(channels, n)
        of_labels = labels.cpu().long().expand(channels, n)
        found = TopUnits(layer, size, values.T, indices, units.T // width, units.T % width, of_labels, n)
        best = best_units([found] if best is None else [best, found], k)
        yield best
    if best is None:
        raise RequestError("no images to search for patches: the data set has none")


def best_units(searches: Sequence[TopUnits], k: int) -> TopUnits:
    """The best of what was found among several sets of images by one layer: at most k of each channel."""
    parts = [(one.values, one.images, one.rows, one.columns, one.labels) for one in searches]
    found = [torch.cat(tensors, 1) for tensors in zip(*parts, strict=True)]
    by_image = found[1].argsort(1)
    by_value = found[0].gather(1, by_image).sort(dim=1, descending=True, stable=True).indices
    order = by_image.gather(1, by_value)[:, :k]
    values, images, rows, columns, labels = (part.gather(1, order) for part in found)
    seen = sum(one.seen for one in searches)
    return TopUnits(searches[0].layer, searches[0].size, values, images, rows, columns, labels, seen)


def patch_boxes(
    units: TopUnits, rows: Int64[Tensor, "height 2"], columns: Int64[Tensor, "width 2"]
) -> Int64[Tensor, "channels k 4"]:
    """(top, left, bottom, right), all inclusive, in input pixels: what each top unit sees.

    `rows` and `columns` give (first, last) input row and column that each row and column of the layer's units sees, as
    `cnnlab.receptive_field` computes it.

    Raises: ValueError where they are for another size of the layer's output.
    """
    if (len(rows), len(columns)) != units.size:
        raise ValueError(f"receptive fields of {len(rows)}×{len(columns)} units for a layer of {units.size}")
    vertical, horizontal = rows[units.rows], columns[units.columns]
    return torch.stack([vertical[..., 0], horizontal[..., 0], vertical[..., 1], horizontal[..., 1]], dim=-1)


def channel_classes(units: TopUnits, *, classes: int) -> tuple[ChannelClasses, ...]:
    """How pure each channel's top images are.

    Entropy is of the plain shares of the k images; a channel that ignores classes still gets less than the largest
    entropy by chance, the less the smaller k.
    """
    made = []
    for labels in units.labels:
        counts = torch.bincount(labels, minlength=classes)
        entropy = entropy_bits(counts)
        largest = _largest_entropy(len(labels), classes)
        made.append(
            ChannelClasses(
                entropy=entropy,
                normalised=entropy / largest if largest > 0 else 0.0,
                purity=float(counts.max()) / len(labels),
                label=int(counts.argmax()),
            )
        )
    return tuple(made)


def entropy_bits(counts: Int64[Tensor, "classes"]) -> float:
    """The entropy in bits of the shares that `counts` are of their sum."""
    shares = counts[counts > 0].double() / counts.sum()
    return max(0.0, float(-(shares * shares.log2()).sum()))


def _largest_entropy(images: int, classes: int) -> float:
    """The entropy in bits of `images` spread over `classes` as evenly as whole images can be."""
    each, more = divmod(images, classes)
    shares = [(each + 1) / images] * more + [each / images] * (classes - more)
    return -sum(share * math.log2(share) for share in shares if share > 0)
