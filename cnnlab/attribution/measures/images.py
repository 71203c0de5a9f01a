"""Every measure of one method's maps, image by image: what means are made of."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from cnnlab.attribution.maps import at_image_size, has_evidence, varies
from cnnlab.attribution.measures.curves import STEPS, Curves, curves
from cnnlab.attribution.measures.drop import Drop, confidence_drop
from cnnlab.attribution.measures.location import (
    border_region,
    corner_region,
    energy_inside,
    gini,
    pointing_hits,
    top_share,
)
from cnnlab.attribution.measures.ranking import block_side, rank_pixels
from cnnlab.attribution.measures.road import Road, road


@dataclass(frozen=True, eq=False)
class Placed:
    """Shares of each map's evidence by place, 0 … 1; 0 for a map without positive evidence (see `evident`)."""

    evident: Bool[Tensor, "n"]
    """Whether the map has anything above zero."""
    varied: Bool[Tensor, "n"]
    """Whether it prefers any pixel to another; otherwise its order is random, like that of the control."""
    border: Float[Tensor, "n"]
    corner: Float[Tensor, "n"]
    top: Float[Tensor, "n"]
    """Share of the strongest tenth of the pixels."""
    gini: Float[Tensor, "n"]
    inside: Float[Tensor, "n"] | None
    """Share in the object; None without masks."""
    hit: Float[Tensor, "n"] | None
    """1 where the peak meets the object, otherwise 0."""


@dataclass(frozen=True, eq=False)
class ImageScores:
    """The measures of one method, in the order of the images."""

    pixels: Curves
    """Single pixels removed …"""
    blocks: Curves
    """Curves with squares of `block` pixels in place of pixels."""
    block: int
    drop: Drop
    road: Road | None
    placed: Placed


def placed(maps: Float[Tensor, "n h w"], masks: Bool[Tensor, "n h w"] | None = None, *, seed: int) -> Placed:
    """Find where the evidence of maps at image size lies.

    Raises: ValueError for a mask without a pixel.
    """
    size = (maps.shape[1], maps.shape[2])
    return Placed(
        evident=has_evidence(maps).cpu(),
        varied=varies(maps).cpu(),
        border=energy_inside(maps, border_region(*size)),
        corner=energy_inside(maps, corner_region(*size)),
        top=top_share(maps),
        gini=gini(maps),
        inside=None if masks is None else energy_inside(maps, masks),
        hit=None if masks is None else pointing_hits(maps, masks, seed=seed).double(),
    )


def score_images(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    targets: Int64[Tensor, "n"],
    maps: Float[Tensor, "n h2 w2"],
    *,
    seed: int,
    masks: Bool[Tensor, "n h w"] | None = None,
    noise: Float[Tensor, "n c h w"] | None = None,
    steps: int = STEPS,
    max_batch: int = 256,
) -> Iterator[int | ImageScores]:
    """Measure `maps`, of image size or lower, of (normalised) images; ROAD only where its `noise` is given.

    Yields how many images are done, some at a time, and at last their measures. These do not depend on `max_batch`.

    Raises: RequestError and WorkError as `composite_probabilities`; ValueError where a mask has no pixel.
    """
    size = (images.shape[2], images.shape[3])
    maps = at_image_size(maps, size)
    block = block_side(*size)
    fine, coarse = (rank_pixels(maps, seed=seed, block=side) for side in (1, block))
    pixels: list[Curves] = []
    blocks: list[Curves] = []
    drops: list[Drop] = []
    roads: list[Road] = []
    # of so many images, a curve's points fit into about one batch
    at_once = max(1, max_batch // (steps + 1))
    for start in range(0, len(images), at_once):
        stop = min(start + at_once, len(images))
        some, wanted, order = images[start:stop], targets[start:stop], fine.part(start, stop)
        pixels.append(curves(model, some, wanted, order, steps=steps, max_batch=max_batch))
        blocks.append(curves(model, some, wanted, coarse.part(start, stop), steps=steps, max_batch=max_batch))
        drops.append(confidence_drop(model, some, wanted, maps[start:stop], max_batch=max_batch))
        if noise is not None:
            roads.append(road(model, some, wanted, order, noise=noise[start:stop], max_batch=max_batch))
        yield stop
    yield ImageScores(
        _joined_curves(pixels),
        _joined_curves(blocks),
        block,
        Drop(torch.cat([drop.whole for drop in drops]), torch.cat([drop.shown for drop in drops])),
        _joined_roads(roads) if roads else None,
        placed(maps, masks, seed=seed),
    )


def _joined_curves(parts: list[Curves]) -> Curves:
    return Curves(
        torch.cat([part.fractions for part in parts]),
        torch.cat([part.deletion for part in parts]),
        torch.cat([part.insertion for part in parts]),
    )


def _joined_roads(parts: list[Road]) -> Road:
    return Road(
        parts[0].percentiles, torch.cat([part.morf for part in parts]), torch.cat([part.lerf for part in parts])
    )
