"""The report card: six panels, 2 × 3, on 11 × 7 inches at 150 dots an inch."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.attribution.catalog import METHODS
from cnnlab.core.characters import per_cent
from cnnlab.inside.filters.layer import filter_grid
from cnnlab.network.asked_data import of_part
from cnnlab.trust.audit.evidence import ImageEvidence
from cnnlab.view.blocks import Block, Column, Figure, Report, Table, Text
from cnnlab.view.scenes import Scene, Scenes

SIZE, DPI = (11.0, 7.0), 150
ROW = 8
"""Filters in a row."""


@dataclass(frozen=True, eq=False)
class Lenses:
    """What a network says of one image, in four ways."""

    feature: Float[Tensor, "h1 w1"]
    """A feature map in the middle of the network, the mean of its channels."""
    middle: str
    saliency: Float[Tensor, "h w"]
    """The largest |∂logit/∂pixel| among the colours."""
    evidence: Float[Tensor, "h2 w2"]
    """What speaks for the class, at the layer's own resolution; below 0 what speaks against it."""
    method: str
    layer: str


@dataclass(frozen=True, eq=False)
class Card:
    """All that the card shows of one image."""

    run: str
    split: str
    index: int
    image: NDArray[np.uint8]
    """[h, w, 1 or 3]."""
    truth: str
    answer: str
    probability: float
    """Probability of the answer, 0 … 1."""
    filters: Tensor
    """(n, c, h, w): the weights of the first convolution."""
    first: str
    lenses: Lenses
    located: ImageEvidence
    random: bool
    """The weights are random."""
    likeness: dict[str, float] | None
    """For random weights, Spearman's rank correlation of saliency and evidence with those of the learned weights."""


def report_card_report(card: Card) -> Report:
    """The card as the only figure of a report, with its numbers."""
    title = f"true: {card.truth}, predicted: {card.answer} ({per_cent(card.probability)})"
    if card.random:
        title += ", with random weights"
    figure = Figure("report_card", title, panels(card), _caption(card))
    blocks: list[Block] = [figure, _numbers(card)]
    if card.likeness is not None:
        blocks.append(_likeness(card.likeness))
    return Report(f"Report card of {card.run}", tuple(blocks), f"Image {card.index} of {of_part(card.split)}.")


def card_json(card: Card) -> dict[str, object]:
    """`--json`, without the name of the figure's file."""
    lenses = card.lenses
    return {
        "run": card.run,
        "split": card.split,
        "truth": card.truth,
        "answer": card.answer,
        "probability": card.probability,
        "index": card.index,
        "method": lenses.method,
        "layer": lenses.layer,
        "filters": card.first,
        "feature": lenses.middle,
        "located": card.located,
        "random_weights": card.random,
        "likeness": card.likeness,
    }


def panels(card: Card) -> Scenes:
    """The six panels: image, filters, feature map; saliency, saliency on the image, evidence on the image."""
    size, lenses = (card.image.shape[0], card.image.shape[1]), card.lenses
    grid = filter_tiles(card.filters)
    method = METHODS[lenses.method].label
    saliency = "max |∂logit/∂pixel|"
    feature, gradient, evidence = (one.double().numpy() for one in (lenses.feature, lenses.saliency, lenses.evidence))
    return Scenes(
        (
            Scene(size, image=card.image, title="Input", caption="as it was stored"),
            Scene(
                (grid.shape[0], grid.shape[1]), image=grid, title=f"Filters of {card.first}",
                caption="each from its least to its largest weight",
            ),
            Scene(
                (feature.shape[0], feature.shape[1]), heat=feature,
                heat_label="mean activation", heat_scale="linear", interpolation="nearest",
                title=f"Feature map of {lenses.middle}", caption="mean of its channels",
            ),
            Scene(
                size, heat=gradient, heat_label=saliency, heat_scale="positive",
                interpolation="nearest", title="Saliency", caption="what changes the score most, pixel by pixel",
            ),
            Scene(
                size, image=card.image, heat=gradient, heat_label=saliency,
                heat_scale="positive", interpolation="nearest", alpha=0.6, title="Saliency on the image",
            ),
            Scene(
                size, image=card.image, heat=evidence.clip(min=0), heat_label="evidence for the answer",
                heat_scale="positive", alpha=0.6, title=f"{method} on the image", caption=f"of {lenses.layer}",
            ),
        ),
        columns=3,
        figure_size=SIZE,
        dpi=DPI,
    )  # fmt: skip


def filter_tiles(weights: Tensor) -> NDArray[np.uint8]:
    """Filters (n, c, h, w) side by side, eight in a row, a dark pixel between them: uint8 [h, w, 3]."""
    shown = filter_grid(weights.detach().float().cpu())
    if shown.shape[1] != 3:
        shown = shown.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    count, _, height, width = shown.shape
    rows = math.ceil(count / ROW)
    grid = torch.zeros(3, rows * (height + 1) + 1, min(count, ROW) * (width + 1) + 1)
    for place, tile in enumerate(shown):
        top, left = (place // ROW) * (height + 1) + 1, (place % ROW) * (width + 1) + 1
        grid[:, top : top + height, left : left + width] = tile
    pixels: NDArray[np.uint8] = (grid * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return pixels


def _caption(card: Card) -> str:
    located = card.located
    if not located.evident:
        return "There is no positive evidence."
    inside = "" if located.inside is None else f"{per_cent(located.inside)} inside the object, "
    border, corner = per_cent(located.border), per_cent(located.corner)
    return f"Of the evidence lie {inside}{border} on the border, {corner} in the corners."


def _numbers(card: Card) -> Table:
    located = card.located
    rows = (
        ("inside the object", located.inside),
        ("on the border (an eighth of the side)", located.border),
        ("in the corners (a quarter of the side)", located.corner),
        ("in the strongest tenth of the pixels", located.top),
    )
    columns = (Column("share of the evidence"), Column("", align="right", form=".1%"))
    return Table("Where the evidence lies", columns, rows, name="evidence")


def _likeness(likeness: dict[str, float]) -> Text:
    told = ", ".join(f"{name} {value:+.2f}" for name, value in likeness.items())
    return Text(
        f"Rank correlation with the maps of the learned weights: {told}. A map that looks alike without learning says "
        "little about what was learned (Adebayo et al. 2018).",
        "note",
    )
