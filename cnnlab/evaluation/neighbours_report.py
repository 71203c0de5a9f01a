"""The most confident mistakes, each beside the training images that are most like it to the network."""

from collections.abc import Sequence

from torch import Tensor

from cnnlab.evaluation.neighbours import MistakeNeighbours
from cnnlab.evaluation.report import rounded
from cnnlab.view.blocks import Block, Cell, Column, Figure, Table, Text
from cnnlab.view.drawings import Gallery, tile


def neighbours_blocks(found: MistakeNeighbours, images: Tensor, classes: Sequence[str]) -> tuple[Block, ...]:
    """A figure with a row for each mistake, what the neighbours are labelled, and a table of them.

    Arguments:
        found: the neighbours.
        images: what was evaluated, uint8 [n, c, h, w].
        classes: their names.
    """
    if found.missing:
        return (Text(f"The nearest training images are not shown: {found.missing}.", "note"),)
    return _figure(found, images, classes), Text(_labelled(found)), _table(found, classes)


def _labelled(found: MistakeNeighbours) -> str:
    """How often the neighbours bear the label of the wrong answer, and how often that of the truth."""
    pairs = [(mistake, one) for mistake, near in found.beside for one in near]
    wrong = sum(one.label == mistake.predicted for mistake, one in pairs)
    right = sum(one.label == mistake.truth for mistake, one in pairs)
    return (
        f"Of these {len(pairs)} neighbours {wrong} are labelled as the network's answer, {right} as the truth, and "
        f"{len(pairs) - wrong - right} otherwise."
    )


def _figure(found: MistakeNeighbours, images: Tensor, classes: Sequence[str]) -> Figure:
    columns = 1 + max(len(near) for _, near in found.beside)
    tiles, captions = [], []
    for mistake, near in found.beside:
        tiles.append(tile(images[mistake.index]))
        captions.append(
            f"truth: {classes[mistake.truth]}\n→ {classes[mistake.predicted]} {rounded(mistake.confidence)}"
        )
        for one in near:
            tiles.append(one.image)
            captions.append(
                f"{classes[one.label]} {one.cosine:.2f}\n→ {classes[one.answer]} {rounded(one.probability)}"
            )
    titles = ("mistake", "nearest in training", *(_ordinal(place) for place in range(2, columns)))
    gallery = Gallery(tuple(tiles), tuple(captions), columns=columns, column_titles=titles)
    every = "all" if found.searched == found.of else f"{found.searched:,} of {found.of:,}"
    caption = (
        f"Left a mistake, beside it the training images most like it by the cosine of what enters {found.layer}, among "
        f"{every} training images. Under each its label and that cosine, after the arrow what the network answers."
    )
    return Figure("mistake_neighbours", "Mistakes, and the training images nearest to them", gallery, caption)


def _table(found: MistakeNeighbours, classes: Sequence[str]) -> Table:
    columns = [
        Column("mistake", align="right", form="d"),
        Column("truth"),
        Column("near image", align="right", form="d"),
        Column("label"),
        Column("cosine", align="right", form=".3f"),
        Column("distance", align="right", form=".3g"),
        Column("answer"),
        Column("sure of it", align="right", form="0.1%"),
    ]
    filed = any(one.path is not None for _, near in found.beside for one in near)
    columns += [Column("file")] if filed else []
    rows: list[tuple[Cell, ...]] = []
    for mistake, near in found.beside:
        for one in near:
            row: tuple[Cell, ...] = (
                *(mistake.index, classes[mistake.truth], one.index, classes[one.label]),
                *(one.cosine, one.distance, classes[one.answer], one.probability),
            )
            rows.append((*row, one.path) if filed else row)
    note = "Images are counted from 0 within their part, near ones in the training part; the distance is Euclidean."
    return Table("The nearest training images", tuple(columns), tuple(rows), note, "mistake_neighbours")


def _ordinal(place: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(place, f"{place}th")
