"""The place of the evidence over many images, and limits on it: for answers that rest on borders or backgrounds.

A network that reads a watermark or a frame answers rightly and for the wrong reason (Lapuschkin et al. 2019, "Unmasking
Clever Hans predictors", arXiv:1902.10178). Measures are shares of a map's positive part, beside what a uniform map has.

Networks that told pneumonia by the mark of a hospital in the corner were accurate where they had been trained, and less
so elsewhere (Zech et al. 2018, arXiv:1807.00431). A single image proves little, since its object may lie at the border:
limits are held against means over many.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cnnlab.attribution.maps import at_image_size, has_evidence
from cnnlab.attribution.measures.comparison import FEWEST
from cnnlab.attribution.measures.location import border_region, corner_region, energy_inside, gini, peaks, top_share
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.seeds import derive_seed
from cnnlab.stats.confidence import MeanInterval, bootstrap_mean

Limit = Literal["max_border", "min_inside"]


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
    members = _members(images, groups)
    found = (summarize_evidence(some, seed=seed, name=name) for name, some in members.items())
    return tuple(sorted(found, key=lambda one: (-one.suspicion.mean if one.suspicion else 1.0, one.name)))


def _members(images: Sequence[ImageEvidence], groups: Sequence[str]) -> dict[str, list[ImageEvidence]]:
    members: dict[str, list[ImageEvidence]] = {}
    for group, image in zip(groups, images, strict=True):
        members.setdefault(group, []).append(image)
    return members


def _excess(maps: Tensor, region: Bool[Tensor, "n h w"]) -> Float[Tensor, "n"]:
    """How much more of the evidence lies in each region than of a uniform map; 1 for all of it."""
    share, area = energy_inside(maps, region), region.double().mean((1, 2))
    rest = torch.where(area < 1, 1 - area, torch.ones_like(area))
    return ((share - area) / rest).clamp(min=0)


@dataclass(frozen=True)
class JudgedLimit:
    """One limit, held against the images of all groups or of one."""

    limit: Limit
    group: str | None
    """None for all images."""
    share: MeanInterval
    """Share of the evidence in the outer frame (max_border) or on the object (min_inside), 0 … 1."""
    allowed: float
    even: bool
    """Whether the limit is the place's share of the image: what evidence that is spread evenly has there."""
    beyond: int
    """Images that are beyond the limit by themselves, of `share.n`."""
    broken: bool

    @property
    def close(self) -> bool:
        """Whether the interval holds the limit, so that other images could turn the outcome."""
        spread = self.share.interval
        return spread is None or spread.low <= self.allowed <= spread.high

    @property
    def sentence(self) -> str:
        """Share, limit and how many images, in one line."""
        spread = self.share.interval
        mean = _percent(self.share.mean) + (
            f" [{spread.low:.1%}, {spread.high:.1%}]".replace("%", "") if spread else ""
        )
        if self.limit == "max_border":
            where, bound = "in the outer frame of the image, an eighth of each side wide", "at most"
        else:
            where, bound = "on the object", "at least"
        allowed = f"{bound} {_percent(self.allowed)} {'may' if bound == 'at most' else 'must'}"
        allowed += ", which is its share of the image" if self.even else ""
        images = f"{self.beyond} of {self.share.n} image{'' if self.share.n == 1 else 's'}"
        said = f"{mean} of the evidence lies {where}; {allowed} ({images} beyond it)"
        return said if self.group is None else f"{self.group}: {said}"


def judge_limits(
    images: Sequence[ImageEvidence],
    *,
    size: tuple[int, int],
    max_border: float | None = None,
    min_inside: float | None = None,
    groups: Sequence[str] = (),
    seed: int,
) -> tuple[JudgedLimit, ...]:
    """First the limits on all images, then those on each of `groups`, which names one group per image.

    Without a limit, that of evidence spread evenly holds: the frame's share of an image of `size` (height, width), and
    the object's mean share where masks are known. Over all images a limit is broken by the mean; in a group, of which
    there may be many, by the whole 95 % interval, and by no fewer than `FEWEST` images.

    Raises: WorkError where no image has evidence; RequestError for a limit that is not between 0 and 1.
    """
    for name, limit in (("max_border", max_border), ("min_inside", min_inside)):
        if limit is not None and not 0 <= limit <= 1:
            raise RequestError(f"`{name}` is {limit}, expected a share between 0 and 1")
    if not any(image.evident for image in images):
        raise WorkError(f"no positive evidence in any of {len(images)} maps: there is nothing to judge")
    summary = summarize_evidence(images, seed=seed)
    judged = list(_judged(images, summary, None, size, max_border, min_inside))
    members = _members(images, groups) if groups else {}
    for summary in evidence_by_group(images, groups, seed=seed) if groups else ():
        judged += _judged(members[summary.name], summary, summary.name, size, max_border, min_inside)
    return tuple(judged)


def _judged(
    images: Sequence[ImageEvidence],
    summary: EvidenceSummary,
    group: str | None,
    size: tuple[int, int],
    max_border: float | None,
    min_inside: float | None,
) -> Iterator[JudgedLimit]:
    if summary.border is not None:
        allowed = float(border_region(*size).double().mean()) if max_border is None else max_border
        beyond = sum(image.evident and image.border > allowed for image in images)
        broken = _broken(summary.border, summary.border.mean > allowed, allowed, group)
        yield JudgedLimit("max_border", group, summary.border, allowed, max_border is None, beyond, broken)
    if summary.inside is not None:
        areas = [image.area for image in images if image.evident and image.area is not None]
        allowed = fmean(areas) if min_inside is None else min_inside
        beyond = sum(image.evident and image.inside is not None and image.inside < allowed for image in images)
        broken = _broken(summary.inside, summary.inside.mean < allowed, allowed, group)
        yield JudgedLimit("min_inside", group, summary.inside, allowed, min_inside is None, beyond, broken)


def _broken(share: MeanInterval, beyond: bool, allowed: float, group: str | None) -> bool:
    if group is None:
        return beyond
    spread = share.interval
    return beyond and spread is not None and share.n >= FEWEST and not spread.low <= allowed <= spread.high


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
