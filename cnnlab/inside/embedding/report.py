"""Images as points: principal components of their features, and each image's nearest neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.inside.embedding.components import PrincipalComponents
from cnnlab.network.asked_data import counted
from cnnlab.view.blocks import Block, Cell, Column, Figure, Number, Numbers, Report, Table, Text, shown
from cnnlab.view.drawings import Cloud, Gallery, Scatter


@dataclass(frozen=True, eq=False)
class Query:
    """An image and those most like it."""

    name: str
    truth: str | None
    image: NDArray[np.uint8]
    rows: tuple[int, ...]
    """Rows of the images, the most like it first."""
    similarity: tuple[float, ...]
    """Cosine, −1 … 1."""


@dataclass(frozen=True, eq=False)
class EmbeddingFacts:
    """The features of some images and what they are near to."""

    model: str
    weights: str
    split: str
    layer: str
    """The head; what enters it are the features."""
    classes: tuple[str, ...]
    features: Tensor
    """[n, d]."""
    labels: Tensor
    numbers: tuple[int, ...]
    """Numbers of the images in their part."""
    components: PrincipalComponents
    neighbours: int
    judged: int
    agreement: float
    """Share of an image's nearest neighbours that are of its class, over `judged` images …"""
    chance: float
    """The same share for images drawn at random."""
    queries: tuple[Query, ...]
    images: tuple[NDArray[np.uint8], ...]


def embedding_report(facts: EmbeddingFacts, projector: str | None = None) -> Report:
    """The report; `projector` is the folder that TensorBoard shows, where it was written."""
    n, d = facts.features.shape
    share = facts.components.share
    numbers = Numbers(
        (
            Number("neighbours of its class", facts.agreement, ".1%",
                   detail=f"of the {facts.neighbours} nearest; chance {shown(facts.chance, '.1%')}"),
            Number("variance on two axes", float(share[:2].sum()), ".0%",
                   detail=f"of {d} features; what the plot shows"),
        )
    )  # fmt: skip
    look: list[Block] = []
    if projector is not None:
        said = f"tensorboard --logdir {projector} shows all {d} dimensions under Projector."
        look.append(Text(said, "note", "projector"))
    lead = f"{counted(f'{n:,}', facts.split)} as they enter {facts.layer}, {facts.weights}."
    blocks = (numbers, _scatter(facts), _neighbours(facts), _components(facts), *look)
    return Report(f"How {facts.model} sees its images", blocks, lead)


def embedding_json(facts: EmbeddingFacts, projector: str | None = None) -> dict[str, object]:
    """`--json`."""
    return {
        "model": facts.model,
        "split": facts.split,
        "layer": facts.layer,
        "pictures": len(facts.labels),
        "dimensions": facts.features.shape[1],
        "share": facts.components.share,
        "agreement": {
            "neighbours": facts.neighbours,
            "judged": facts.judged,
            "share": facts.agreement,
            "chance": facts.chance,
        },
        "queries": [
            {
                "picture": one.name,
                "class": one.truth,
                "neighbours": [
                    {
                        "picture": facts.numbers[row],
                        "class": facts.classes[int(facts.labels[row])],
                        "similarity": cosine,
                    }
                    for row, cosine in zip(one.rows, one.similarity, strict=True)
                ],
            }
            for one in facts.queries
        ],
        "projector": projector,
    }


def _scatter(facts: EmbeddingFacts) -> Figure:
    points = facts.components.coordinates
    across, share = points[:, 0], facts.components.share
    upwards = points[:, 1] if points.shape[1] > 1 else across * 0
    clouds = []
    for number, name in enumerate(facts.classes):
        rows = facts.labels == number
        if bool(rows.any()):
            clouds.append(Cloud(name, tuple(across[rows].tolist()), tuple(upwards[rows].tolist())))
    first = shown(float(share[0]), ".0%")
    second = shown(float(share[1]) if len(share) > 1 else 0.0, ".0%")
    return Figure(
        "principal_components",
        "Images by the two directions in which their features vary most",
        Scatter(
            tuple(clouds),
            f"first principal component ({first} of the variance)",
            f"second ({second})",
        ),
        "Both axes in the features' own unit and to one scale. What lies apart here is apart; what lies together may "
        "be apart in the other dimensions.",
    )


def _neighbours(facts: EmbeddingFacts) -> Figure:
    images: list[NDArray[np.uint8]] = []
    captions: list[str] = []
    for one in facts.queries:
        images.append(one.image)
        captions.append("\n".join(filter(None, (one.truth or one.name, one.truth and f"image {one.name}"))))
        for row, cosine in zip(one.rows, one.similarity, strict=True):
            images.append(facts.images[row])
            captions.append(f"{facts.classes[int(facts.labels[row])]}\n{shown(cosine, '.3f')}")
    return Figure(
        "neighbours",
        "Nearest neighbours",
        Gallery(
            tuple(images),
            tuple(captions),
            columns=1 + facts.neighbours,
            column_titles=("image", "nearest", *(f"{n}." for n in range(2, facts.neighbours + 1))),
        ),
        "Each row an image and those whose features point most nearly the same way; below each its class and the "
        "cosine.",
    )


def _components(facts: EmbeddingFacts) -> Table:
    total, rows = 0.0, []
    for number, (share, variance) in enumerate(
        zip(facts.components.share.tolist(), facts.components.variance.tolist(), strict=True), 1
    ):
        total += share
        row: tuple[Cell, ...] = (number, variance, share, total)
        rows.append(row)
    columns = (
        Column("component", "", "right", "d"), Column("variance", "", "right", ".4g"),
        Column("share", "", "right", ".1%"), Column("with those before", "", "right", ".1%"),
    )  # fmt: skip
    return Table("Principal components", columns, tuple(rows), name="components")
