"""What a data set looks like before anything is trained on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnlab.data.leaks import Leaks
from cnnlab.view.blocks import Block, Cell, Column, Figure, Report, Section, Table, Text
from cnnlab.view.drawings import Bars, Gallery, tiles

PAIRS = 16
"""So many doubles are drawn."""

_MOST_BARS = 40
_CHANNELS = {1: ("grey",), 3: ("red", "green", "blue")}


@dataclass(frozen=True)
class Sources:
    """The images as they lie on disk, before they become squares of one size."""

    looked_at: int
    """How many these figures are of: all, or an even choice of them."""
    sizes: tuple[tuple[int, int, int], ...]
    """(width, height, how many images have it), in pixels, the commonest first."""
    modes: Mapping[str, int]
    """How many images have each kind of pixels, in pillow's words, the commonest first."""


@dataclass(frozen=True)
class DataStatistics:
    """Statistics of the whole training part, train and validation together; as `--json` prints them."""

    name: str
    count: int
    shape: tuple[int, int, int]
    """(channels, height, width)."""
    mean: tuple[float, ...]
    """Mean of each channel, of pixels in 0 … 1 …"""
    std: tuple[float, ...]
    """and the standard deviation."""
    train: tuple[int, ...]
    """Images of each class that are trained on …"""
    validation: tuple[int, ...]
    """Images of each class that are kept for validation."""
    classes: dict[str, int]
    """Images of each class."""
    skipped: tuple[str, ...]
    parts: Mapping[str, str]
    """Which folder or file is which part; none where the data set is not the user's own."""
    remarks: tuple[str, ...]
    """What a person should know of the parts and their classes."""
    files: Sources | None
    """None where the images are no files of the user's own."""


@dataclass(frozen=True)
class LeakCheck:
    """Images of the part `second` that are in the part `first` too."""

    first: str
    second: str
    images: tuple[Tensor, Tensor]
    """The images of both parts: bytes [n, c, h, w]."""
    leaks: Leaks


def data_report(facts: DataStatistics) -> Report:
    """Sizes, channel statistics, class counts per part, images that could not be read."""
    channels, height, width = facts.shape
    counts = {"train": facts.train, "validation": facts.validation}
    blocks: list[Block] = [Text(place, label=part) for part, place in facts.parts.items()]
    blocks += [Text(remark, "caution", "note") for remark in facts.remarks]
    names = _CHANNELS.get(channels, tuple(str(i) for i in range(channels)))
    blocks.append(
        Table(
            "Channel statistics",
            (Column("channel"), Column("mean", align="right", form=".4f"), Column("std", align="right", form=".4f")),
            tuple(zip(names, facts.mean, facts.std, strict=True)),
            "Of the whole training (train and validation) part; pixels in 0 … 1; the standard deviation of all pixels, "
            "not of a sample.",
            "statistics",
        )
    )
    if facts.files is not None:
        note = "Width × height in pixels and mode as they lie on disk."
        blocks.append(Table("Files", (Column("what"), Column("found")), _source_rows(facts.files), note, "files"))
    classes = tuple(facts.classes)
    blocks.append(Section("Classes and parts", (_counts_figure(classes, counts), _counts_table(classes, counts))))
    if facts.skipped:
        listed = Table("Could not be read", (Column("image"),), tuple((sentence,) for sentence in facts.skipped))
        blocks.append(Section("Skipped", (listed,)))
    total = sum(map(sum, counts.values()))
    lead = f"{total:,} images of {channels} × {height} × {width} (channels, height, width), {len(classes)} classes."
    return Report(f"Data set {facts.name}", tuple(blocks), lead)


def _source_rows(found: Sources) -> tuple[tuple[str, str], ...]:
    """The sizes and modes in words: what, and what was found."""
    areas = sorted(found.sizes, key=lambda size: (size[0] * size[1], size))
    width, height, count = found.sizes[0]
    rows = [("images looked at", f"{found.looked_at:,}"), ("commonest size", f"{width} × {height} ({count:,})")]
    if len(areas) > 1:
        small, large = areas[0], areas[-1]
        rows += [("smallest", f"{small[0]} × {small[1]}"), ("largest", f"{large[0]} × {large[1]}")]
        rows.append(("different sizes", f"{len(areas):,}"))
    return (*rows, ("modes", ", ".join(f"{mode} {number:,}" for mode, number in found.modes.items())))


