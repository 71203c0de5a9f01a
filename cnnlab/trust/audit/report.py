"""The report of an audit: the limits, the shares, the mean maps, groups, and a contact sheet of the suspects."""

import numpy as np

from cnnlab.attribution.catalog import METHODS, listed
from cnnlab.core.characters import per_cent
from cnnlab.network.asked_data import counted
from cnnlab.stats.confidence import MeanInterval
from cnnlab.trust.audit.evidence import JudgedLimit
from cnnlab.trust.audit.facts import EvidenceFacts, Suspect
from cnnlab.view.blocks import (
    Block,
    Cell,
    Column,
    Figure,
    Number,
    Numbers,
    Report,
    Table,
    Text,
    ends_of,
    mean_of,
    shown,
)
from cnnlab.view.contribution import plainly
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


def evidence_report(facts: EvidenceFacts) -> Report:
    """The verdict first, then shares, mean maps and suspects."""
    blocks: list[Block] = [*_verdict(facts), _numbers(facts), _shares(facts), _mean_maps(facts)]
    if facts.groups:
        blocks += [_groups(facts), *_border_bars(facts)]
    blocks += [_contact_sheet(facts), _limits(facts)]
    blocks += [Text(note, "note") for note in facts.notes]
    if not facts.trained:
        blocks = [Text("The weights are random: no limit tells anything.", "caution", "untrained"), *plainly(blocks)]
    at = f" at {', '.join(facts.layers)}" if facts.layers else ""
    using = f" with {listed(facts.options)}" if facts.options else ""
    lead = (
        f"{counted(len(facts.images), facts.split)}, evidence for the predicted class by "
        f"{METHODS[facts.method].label}{at}{using} ({facts.reason})."
    )
    return Report(f"Where the evidence for the answers of {facts.run} lies", tuple(blocks), lead)


def _verdict(facts: EvidenceFacts) -> list[Block]:
    blocks: list[Block] = []
    if facts.broken:
        groups = dict.fromkeys(limit.group for limit in facts.broken if limit.group is not None)
        where = f" (in {len(groups)} of {len(facts.groups)} groups)" if groups else ""
        words = f"Limits are broken{where}: answers rest on what should not matter, however accurate they are."
        blocks.append(Text(words, "bad", "verdict"))
        blocks += [Text(reason, "bad", "broken") for reason in facts.reasons]
    else:
        blocks.append(Text("Every limit holds: the evidence lies where it may.", "good", "verdict"))
    held = [limit for limit in facts.limits if not limit.broken and limit.group is None]
    blocks += [Text(limit.sentence, "good", "held") for limit in held]
    for limit in facts.limits:
        if limit.close and limit.group is None:
            words = "the limit lies within the interval: other images could turn the outcome; more of them tell"
            blocks.append(Text(f"{_title(limit)}: {words}.", "caution", "close"))
    return blocks


def _title(limit: JudgedLimit) -> str:
    return "outer frame" if limit.limit == "max_border" else "object"


def _numbers(facts: EvidenceFacts) -> Numbers:
    over = sum(image.evidence.suspicion > 0.5 for image in facts.images)
    return Numbers(
        (
            Number("accuracy", facts.accuracy, ".1%", detail=f"of these {len(facts.images)} images"),
            Number(
                "suspicious", over, ",d", "images", "suspicion above 0.5 (0: spread evenly or better, 1: all astray)"
            ),
            Number("without evidence", facts.summary.empty, ",d", "images", "nothing in the map above zero"),
        )
    )


