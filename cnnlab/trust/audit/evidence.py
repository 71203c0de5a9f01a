"""Where the evidence lies over many pictures: an audit for answers that rest on borders, corners or backgrounds.

A network that reads a watermark or a frame answers rightly and for the wrong reason (Lapuschkin et al. 2019, "Unmasking
Clever Hans predictors", arXiv:1902.10178). Measures are shares of a map's positive part, beside what a uniform map has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cnnlab.attribution.measures.concentration import gini, top_share
from cnnlab.attribution.measures.location import border_region, corner_region, energy_inside, peaks
from cnnlab.attribution.measures.maps import at_picture_size, has_evidence
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.stats.bootstrap import bootstrap_mean
from cnnlab.stats.confidence import MeanInterval


@dataclass(frozen=True)
class PictureEvidence:
    """One picture, by its place in the set. Shares are 0 … 1."""

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
    """… and in the four corners, a quarter of each side wide."""
    peak: tuple[int, int]
    """Row and column of the strongest pixel."""
    top: float
    """Share of the strongest tenth of the pixels: 0.1 for a uniform map."""
    gini: float
    """0 for a uniform map, almost 1 for a single pixel."""
    suspicion: float
    """How far the evidence lies where it should not, beyond a uniform map: 0 not at all, 1 all of it (see `locate`)."""


@dataclass(frozen=True)
class Breach:
    """A picture over a limit."""

    index: int
    limit: str
    """"max_border" or "min_inside"."""
    value: float
    allowed: float


@dataclass(frozen=True)
class LimitCheck:
    """Which pictures break which limit."""

    breaches: tuple[Breach, ...]
    """In the order of the pictures."""
    checked: int
    """Pictures that were held against some limit."""
    unchecked: tuple[int, ...]
    """Pictures without evidence, and, where only `min_inside` is asked, without a mask."""

    @property
    def broken(self) -> int:
        """How many pictures break one limit or both."""
        return len({breach.index for breach in self.breaches})


@dataclass(frozen=True)
class EvidenceSummary:
    """Means over the pictures of a group that have evidence; None where none has."""

    name: str
    n: int
    """Pictures …"""
    empty: int
    """… of which so many have no evidence, and are in no mean."""
    inside: MeanInterval | None
    """Over the pictures with a mask."""
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
) -> tuple[PictureEvidence, ...]:
    """Where the positive part of each raw map lies, in pictures of `size` (height, width), in their order.

    `masks` are the objects; one without a pixel stands for an unknown object. `seed` picks among equal peaks.

    `suspicion` is the largest of max(0, (share − area)/(1 − area)) over the places that should not matter, with `area`
    the share that a uniform map has there: the border frame and the corners, and, where the object is known, everything
    outside it, and the frame and the corners only as far as the object leaves them free.

    Raises: RequestError for masks of another number or size; what `at_picture_size` raises.
    """
    maps = at_picture_size(maps.cpu(), size)
    n = len(maps)
    if masks is not None and masks.shape != (n, *size):
        raise RequestError(f"masks of shape {tuple(masks.shape)}; expected one per map, {(n, *size)}")
    objects = torch.zeros(n, *size, dtype=torch.bool) if masks is None else masks.cpu()
    known = objects.flatten(1).any(1)
    border, corner = border_region(*size), corner_region(*size)
    # where the object is unknown, outside it is the whole picture, in which no map has more than a uniform one
    places = [border & ~objects, corner & ~objects, ~objects]
    suspicion = torch.stack([_excess(maps, place) for place in places]).amax(0)
    inside, areas, at = energy_inside(maps, objects), objects.double().mean((1, 2)), peaks(maps, seed=seed)
    shares = [energy_inside(maps, border), energy_inside(maps, corner), top_share(maps), gini(maps)]
    borders, corners, tops, ginis = (values.tolist() for values in shares)
    evident = has_evidence(maps)
    return tuple(
        PictureEvidence(
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


def most_suspicious(pictures: Sequence[PictureEvidence], *, count: int = 25) -> tuple[PictureEvidence, ...]:
    """The pictures whose evidence lies most where it should not, the worst first; those without evidence never."""
    evident = [picture for picture in pictures if picture.evident]
    return tuple(sorted(evident, key=lambda picture: (-picture.suspicion, picture.index))[:count])


def check_limits(
    pictures: Sequence[PictureEvidence], *, max_border: float | None = None, min_inside: float | None = None
) -> LimitCheck:
    """Which pictures have more than `max_border` of the evidence in the frame, or less than `min_inside` in the object.

    A picture without a mask is held against `max_border` alone, one without evidence against nothing.

    Raises: RequestError without a limit, for one that is not between 0 and 1, or for `min_inside` without any mask.
    """
    limits = {"max_border": max_border, "min_inside": min_inside}
    for name, limit in limits.items():
        if limit is not None and not 0 <= limit <= 1:
            raise RequestError(f"{name} is {limit}, expected a share between 0 and 1")
    if max_border is None and min_inside is None:
        raise RequestError("no limit to check: give max_border, min_inside or both")
    if min_inside is not None and all(picture.inside is None for picture in pictures):
        raise RequestError("min_inside needs masks of the objects, and no picture has one")
    breaches, unchecked = [], []
    for picture in pictures:
        if not picture.evident or (max_border is None and picture.inside is None):
            unchecked.append(picture.index)
            continue
        if max_border is not None and picture.border > max_border:
            breaches.append(Breach(picture.index, "max_border", picture.border, max_border))
        if min_inside is not None and picture.inside is not None and picture.inside < min_inside:
            breaches.append(Breach(picture.index, "min_inside", picture.inside, min_inside))
    return LimitCheck(tuple(breaches), len(pictures) - len(unchecked), tuple(unchecked))


def summarize_evidence(pictures: Sequence[PictureEvidence], *, seed: int, name: str = "all") -> EvidenceSummary:
    """Means over the pictures with evidence, each with its 95 % bootstrap interval."""
    evident = [picture for picture in pictures if picture.evident]
    seed = derive_seed(seed, "bootstrap")

    def mean(values: list[float]) -> MeanInterval | None:
        return bootstrap_mean(torch.tensor(values, dtype=torch.float64), seed=seed) if values else None

    return EvidenceSummary(
        name=name,
        n=len(pictures),
        empty=len(pictures) - len(evident),
        inside=mean([picture.inside for picture in evident if picture.inside is not None]),
        border=mean([picture.border for picture in evident]),
        corner=mean([picture.corner for picture in evident]),
        top=mean([picture.top for picture in evident]),
        gini=mean([picture.gini for picture in evident]),
        suspicion=mean([picture.suspicion for picture in evident]),
    )


def evidence_by_group(
    pictures: Sequence[PictureEvidence], groups: Sequence[str], *, seed: int
) -> tuple[EvidenceSummary, ...]:
    """A summary for each group (a class, a session, a place), the most suspicious first, those without evidence last.

    Raises: ValueError unless there is one group name per picture.
    """
    if len(groups) != len(pictures):
        raise ValueError(f"{len(groups)} group names for {len(pictures)} pictures")
    members: dict[str, list[PictureEvidence]] = {}
    for group, picture in zip(groups, pictures, strict=True):
        members.setdefault(group, []).append(picture)
    found = (summarize_evidence(some, seed=seed, name=name) for name, some in members.items())
    return tuple(sorted(found, key=lambda one: (-one.suspicion.mean if one.suspicion else 1.0, one.name)))


def _excess(maps: Tensor, region: Bool[Tensor, "n h w"]) -> Float[Tensor, "n"]:
    """How much more of the evidence lies in each region than of a uniform map; 1 for all of it."""
    share, area = energy_inside(maps, region), region.double().mean((1, 2))
    rest = torch.where(area < 1, 1 - area, torch.ones_like(area))
    return ((share - area) / rest).clamp(min=0)
