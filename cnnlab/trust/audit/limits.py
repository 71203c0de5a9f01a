"""Limits on where the evidence may lie, held against means over many images: an acceptance gate with its sentences.

Networks that told pneumonia by the mark of a hospital in the corner were accurate where they had been trained, and less
so elsewhere (Zech et al. 2018, arXiv:1807.00431). A single image proves little: its object may lie at the border.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from cnnlab.attribution.measures.location import border_region
from cnnlab.attribution.measures.verdict import FEWEST
from cnnlab.core.errors import WorkError
from cnnlab.stats.confidence import MeanInterval
from cnnlab.trust.audit.evidence import (
    EvidenceSummary,
    ImageEvidence,
    check_limits,
    evidence_by_group,
    summarize_evidence,
)

Limit = Literal["max_border", "min_inside"]


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

    Raises: WorkError where no image has evidence; RequestError as `check_limits` does.
    """
    if not any(image.evident for image in images):
        raise WorkError(f"no positive evidence in any of {len(images)} maps: there is nothing to judge")
    summary = summarize_evidence(images, seed=seed)
    judged = list(_judged(images, summary, None, size, max_border, min_inside))
    members: dict[str, list[ImageEvidence]] = {}
    for group, image in zip(groups, images, strict=True) if groups else ():
        members.setdefault(group, []).append(image)
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
        beyond = len(check_limits(images, max_border=allowed).breaches)
        broken = _broken(summary.border, summary.border.mean > allowed, allowed, group)
        yield JudgedLimit("max_border", group, summary.border, allowed, max_border is None, beyond, broken)
    if summary.inside is not None:
        areas = [image.area for image in images if image.evident and image.area is not None]
        allowed = fmean(areas) if min_inside is None else min_inside
        beyond = len(check_limits(images, min_inside=allowed).breaches)
        broken = _broken(summary.inside, summary.inside.mean < allowed, allowed, group)
        yield JudgedLimit("min_inside", group, summary.inside, allowed, min_inside is None, beyond, broken)


def _broken(share: MeanInterval, beyond: bool, allowed: float, group: str | None) -> bool:
    if group is None:
        return beyond
    spread = share.interval
    return beyond and spread is not None and share.n >= FEWEST and not spread.low <= allowed <= spread.high


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
