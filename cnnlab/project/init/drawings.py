"""Images of a folder as figures: a contact sheet, what each fit makes of them, and copies side by side."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.arithmetic import evenly
from cnnlab.data.decoding import read_image
from cnnlab.data.fitting import Fit, Fitting
from cnnlab.project.init.look import Seen
from cnnlab.project.init.twins import Pair, Twins
from cnnlab.view.blocks import Figure
from cnnlab.view.drawings import Bars, Cloud, Gallery, Scatter, tile

CLASSES, EACH = 12, 8
"""Classes of the contact sheet, and images of each."""
TILE = 96
"""Side of a drawn image, in pixels."""
PAIRS = 12
"""Pairs of copies that are drawn."""
POINTS = 2000
"""Images whose sizes are drawn as points, evenly out of more."""
PAPER, SHADE = 255, 0.3
"""Outside of an image; how bright what is cut off stays."""


def contact_sheet(training: Sequence[Seen], classes: Sequence[str], fitting: Fitting) -> Figure:
    """Images of each class, as the network will see them.

    Arguments:
        training: the images.
        classes: in their order.
        fitting: of the config.
    """
    shown = classes[:CLASSES]
    rows = {label: [one for one in training if one.label == label] for label in shown}
    chosen = {label: evenly(own, EACH) for label, own in rows.items()}
    columns = max(len(own) for own in chosen.values())
    high, wide = fitting.size
    nothing = np.full((high, wide, 3), PAPER, np.uint8)
    images = [
        image
        for own in chosen.values()
        for image in (*(tile(fitting(read_image(one.path))) for one in own), *([nothing] * (columns - len(own))))
    ]
    more = len(classes) - len(shown)
    return Figure(
        "contact-sheet",
        "Images of each class, as the network will see them",
        Gallery(tuple(images), columns=columns, row_labels=tuple(shown)),
        f"Evenly out of the training part, {fitting.sentence}." + f" {more:,} more classes are not drawn." * (more > 0),
    )


def fits_figure(seen: Sequence[Seen], fitting: Fitting) -> Figure:
    """What a crop, a letterbox and a stretch make of the images whose shapes differ most.

    Arguments:
        seen: the images.
        fitting: the size and fit of the config.
    """
    by_ratio = sorted(seen, key=lambda one: (one.ratio, one.name))
    places = dict.fromkeys((0, len(by_ratio) // 2, len(by_ratio) - 1))
    chosen = [by_ratio[place] for place in places]
    ways: tuple[Fit, ...] = ("crop", "letterbox", "stretch")
    scale = TILE / max(fitting.size)
    size = (max(1, round(fitting.size[0] * scale)), max(1, round(fitting.size[1] * scale)))
    images: list[NDArray[np.uint8]] = []
    for one in chosen:
        pixels = read_image(one.path)
        images.append(tile(_with_the_cut(pixels, Fitting(size, "crop"))))
        images += [tile(_on_paper(Fitting(size, way)(pixels))) for way in ways]
    shapes = ("highest for its width", "in the middle", "widest for its height")
    labels = tuple(f"{one.width} × {one.height}" for one in chosen)
    titles = ("as it is", *(f"{way}{' (chosen)' * (way == fitting.fit)}" for way in ways))
    return Figure(
        "fits",
        "What each fit makes of the images",
        Gallery(tuple(images), columns=len(titles), column_titles=titles, row_labels=labels),
        f"The images whose shape is {', '.join(shapes[: len(chosen)])}, with width × height; what a crop to "
        f"{fitting.size[0]} × {fitting.size[1]} px cuts off is dark in the first column.",
    )


def sizes_figure(seen: Sequence[Seen], parts: Sequence[str]) -> Figure:
    """Width and height of the images as points.

    Arguments:
        seen: the images.
        parts: in their order.
    """
    clouds = []
    for part in parts:
        own = evenly([one for one in seen if one.part == part], POINTS)
        if own:
            across, up = tuple(float(one.width) for one in own), tuple(float(one.height) for one in own)
            clouds.append(Cloud(part, across, up))
    return Figure("sizes", "Sizes of the images", Scatter(tuple(clouds), "width (px)", "height (px)"))


def sides_figure(seen: Sequence[Seen]) -> Figure:
    """A histogram of the shorter sides.

    Arguments:
        seen: the images.
    """
    edges = (0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 10**9)
    shorter = torch.tensor([min(one.width, one.height) for one in seen])
    counts = [int(((shorter >= low) & (shorter < high)).sum()) for low, high in pairwise(edges)]
    first = next(i for i, count in enumerate(counts) if count)
    last = max(i for i, count in enumerate(counts) if count) + 1
    labels = [f"{low} … {high - 1} px" for low, high in pairwise(edges)]
    labels[-1] = f"{edges[-2]} px and more"
    bars = Bars(tuple(labels[first:last]), tuple(map(float, counts[first:last])), "images", form=",.0f")
    return Figure("sides", "The shorter side of the images", bars)


def twins_figure(twins: Twins) -> Figure | None:
    """Copies side by side; None where there are none.

    Arguments:
        twins: of the images.
    """
    pairs = twins.pairs[:PAIRS]
    if not pairs:
        return None
    fitting = Fitting((64, 64), "letterbox")
    images = tuple(tile(fitting(read_image(one.path))) for pair in pairs for one in (pair.first, pair.second))
    captions = tuple(text for pair in pairs for text in (_caption(pair.first), _caption(pair.second)))
    exact = sum(pair.exact for pair in pairs)
    return Figure(
        "copies",
        "Images that are there twice",
        Gallery(images, captions=captions, columns=4),
        f"Copies side by side, those in two parts first. {exact:,} of these {len(pairs):,} pairs have the same pixels.",
    )


def class_bars(counts: dict[str, dict[str, int]]) -> Figure:
    """The images of each class, all parts together.

    Arguments:
        counts: of each part, those of each class.
    """
    totals = {label: sum(of_part[label] for of_part in counts.values()) for label in next(iter(counts.values()))}
    shown = sorted(totals, key=lambda label: (-totals[label], label))[:40]
    bars = Bars(tuple(shown), tuple(float(totals[label]) for label in shown), "images, all parts", form=",.0f")
    rest = len(totals) - len(shown)
    return Figure("classes", "Images of each class", bars, f"{rest} smaller classes are not drawn." * bool(rest))


def describe(pair: Pair) -> tuple[str, str, str]:
    """The two names and what they share, as cells of a table.

    Arguments:
        pair: of copies.
    """
    kinds = ["the same pixels" if pair.exact else "nearly the same"]
    kinds += ["in two parts"] * pair.across_parts + ["under two labels"] * pair.two_labels
    return f"{pair.first.part}/{pair.first.name}", f"{pair.second.part}/{pair.second.name}", ", ".join(kinds)


def _caption(one: Seen) -> str:
    return f"{one.part}\n{one.name[-18:]}"


def _with_the_cut(image: UInt8[Tensor, "c h w"], fitting: Fitting) -> UInt8[Tensor, "3 side side"]:
    """The whole image on paper, dark where the fitting cuts it off."""
    top, left, height, width = fitting.window(*image.shape[1:]).cut
    dark = (image.float() * SHADE).to(torch.uint8)
    dark[:, top : top + height, left : left + width] = image[:, top : top + height, left : left + width]
    high, wide = (max(1, round(side * TILE / max(image.shape[1:]))) for side in image.shape[1:])
    return _on_paper(Fitting((high, wide), "stretch")(dark))


def _on_paper(image: UInt8[Tensor, "3 h w"]) -> UInt8[Tensor, "3 side side"]:
    """In the middle of a square of `TILE` pixels."""
    paper = torch.full((3, TILE, TILE), PAPER, dtype=torch.uint8)
    top, left = (TILE - image.shape[1]) // 2, (TILE - image.shape[2]) // 2
    paper[:, top : top + image.shape[1], left : left + image.shape[2]] = image
    return paper
