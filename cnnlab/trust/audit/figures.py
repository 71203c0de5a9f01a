"""Figures of an audit: means, groups, and a contact sheet of the suspects."""

import numpy as np

from cnnlab.trust.audit.facts import EvidenceFacts, Suspect
from cnnlab.view.blocks import Block, Figure
from cnnlab.view.drawings import Bars, Mark
from cnnlab.view.scenes import Box, Contour, Scene, Scenes

MOST_SUSPECTS = 24
"""Images on the contact sheet."""

MOST_GROUPS = 11
"""Mean maps of groups beside that of all images."""

MOST_BARS = 40


COLUMNS = 6
BRIGHTEST = 99.5
"""Percentile of the suspects' evidence at which the colours of the sheet end."""

DENSITY = "evidence (1 = spread evenly)"


def border_bars(facts: EvidenceFacts) -> list[Block]:
    """The frame's share of each group; of very many, the most suspicious."""
    some = [group for group in facts.groups if group.border is not None][:MOST_BARS]
    means = [group.border for group in some if group.border is not None]
    if not means:
        return []
    spreads = [(mean.interval.low, mean.interval.high) if mean.interval else (mean.mean, mean.mean) for mean in means]
    allowed = next(limit.allowed for limit in facts.limits if limit.limit == "max_border")
    drawing = Bars(
        tuple(group.name for group in some),
        tuple(mean.mean for mean in means),
        "evidence in the outer frame (%)",
        low=tuple(low for low, _ in spreads),
        high=tuple(high for _, high in spreads),
        percent=True,
        mark=Mark(allowed, "limit"),
    )
    words = "Lines: 95 % bootstrap intervals over the images of a group."
    return [Figure("border_by_group", "Evidence in the outer frame, by group", drawing, words)]


def _frame(size: tuple[int, int]) -> Box:
    """The inner edge of the frame that `analysis.faithfulness.location.border_region` measures."""
    rows, columns = (max(1, int(side / 8 + 0.5)) for side in size)
    return Box("inner edge of the outer frame", rows, size[0] - rows - 1, columns, size[1] - columns - 1, 0, "dashed")


def mean_maps(facts: EvidenceFacts) -> Figure:
    """The mean map of all images, and of the first groups."""
    scenes = tuple(
        Scene(
            (one.density.shape[0], one.density.shape[1]),
            heat=one.density,
            heat_label=DENSITY,
            interpolation="nearest",
            boxes=(_frame((one.density.shape[0], one.density.shape[1])),),
            caption=f"{one.name}\n{one.n} images",
        )
        for one in facts.means[: MOST_GROUPS + 1]
    )
    drawing = Scenes(scenes, columns=min(4, len(scenes)), shared_scale=True)
    words = "Each image's positive evidence divided by its mean, averaged over the images: a bright place is one that "
    return Figure("mean_evidence", "Where the evidence lies on average", drawing, words + "all images share.")


def contact_sheet(facts: EvidenceFacts) -> Figure:
    """The suspects with the evidence over them, the object's outline, and the frame."""
    values = np.concatenate([suspect.density.ravel() for suspect in facts.suspects])
    brightest = float(np.percentile(values, BRIGHTEST)) or 1.0
    scenes = tuple(_suspect(suspect, brightest) for suspect in facts.suspects)
    drawing = Scenes(scenes, columns=min(COLUMNS, len(scenes)), shared_scale=True)
    words = f"The {len(scenes)} most suspicious of {len(facts.images)} images: the answer, its probability, the truth."
    return Figure("suspects", "Evidence where it should not lie, the worst first", drawing, words)


def _suspect(suspect: Suspect, brightest: float) -> Scene:
    one = suspect.audited
    size = (suspect.image.shape[0], suspect.image.shape[1])
    contours: tuple[Contour, ...] = ()
    if suspect.mask is not None and suspect.mask.any():
        contours = (Contour(suspect.mask.astype(np.float64), 0.5, "object"),)
    right = one.truth == one.predicted
    answer = f"{one.predicted} {one.probability:.0%}, " + ("right" if right else f"is {one.truth}")
    where = f"frame {one.evidence.border:.0%}"
    where += "" if one.evidence.inside is None else f", object {one.evidence.inside:.0%}"
    return Scene(
        size,
        image=suspect.image,
        heat=suspect.density,
        heat_label=DENSITY,
        heat_range=(0.0, brightest),
        boxes=(_frame(size),),
        contours=contours,
        caption=f"{answer}\n{where}\nsuspicion {one.evidence.suspicion:.2f}",
    )
