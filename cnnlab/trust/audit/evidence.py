"""The place of the evidence over many images: an audit for answers that rest on borders, corners or backgrounds.

A network that reads a watermark or a frame answers rightly and for the wrong reason (Lapuschkin et al. 2019, "Unmasking
Clever Hans predictors", arXiv:1902.10178). Measures are shares of a map's positive part, beside what a uniform map has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cnnlab.attribution.maps import at_image_size, has_evidence
from cnnlab.attribution.measures.location import border_region, corner_region, energy_inside, gini, peaks, top_share
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.stats.confidence import MeanInterval, bootstrap_mean


@dataclass(frozen=True)
class ImageEvidence:
    """One image, by its place in the set. Shares are 0 … 1."""

    index: int
    evident: bool
    """Whether the map has anything above zero; without, every share here is 0 and says nothing."""
    inside: float | None
    """Share in the object; None without a mask."""
    area: float | None
    """What a uniform map has there."""
    border: float
    """Share in the outer frame, an eighth of each side wide …"""
    corner: float
    """Share in the four corners, a quarter of each side wide."""
    peak: tuple[int, int]
    """Row and column of the strongest pixel."""
    top: float
    """Share of the strongest tenth of the pixels: 0.1 for a uniform map."""
    gini: float
    """0 for a uniform map, almost 1 for a single pixel."""
    suspicion: float
    """How far the evidence lies where it should not, beyond a uniform map: 0 not at all, 1 all of it (see `locate`)."""


@dataclass(frozen=True)
class BrokenLimit:
    """An image over a limit."""

    index: int
    limit: str
    """"max_border" or "min_inside"."""
    value: float
    allowed: float


@dataclass(frozen=True)
class LimitCheck:
    """Which images break which limit."""

    breaches: tuple[BrokenLimit, ...]
    """Breaches in the order of the images."""
    checked: int
    """Images that were held against some limit."""
    unchecked: tuple[int, ...]
    """Images without evidence, and, where only `min_inside` is asked, without a mask."""

    @property
    def broken(self) -> int:
        """How many images break one limit or both."""
        return len({breach.index for breach in self.breaches})


@dataclass(frozen=True)
class EvidenceSummary:
    """Means over the images of a group that have evidence; None where none has."""

    name: str
    n: int
    """Images …"""
    empty: int
    """Images without evidence, which are in no mean."""
    inside: MeanInterval | None
    """Over the images with a mask."""
    border: MeanInterval | None
    corner: MeanInterval | None
    top: MeanInterval | None
    gini: MeanInterval | None
    suspicion: MeanInterval | None


def locate(
    maps: Float[Tensor, "n h2 w2"],
    *,
    size: tuple[int, int],
    masks: Bool[Tensor, "_ _ _"] | None = None,
    seed: int = 0,
) -> tuple[ImageEvidence, ...]:
    """Find where the positive part of each raw map lies, in images of `size` (height, width), in their order.

    `masks` are the objects; one without a pixel stands for an unknown object. `seed` picks among equal peaks.

    `suspicion` is the largest of max(0, (share − area)/(1 − area)) over the places that should not matter, with `area`
    the share that a uniform map has there: the border frame and the corners, and, where the object is known, everything
    outside it, and the frame and the corners only as far as the object leaves them free.

    Raises: RequestError for masks of another number or size; what `at_image_size` raises.
    """
    maps = at_image_size(maps.cpu(), size)
    n = len(maps)
    if masks is not None and masks.shape != (n, *size):
        raise RequestError(f"masks of shape {tuple(masks.shape)}; expected one per map, {(n, *size)}")
    objects = torch.zeros(n, *size, dtype=torch.bool) if masks is None else masks.cpu()
    known = objects.flatten(1).any(1)
    border, corner = border_region(*size), corner_region(*size)
    # where the object is unknown, outside it is the whole image, in which no map has more than a uniform one
    places = [border & ~objects, corner & ~objects, ~objects]
    suspicion = torch.stack([_excess(maps, place) for place in places]).amax(0)
    inside, areas, at = energy_inside(maps, objects), objects.double().mean((1, 2)), peaks(maps, seed=seed)
    shares = [energy_inside(maps, border), energy_inside(maps, corner), top_share(maps), gini(maps)]
    borders, corners, tops, ginis = (values.tolist() for values in shares)
    evident = has_evidence(maps)
    return tuple(
        ImageEvidence(
            index=i,
            evident=bool(evident[i]),
            inside=float(inside[i]) if known[i] else None,
            area=float(areas[i]) if known[i] else None,
            border=borders[i],
            corner=corners[i],
            peak=(int(at[i, 0]), int(at[i, 1])),
            top=tops[i],
            gini=ginis[i],
            suspicion=float(suspicion[i]),
        )
        for i in range(n)
    )


def most_suspicious(images: Sequence[ImageEvidence], *, count: int = 25) -> tuple[ImageEvidence, ...]:
    """The images whose evidence lies most where it should not, the worst first; those without evidence never."""
    evident = [image for image in images if image.evident]
    return tuple(sorted(evident, key=lambda image: (-image.suspicion, image.index))[:count])


def check_limits(
    images: Sequence[ImageEvidence], *, max_border: float | None = None, min_inside: float | None = None
) -> LimitCheck:
    """Which images have more than `max_border` of the evidence in the frame, or less than `min_inside` in the object.

    An image without a mask is held against `max_border` alone, one without evidence against nothing.

    Raises: RequestError without a limit, for one that is not between 0 and 1, or for `min_inside` without any mask.
    """
    limits = {"max_border": max_border, "min_inside": min_inside}
    for name, limit in limits.items():
        if limit is not None and not 0 <= limit <= 1:
            raise RequestError(f"{name} is {limit}, expected a share between 0 and 1")
    if max_border is None and min_inside is None:
        raise RequestError("no limit to check: give max_border, min_inside or both")
    if min_inside is not None and all(image.inside is None for image in images):
        raise RequestError("min_inside needs masks of the objects, and no image has one")
    breaches, unchecked = [], []
    for image in images:
        if not image.evident or (max_border is None and image.inside is None):
            unchecked.append(image.index)
            continue
        if max_border is not None and image.border > max_border:
            breaches.append(BrokenLimit(image.index, "max_border", image.border, max_border))
        if min_inside is not None and image.inside is not None and image.inside < min_inside:
            breaches.append(BrokenLimit(image.index, "min_inside", image.inside, min_inside))
    return LimitCheck(tuple(breaches), len(images) - len(unchecked), tuple(unchecked))


def summarize_evidence(images: Sequence[ImageEvidence], *, seed: int, name: str = "all") -> EvidenceSummary:
    """Means over the images with evidence, each with its 95 % bootstrap interval."""
    evident = [image for image in images if image.evident]
    seed = derive_seed(seed, "bootstrap")

    def mean(values: list[float]) -> MeanInterval | None:
        return bootstrap_mean(torch.tensor(values, dtype=torch.float64), seed=seed) if values else None

    return EvidenceSummary(
        name=name,
        n=len(images),
        empty=len(images) - len(evident),
        inside=mean([image.inside for image in evident if image.inside is not None]),
        border=mean([image.border for image in evident]),
        corner=mean([image.corner for image in evident]),
        top=mean([image.top for image in evident]),
        gini=mean([image.gini for image in evident]),
        suspicion=mean([image.suspicion for image in evident]),
    )


def evidence_by_group(
    images: Sequence[ImageEvidence], groups: Sequence[str], *, seed: int
) -> tuple[EvidenceSummary, ...]:
    """A summary for each group (a class, a session, a place), the most suspicious first, those without evidence last.

    Raises: ValueError unless there is one group name per image.
    """
    if len(groups) != len(images):
        raise ValueError(f"{len(groups)} group names for {len(images)} images")
    members: dict[str, list[ImageEvidence]] = {}
    for group, image in zip(groups, images, strict=True):
        members.setdefault(group, []).append(image)
    found = (summarize_evidence(some, seed=seed, name=name) for name, some in members.items())
    return tuple(sorted(found, key=lambda one: (-one.suspicion.mean if one.suspicion else 1.0, one.name)))


def _excess(maps: Tensor, region: Bool[Tensor, "n h w"]) -> Float[Tensor, "n"]:
    """How much more of the evidence lies in each region than of a uniform map; 1 for all of it."""
    share, area = energy_inside(maps, region), region.double().mean((1, 2))
    rest = torch.where(area < 1, 1 - area, torch.ones_like(area))
    return ((share - area) / rest).clamp(min=0)