def leaks_report(checks: Sequence[LeakCheck]) -> Report:
    """How many images of one part have a double in another, what it means, and the first pairs side by side."""
    table = Table(
        "Doubles between parts",
        (
            Column("image of"),
            Column("has a double in"),
            Column("exact", align="right", form=",d"),
            Column("near", align="right", form=",d"),
        ),
        tuple((check.second, check.first, len(check.leaks.exact), len(check.leaks.near)) for check in checks),
        "Near: by perceptual hash; images that merely look alike may be among them.",
        "leaks",
    )
    if any(len(check.leaks.exact) or len(check.leaks.near) for check in checks):
        warning = (
            "An image that was trained on tells nothing when it is evaluated. "
            "If doubles come from one session or object, split by group."
        )
        verdict = Text(warning, "caution", "leaks")
    else:
        sentence = "No image of one part has a double in another."
        if not any("test" in (check.first, check.second) for check in checks):
            sentence += " The test part was not compared, which is done on request."
        verdict = Text(sentence, "good", "no doubles")
    blocks: list[Block] = [table, verdict]
    for check in checks:
        if check.leaks.groups:
            both = ", ".join(check.leaks.groups[:20])
            blocks.append(Text(f"{both}: in {check.first} and in {check.second}", "bad", "groups on both sides"))
        pairs = torch.cat([check.leaks.exact, check.leaks.near])[:PAIRS]
        if len(pairs):
            blocks.append(_pairs_figure(check, pairs))
    return Report("Leaks between the parts", tuple(blocks))


def _pairs_figure(check: LeakCheck, pairs: Tensor) -> Figure:
    first, second = check.images
    images = [image for a, b in pairs.tolist() for image in (first[a], second[b])]
    captions = [text for a, b in pairs.tolist() for text in (f"{check.first} {a}", f"{check.second} {b}")]
    gallery = Gallery(tiles(images), captions=tuple(captions), columns=8)
    title = f"In {check.first} and in {check.second}: the first {len(pairs)} pairs"
    return Figure(f"leaks-{check.first}-{check.second}", title, gallery, "Each image beside its double.")


def preview_report(
    originals: Tensor, augmented: Sequence[Tensor], labels: Sequence[int], *, classes: Sequence[str], name: str
) -> Report:
    """A grid: each row one image as it is, then as augmented in several epochs.

    originals: uint8 [n, c, h, w]; augmented: the same images, one such tensor per epoch; labels: of each.
    """
    columns = 1 + len(augmented)
    images = [batch[row] for row in range(len(originals)) for batch in (originals, *augmented)]
    gallery = Gallery(
        tiles(images),
        columns=columns,
        column_titles=("original", *(f"epoch {i}" for i in range(1, columns))),
        row_labels=tuple(classes[label] for label in labels),
    )
    caption = "First column: the image as it lies on disk; the others: as the network sees it in successive epochs."
    return Report(f"Preview of {name}", (Figure("preview", "Original and augmented images", gallery, caption),))


def _counts_table(classes: Sequence[str], counts: Mapping[str, Sequence[int]]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (name, *(values[i] for values in counts.values())) for i, name in enumerate(classes)
    ]
    return Table(
        "Images of each class",
        (Column("class"), *(Column(part, align="right", form=",d") for part in counts)),
        (*rows, ("all", *(sum(values) for values in counts.values()))),
        name="classes",
    )


def _counts_figure(classes: Sequence[str], counts: Mapping[str, Sequence[int]]) -> Figure:
    totals = [sum(values[i] for values in counts.values()) for i in range(len(classes))]
    shown = sorted(range(len(classes)), key=lambda i: -totals[i])[:_MOST_BARS]
    rest = len(classes) - len(shown)
    return Figure(
        "classes",
        "Images of each class",
        Bars(
            tuple(classes[i] for i in shown), tuple(float(totals[i]) for i in shown), "images, all parts", form=",.0f"
        ),
        f"{rest} smaller classes are not drawn." if rest else "",
    )