def _shares(facts: EvidenceFacts) -> Table:
    columns = (
        Column("place"),
        Column("evidence", align="right", form=".1%"),
        Column("95 % interval", align="right"),
        Column("evenly", align="right", form=".1%"),
        Column("limit", align="right"),
        Column("beyond", align="right", form=",d"),
    )
    whole = {limit.limit: limit for limit in facts.limits if limit.group is None}
    rows: list[tuple[Cell, ...]] = []
    found = facts.summary
    for title, mean, even, limit in (
        ("object", found.inside, facts.even["inside"], whole.get("min_inside")),
        ("outer frame", found.border, facts.even["border"], whole.get("max_border")),
        ("corners", found.corner, facts.even["corner"], None),
        ("strongest tenth", found.top, 0.1, None),
    ):
        if mean is None:
            continue
        held: tuple[str | None, int | None] = (None, None)
        if limit is not None:
            sign = "≤" if limit.limit == "max_border" else "≥"
            held = (f"{sign} {shown(limit.allowed, '.1%')}", limit.beyond)
        rows.append((title, mean.mean, _interval(mean), even, *held))
    note = (
        "Means over the images, with 95 % bootstrap intervals; evenly: the place's share of the image; beyond: "
        "images beyond the limit by themselves. The frame is an eighth of each side wide, the corners a quarter."
    )
    return Table("Where the evidence lies", columns, tuple(rows), note, "shares")


def _interval(mean: MeanInterval | None) -> str:
    spread = None if mean is None else mean.interval
    return shown(None) if spread is None else f"{100 * spread.low:.1f} … {shown(spread.high, '.1%')}"


def _groups(facts: EvidenceFacts) -> Table:
    objects = any(group.inside for group in facts.groups)
    columns = [Column(facts.by if facts.by in ("class", "group") else "group"), Column("n", "", "right", ",d")]
    columns += [Column("object", "", "right")] if objects else []
    columns += [Column("outer frame", "", "right"), Column("corners", "", "right", ".1%"), Column("limits")]
    broken = {limit.group for limit in facts.broken}
    rows: list[tuple[Cell, ...]] = []
    for group in facts.groups:
        row: list[Cell] = [group.name, group.n, *([_spread(group.inside)] if objects else []), _spread(group.border)]
        rows.append((*row, mean_of(group.corner), "broken" if group.name in broken else "held"))
    note = (
        "The evidence's mean share in each place over n images, with its 95 % bootstrap interval; the most "
        "suspicious first. A group breaks a limit where its whole interval lies beyond it."
    )
    return Table("By group", tuple(columns), tuple(rows), note, "groups")


def _spread(mean: MeanInterval | None) -> str:
    if mean is None or mean.interval is None:
        return shown(mean_of(mean), ".1%")
    return f"{shown(mean.mean, '.1%')} [{100 * mean.interval.low:.1f}, {100 * mean.interval.high:.1f}]"


def _limits(facts: EvidenceFacts) -> Text:
    even = [_title(limit) for limit in facts.limits if limit.even and limit.group is None]
    words = "A limit is broken by the mean over all images"
    words += ", and by a group whose whole 95 % interval lies beyond it." if facts.groups else "."
    if even:
        words += (
            f" No limit was given for the {' and the '.join(even)}, so that evidence may lie there no worse than if it "
            "were spread evenly; stricter limits ask for more."
        )
    return Text(words, "note")


def _border_bars(facts: EvidenceFacts) -> list[Block]:
    """The frame's share of each group; of very many, the most suspicious."""
    some = [group for group in facts.groups if group.border is not None][:MOST_BARS]
    means = [group.border for group in some if group.border is not None]
    if not means:
        return []
    spreads = [ends_of(mean) for mean in means]
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
    """The inner edge of the frame that `attribution.measures.location.border_region` measures."""
    rows, columns = (max(1, int(side / 8 + 0.5)) for side in size)
    return Box("inner edge of the outer frame", rows, size[0] - rows - 1, columns, size[1] - columns - 1, 0, "dashed")


def _mean_maps(facts: EvidenceFacts) -> Figure:
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


def _contact_sheet(facts: EvidenceFacts) -> Figure:
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
    answer = f"{one.predicted} {per_cent(one.probability)}, " + ("right" if right else f"is {one.truth}")
    where = f"frame {per_cent(one.evidence.border)}"
    where += "" if one.evidence.inside is None else f", object {per_cent(one.evidence.inside)}"
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
