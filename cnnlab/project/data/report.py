"""What a data set looks like before anything is trained on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from cnnlab.view.blocks import Block, Cell, Column, Figure, Report, Section, Table, Text
from cnnlab.view.drawings import Bars, Gallery, tiles

_MOST_BARS = 40
_CHANNELS = {1: ("grey",), 3: ("red", "green", "blue")}


@dataclass(frozen=True)
class LeakCount:
    """Images of the second part that have a double in the first."""

    first: str
    second: str
    exact: int
    """Images with the same pixels."""
    near: int
    """Nearly the same, by perceptual hash; the exact ones not counted again."""


def data_report(
    *,
    name: str,
    classes: Sequence[str],
    shape: tuple[int, int, int],
    counts: Mapping[str, Sequence[int]],
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    statistics_of: str = "train",
    leaks: Sequence[LeakCount] | None = None,
    skipped: Sequence[str] = (),
    origins: Mapping[str, str] | None = None,
    remarks: Sequence[str] = (),
    sources: Sequence[tuple[str, str]] = (),
) -> Report:
    """Sizes, channel statistics, class counts per part, leaks between parts, images that could not be read.

    shape: (channels, height, width); counts: part → images of each class; mean, std: of pixels in 0 … 1;
    leaks: None where it was not checked; origins: where each part lies; remarks: what a person should know of them;
    sources: what the files were before they became images of one size, in words.
    """
    channels, height, width = shape
    total = sum(map(sum, counts.values()))
    blocks: list[Block] = [Text(place, label=part) for part, place in (origins or {}).items()]
    blocks += [Text(remark, "caution", "note") for remark in remarks]
    if mean:
        blocks.append(statistics_table(mean, std, statistics_of))
    if sources:
        blocks.append(
            Table(
                "Files",
                (Column("what"), Column("found")),
                tuple(sources),
                "Width × height in pixels and mode as they lie on disk.",
                "files",
            )
        )
    blocks.append(Section("Classes and parts", (_counts_figure(classes, counts), _counts_table(classes, counts))))
    if leaks is not None:
        blocks.append(Section("Leaks", leak_blocks(leaks)))
    if skipped:
        listed = Table("Could not be read", (Column("image"),), tuple((sentence,) for sentence in skipped))
        blocks.append(Section("Skipped", (listed,)))
    lead = f"{total:,} images of {channels} × {height} × {width} (channels, height, width), {len(classes)} classes."
    return Report(f"Data set {name}", tuple(blocks), lead)


def statistics_table(mean: Sequence[float], std: Sequence[float], part: str) -> Table:
    """Mean and standard deviation of each channel, of pixels in 0 … 1."""
    names = _CHANNELS.get(len(mean), tuple(str(i) for i in range(len(mean))))
    return Table(
        "Channel statistics",
        (Column("channel"), Column("mean", align="right", form=".4f"), Column("std", align="right", form=".4f")),
        tuple(zip(names, mean, std, strict=True)),
        f"Of the {part} part; pixels in 0 … 1; the standard deviation of all pixels, not of a sample.",
        "statistics",
    )


def leak_blocks(leaks: Sequence[LeakCount]) -> tuple[Block, ...]:
    """How many images of one part have a double in another, and what it means."""
    table = Table(
        "Doubles between parts",
        (
            Column("image of"),
            Column("has a double in"),
            Column("exact", align="right", form=",d"),
            Column("near", align="right", form=",d"),
        ),
        tuple((leak.second, leak.first, leak.exact, leak.near) for leak in leaks),
        "Near: by perceptual hash; images that merely look alike may be among them.",
        "leaks",
    )
    if any(leak.exact or leak.near for leak in leaks):
        warning = (
            "An image that was trained on tells nothing when it is evaluated. "
            "If doubles come from one session or object, split by group."
        )
        return table, Text(warning, "caution", "leaks")
    sentence = "No image of one part has a double in another."
    if not any("test" in (leak.first, leak.second) for leak in leaks):
        sentence += " The test part was not compared, which is done on request."
    return table, Text(sentence, "good", "no doubles")


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
