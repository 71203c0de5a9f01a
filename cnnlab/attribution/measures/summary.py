"""Every measure of one method's maps: image by image, and as means over the images with bootstrap intervals."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from cnnlab.attribution.maps import at_image_size, has_evidence, varies
from cnnlab.attribution.measures.curves import STEPS, Curves, block_side, curves, rank_pixels
from cnnlab.attribution.measures.location import (
    border_region,
    corner_region,
    energy_inside,
    gini,
    pointing_hits,
    top_share,
)
from cnnlab.attribution.measures.probability import Drop, confidence_drop
from cnnlab.attribution.measures.road import Road, road
from cnnlab.core.seeds import derive_seed
from cnnlab.stats.confidence import MeanInterval, bootstrap_mean
from cnnlab.stats.probabilities import Activation

Part = TypeVar("Part", Curves, Drop, Road)


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
    activation: Activation = "softmax",
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
        for made, units in ((pixels, order), (blocks, coarse.part(start, stop))):
            made.append(curves(model, some, wanted, units, steps=steps, max_batch=max_batch, activation=activation))
        shown = maps[start:stop]
        drops.append(confidence_drop(model, some, wanted, shown, max_batch=max_batch, activation=activation))
        if noise is not None:
            here = noise[start:stop]
            roads.append(road(model, some, wanted, order, noise=here, max_batch=max_batch, activation=activation))
        yield stop
    yield ImageScores(
        _joined(pixels),
        _joined(blocks),
        block,
        _joined(drops),
        _joined(roads) if roads else None,
        placed(maps, masks, seed=seed),
    )


def _joined(parts: list[Part]) -> Part:
    """The parts of the images as one: their tensors one behind the other."""
    tensors = [name for name, value in vars(parts[0]).items() if isinstance(value, Tensor)]
    whole: dict[str, Any] = {name: torch.cat([getattr(part, name) for part in parts]) for name in tensors}
    return replace(parts[0], **whole)


@dataclass(frozen=True, eq=False)
class CurveSummary:
    """Deletion and insertion with one kind of unit removed."""

    unit: str
    """"pixels", or such as "blocks of 4×4"."""
    deletion: MeanInterval
    """Area, 0 … 1: small is good."""
    insertion: MeanInterval
    """Area, 0 … 1: large is good."""
    gain: MeanInterval
    """Insertion − deletion."""
    fractions: Float[Tensor, "s"]
    """Mean over the images of the removed part …"""
    deletion_curve: Float[Tensor, "s"]
    """Mean over the images of the probability at that part."""
    insertion_curve: Float[Tensor, "s"]


@dataclass(frozen=True)
class RoadSummary:
    """ROAD over its percentiles."""

    morf: MeanInterval
    """Probability without the most relevant pixels: small is good."""
    lerf: MeanInterval
    """Probability without the least relevant pixels: large is good."""
    combined: MeanInterval
    """(LeRF − MoRF)/2: large is good, 0 says nothing."""


@dataclass(frozen=True)
class PlaceSummary:
    """Means of where the evidence lies, over the maps that have any, and None where no map has."""

    empty: int
    """Maps without positive evidence: they are in none of these means, but for `pointing`."""
    flat: int
    """Maps that prefer no pixel to another: their pixels went in random order, and they miss in the pointing game."""
    border: MeanInterval | None
    corner: MeanInterval | None
    top: MeanInterval | None
    """Share in the strongest tenth of the pixels."""
    gini: MeanInterval | None
    inside: MeanInterval | None
    """None also without masks."""
    pointing: MeanInterval | None
    """Share of the peaks that meet the object, over all maps; None without masks."""

    @property
    def note(self) -> str | None:
        """What is to be said of maps without evidence; None where each has some."""
        said = []
        if self.empty:
            said.append(f"{self.empty} map{'s have' if self.empty > 1 else ' has'} no positive evidence")
        if self.flat:
            said.append(f"{self.flat} the same value everywhere, so that the pixels went in random order")
        return ", ".join(said) or None


@dataclass(frozen=True, eq=False)
class MapSummary:
    """One method, or control, over a set of images. Intervals are of 95 %, over the images."""

    name: str
    control: bool
    pixels: CurveSummary
    blocks: CurveSummary
    drop: MeanInterval
    """Average drop, 0 … 1: small is good."""
    increase: MeanInterval
    """Share of the images whose probability rises: large is good."""
    road: RoadSummary | None
    place: PlaceSummary
    images: ImageScores
    """What these are means of."""


def summarize(name: str, scores: ImageScores, *, control: bool, seed: int) -> MapSummary:
    """Means with intervals; every measure draws the same images, since they all come from one `seed`."""
    seed = derive_seed(seed, "bootstrap")
    return MapSummary(
        name=name,
        control=control,
        pixels=_curves(scores.pixels, "pixels", seed),
        blocks=_curves(scores.blocks, f"blocks of {scores.block}×{scores.block}", seed),
        drop=bootstrap_mean(scores.drop.drop, seed=seed),
        increase=bootstrap_mean(scores.drop.increase, seed=seed),
        road=None
        if scores.road is None
        else RoadSummary(
            bootstrap_mean(scores.road.morf.mean(1), seed=seed),
            bootstrap_mean(scores.road.lerf.mean(1), seed=seed),
            bootstrap_mean(scores.road.combined, seed=seed),
        ),
        place=_place(scores, seed),
        images=scores,
    )


def _curves(found: Curves, unit: str, seed: int) -> CurveSummary:
    return CurveSummary(
        unit,
        bootstrap_mean(found.deletion_area, seed=seed),
        bootstrap_mean(found.insertion_area, seed=seed),
        bootstrap_mean(found.gain, seed=seed),
        found.fractions.mean(0),
        found.deletion.mean(0),
        found.insertion.mean(0),
    )


def _place(scores: ImageScores, seed: int) -> PlaceSummary:
    where = scores.placed

    def mean(values: Tensor | None) -> MeanInterval | None:
        if values is None or not bool(where.evident.any()):
            return None
        return bootstrap_mean(values[where.evident], seed=seed)

    return PlaceSummary(
        empty=int((~where.evident).sum()),
        flat=int((~where.varied).sum()),
        border=mean(where.border),
        corner=mean(where.corner),
        top=mean(where.top),
        gini=mean(where.gini),
        inside=mean(where.inside),
        pointing=None if where.hit is None else bootstrap_mean(where.hit, seed=seed),
    )
