"""A training as a film: filters and the evidence for one image, epoch by epoch."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.attribution.catalog import METHODS
from cnnlab.core.arithmetic import evenly
from cnnlab.inside.film.frames import FROZEN, Film
from cnnlab.view.blocks import Cell, Column, Figure, Number, Numbers, Report, Table, shown
from cnnlab.view.drawings import Curves, Gallery, Panels, Series
from cnnlab.view.scenes import Scene, Scenes

MOST_EPOCHS = 8
"""Most epochs of a strip; the animations and the table have them all."""
MOST_FILTERS = 8
"""Most filters of a strip."""
MOST_IN_FRAME = 32


@dataclass(frozen=True, eq=False)
class Evidence:
    """The attribution of the image's true class, after one epoch."""

    epoch: int
    values: NDArray[np.floating]
    """The map at the layer's own resolution, in units of the score."""
    score: float
    """The class's logit."""
    probability: float


@dataclass(frozen=True, eq=False)
class FilmFacts:
    """All epochs of one run whose weights were kept; epoch 0 is before the first step."""

    run: str
    film: Film
    patterns: tuple[Tensor, ...]
    """[n, h, w] for each epoch: each filter along its final principal colour."""
    accuracies: tuple[float | None, ...]
    """Accuracies on the validation part."""
    image: NDArray[np.uint8]
    number: int
    part: str
    truth: str
    method: str
    layer: str
    evidence: tuple[Evidence, ...]

    @property
    def settled(self) -> int:
        """The epoch by which half of the filters were what they are in the end."""
        return sorted(self.film.settled)[(len(self.film.settled) - 1) // 2]


def film_report(facts: FilmFacts) -> Report:
    """The report of a training."""
    first, last = facts.evidence[0], facts.evidence[-1]
    start = float(facts.film.frames[0].similarity.quantile(0.5))
    numbers = Numbers(
        (
            Number("epochs", len(facts.evidence), "d", detail=f"{first.epoch} (before the training) to {last.epoch}"),
            Number("half settled by epoch", facts.settled, "d", detail=f"cosine with the final filter above {FROZEN}"),
            Number("start and end", start, ".2f", detail="cosine of the median filter before the training"),
            Number(f"probability of {facts.truth}", last.probability, ".1%",
                   detail=f"of the image; {shown(first.probability, '.1%')} before the training"),
        )
    )  # fmt: skip
    lead = f"Filters of {facts.film.layer}, and what speaks for {facts.truth} in image {facts.number} of {facts.part}."
    blocks = (numbers, _filters(facts), _evidence(facts), _curves(facts), _table(facts))
    return Report(f"The training of {facts.run}", blocks, lead)


def film_json(facts: FilmFacts) -> dict[str, object]:
    """`--json`."""
    return {
        "run": facts.run,
        "layer": facts.film.layer,
        "settled": {"half_by_epoch": facts.settled, "filters": facts.film.settled, "cosine": FROZEN},
        "picture": {"number": facts.number, "part": facts.part, "class": facts.truth},
        "evidence": {"method": facts.method, "layer": facts.layer},
        "epochs": [
            {
                "epoch": frame.epoch,
                "similarity": frame.similarity,
                "validation_accuracy": accuracy,
                "score": found.score,
                "probability": found.probability,
                "peak": _peak(found.values),
            }
            for frame, accuracy, found in zip(facts.film.frames, facts.accuracies, facts.evidence, strict=True)
        ],
    }


def filter_frame(facts: FilmFacts, place: int) -> Figure:
    """The filters at one of the epochs."""
    images = filter_images(facts, place)[:MOST_IN_FRAME]
    title = f"Filters of {facts.film.layer}, epoch {facts.film.frames[place].epoch}"
    return Figure(f"filters-{place}", title, Gallery(images, columns=8))


def evidence_frame(facts: FilmFacts, place: int) -> Figure:
    """The evidence at one of the epochs."""
    found = facts.evidence[place]
    title = f"Epoch {found.epoch}: {facts.truth} {shown(found.probability, '.0%')}"
    return Figure(f"evidence-{place}", title, _scene(facts, found))


def filter_images(facts: FilmFacts, place: int) -> tuple[NDArray[np.uint8], ...]:
    """Each filter in grey and colour, 0 as mid grey; the scale of a filter is the same at all epochs.

    Filters of three channels are drawn as colours, others along their final principal colour.
    """
    colours = facts.film.frames[0].filters.shape[1] == 3
    frames = [frame.filters for frame in facts.film.frames] if colours else [p[:, None] for p in facts.patterns]
    limits = torch.stack([one.abs().amax((1, 2, 3)) for one in frames]).amax(0)[:, None, None, None]
    shares = torch.where(limits > 0, frames[place] / limits.clamp_min(torch.finfo(limits.dtype).tiny), 0.0)
    pixels = (127.5 + 127.5 * shares).round().clamp(0, 255).byte().permute(0, 2, 3, 1)
    return tuple(pixels.contiguous().numpy())


def _filters(facts: FilmFacts) -> Figure:
    count = len(facts.film.settled)
    chosen = range(count) if count <= MOST_FILTERS else [i * count // MOST_FILTERS for i in range(MOST_FILTERS)]
    places = evenly(range(len(facts.evidence)), MOST_EPOCHS)
    images = {place: filter_images(facts, place) for place in places}
    return Figure(
        "filters",
        f"Filters of {facts.film.layer} over the epochs",
        Gallery(
            tuple(images[place][number] for number in chosen for place in places),
            columns=len(places),
            column_titles=tuple(f"epoch {facts.film.frames[place].epoch}" for place in places),
            row_labels=tuple(f"filter {number}" for number in chosen),
        ),
        "Grey is 0; each filter has one scale for all epochs, so that growth is seen. Epoch 0 is before the training.",
    )


def _scene(facts: FilmFacts, found: Evidence, *, title: str = "") -> Scene:
    height, width = facts.image.shape[:2]
    values = np.clip(np.asarray(found.values, dtype=float), 0, None)
    peak = float(values.max())
    return Scene(
        (height, width),
        image=facts.image,
        heat=values / peak if peak > 0 else values,
        heat_label=f"{METHODS[facts.method].label}, share of its peak",
        heat_range=(0.0, 1.0),
        nothing=f"nothing speaks for {facts.truth}",
        title=title,
        caption=f"{shown(found.probability, '.0%')} {facts.truth}\npeak {shown(peak, '.2g')}",
    )


def _evidence(facts: FilmFacts) -> Figure:
    places = evenly(range(len(facts.evidence)), MOST_EPOCHS)
    scenes = tuple(
        _scene(facts, facts.evidence[place], title=f"epoch {facts.evidence[place].epoch}") for place in places
    )
    return Figure(
        "evidence",
        f"What speaks for {facts.truth}, over the epochs",
        Scenes(scenes, columns=min(4, len(scenes)), shared_scale=True),
        f"{METHODS[facts.method].label} at {facts.layer} for the true class, each map as a share of its own peak (in "
        "units of the score, below it).",
    )


def _curves(facts: FilmFacts) -> Figure:
    epochs = tuple(float(frame.epoch) for frame in facts.film.frames)
    quartiles = [
        frame.similarity.quantile(torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)).tolist()
        for frame in facts.film.frames
    ]
    low, middle, high = (tuple(row[i] for row in quartiles) for i in range(3))
    likeness = Curves(
        (Series("median filter", epochs, middle, low=low, high=high),),
        "epoch",
        "cosine with the end",
        title="How near the filters are to what they become (band: the middle half of them)",
        y_range=(None, 1.0),
    )
    answers = Curves(
        (
            Series("validation accuracy", epochs, facts.accuracies),
            Series(f"{facts.truth} in this image", epochs, tuple(one.probability for one in facts.evidence), "dashed"),
        ),
        "epoch",
        "share (%)",
        percent=True,
        y_range=(0.0, 1.0),
        title="How well the network answers",
    )
    return Figure("epochs", "Filters and answers over the epochs", Panels((likeness, answers)))


def _table(facts: FilmFacts) -> Table:
    columns = (
        Column("epoch", "", "right", "d"), Column("cosine with the end", "", "right", ".3f"),
        Column("settled", "", "right", ".0%"), Column("validation", "", "right", ".1%"),
        Column(facts.truth, "", "right", ".1%"), Column("peak", "", "right", ".3g"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for frame, accuracy, found in zip(facts.film.frames, facts.accuracies, facts.evidence, strict=True):
        share = sum(epoch <= frame.epoch for epoch in facts.film.settled) / len(facts.film.settled)
        median = float(frame.similarity.quantile(0.5))
        rows.append((frame.epoch, median, share, accuracy, found.probability, _peak(found.values)))
    note = (
        f"Cosine: of the median filter. Settled: filters that stay within {FROZEN} of their end. "
        f"{facts.truth}: probability for the image; peak: of the evidence, in units of the score."
    )
    return Table("Epochs", columns, tuple(rows), note, "epochs")


def _peak(values: NDArray[np.floating]) -> float:
    return max(0.0, float(values.max()))
