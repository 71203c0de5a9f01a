"""The training images that a network takes to be most like its mistakes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.data.dataset import Dataset
from cnnlab.network.network import Network
from cnnlab.network.numbered_batches import batch_size, numbered_batches
from cnnlab.network.penultimate import Features, joined, penultimate_features
from cnnlab.network.session import Session
from cnnlab.runs.images import sample_indices
from cnnlab.stats.classification import Mistake
from cnnlab.stats.nearest import NearestSearch
from cnnlab.stats.probabilities import class_logits, class_probabilities
from cnnlab.view.drawings import tile

MISTAKES = 8
"""Of the most confident mistakes, how many have their neighbours beside them."""

FEWEST, MOST = 500, 2000
"""Training images that are searched by default: as many as are evaluated, within these. So the search takes no longer
than the evaluation, and of a large one a small part of it."""


@dataclass(frozen=True)
class NeighbourOptions:
    """How many neighbours of each mistake, and where they are looked for."""

    count: int = 3
    """For each mistake; 0 for none."""
    among: int | None = None
    """Training images that are searched, at most; by default as many as are evaluated, from `FEWEST` to `MOST`."""


@dataclass(frozen=True, eq=False)
class Neighbour:
    """A training image near to a mistake."""

    index: int
    """Its number in the training part, from 0."""
    path: str | None
    image: NDArray[np.uint8]
    """[h, w, c]."""
    label: int
    cosine: float
    """Between its features and the mistake's, −1 … 1."""
    distance: float
    """Euclidean, in the features' own unit."""
    answer: int
    """What the network calls it …"""
    probability: float
    """… and how surely, 0 … 1."""

    def as_json(self, classes: Sequence[str]) -> dict[str, Any]:
        """Plain values."""
        return {
            "index": self.index,
            "path": self.path,
            "label": classes[self.label],
            "cosine": self.cosine,
            "distance": self.distance,
            "answer": classes[self.answer],
            "probability": self.probability,
        }


@dataclass(frozen=True, eq=False)
class MistakeNeighbours:
    """The neighbours of the most confident mistakes, or why there are none."""

    layer: str = ""
    """The head; the features are what enters it."""
    searched: int = 0
    of: int = 0
    """Training images that there are."""
    beside: tuple[tuple[Mistake, tuple[Neighbour, ...]], ...] = ()
    """Each mistake with its neighbours, the nearest first."""
    seconds: float = 0.0
    missing: str = ""
    """Why there are none, as a sentence's end."""

    @property
    def sentence(self) -> str:
        """How many training images were searched, how long it took, and how to search all."""
        if self.missing:
            return f"no nearest training images: {self.missing}"
        said = f"nearest training images: {self.searched:,} of {self.of:,} searched in {self.seconds:.1f} s"
        return said + (f"; `among` {self.of} searches all" if self.searched < self.of else "")

    def as_json(self, classes: Sequence[str]) -> dict[str, Any]:
        """Plain values; of equal requests equal ones."""
        return {
            "layer": self.layer or None,
            "searched": self.searched,
            "of": self.of,
            "missing": self.missing or None,
            "mistakes": [
                {
                    "index": mistake.index,
                    "truth": classes[mistake.truth],
                    "answer": classes[mistake.predicted],
                    "probability": mistake.confidence,
                    "nearest": [one.as_json(classes) for one in near],
                }
                for mistake, near in self.beside
            ],
        }


def neighbours_of_mistakes(
    network: Network,
    session: Session,
    images: Dataset,
    split: str,
    mistakes: Sequence[Mistake],
    options: NeighbourOptions | None = None,
) -> MistakeNeighbours | None:
    """Look for the training images whose features are most like those of the most confident mistakes.

    The search is exact among those that are searched: all, or as many as are asked for, drawn by the session's seed.
    Features are let go batch by batch.

    Arguments:
        network: of a run, about its own data; of any other it is not known what it has learned from.
        session: where the training images lie; its track follows the search.
        images: what was evaluated, of the part `split`; where that is `train`, no image is its own neighbour.
        mistakes: of these images, the surest first.
        options: how many, and among how many.

    Returns:
        The neighbours; with a reason in place of them where the training images are not there, or the network has no
        head that is known; None where there is no run, it is asked about other data, it makes no mistake, or none was
        asked for.

    Example:
        found = neighbours_of_mistakes(network, session, images, "test", facts.mistakes)
    """
    options = options or NeighbourOptions()
    shown = mistakes[:MISTAKES]
    if network.run is None or network.asked is not None or not shown or options.count < 1:
        return None
    began = time.perf_counter()
    try:
        train = images if split == "train" else network.part("train", session.place)
        asked = images.take(torch.tensor([one.index for one in shown]))
        queries = joined(penultimate_features(network.model, numbered_batches(network, asked)))
        most = min(MOST, max(FEWEST, len(images))) if options.among is None else options.among
        rows = sample_indices(len(train), most, session.seed, "neighbours")
        found = _searched(network, session, train, rows, queries, options.count, own=shown if split == "train" else ())
    except (RequestError, WorkError) as error:
        return MistakeNeighbours(missing=str(error))
    return MistakeNeighbours(
        layer=queries.layer,
        searched=len(rows),
        of=len(train),
        beside=tuple(zip(shown, found, strict=True)),
        seconds=time.perf_counter() - began,
    )


def _searched(
    network: Network,
    session: Session,
    train: Dataset,
    rows: Tensor,
    queries: Features,
    count: int,
    *,
    own: Sequence[Mistake],
) -> list[tuple[Neighbour, ...]]:
    """The neighbours of each query among the images `rows` of the training part."""
    leave_out = torch.searchsorted(rows, torch.tensor([one.index for one in own])) if own else None
    if leave_out is not None:  # those that are not among the searched have no row
        there = rows[leave_out.clamp_max(len(rows) - 1)] == torch.tensor([one.index for one in own])
        leave_out = torch.where(there, leave_out, -1)
    search = NearestSearch(queries.features, count, leave_out=leave_out)
    _check_finite(network, queries)
    size = batch_size(train)
    pieces = range(0, len(rows), size)
    for first in session.track(pieces, "nearest training images", len(pieces)):
        some = train.take(rows[first : first + size])
        for part in penultimate_features(network.model, numbered_batches(network, some), layer=queries.layer):
            _check_finite(network, part)
            search.add(part.features, first)
    found = search.found
    chosen = torch.cat([rows[one.indices] for one in found]).unique()
    if not len(chosen):
        raise RequestError("the training part has no other image")
    kept = train.take(chosen)
    seen = joined(penultimate_features(network.model, numbered_batches(network, kept), layer=queries.layer))
    shares = class_probabilities(class_logits(seen.logits))
    near = []
    for query, one in zip(queries.features.double(), found, strict=True):
        its = []
        for index, cosine in zip(rows[one.indices].tolist(), one.similarity.tolist(), strict=True):
            place = int(torch.searchsorted(chosen, index))
            probability, answer = shares[place].max(0)
            its.append(
                Neighbour(
                    index=index,
                    path=None if train.paths is None else train.paths[index],
                    image=tile(kept.images[place]),
                    label=int(kept.labels[place]),
                    cosine=cosine,
                    distance=float((seen.features[place].double() - query).norm()),
                    answer=int(answer),
                    probability=float(probability),
                )
            )
        near.append(tuple(its))
    return near


def _check_finite(network: Network, seen: Features) -> None:
    if not bool(seen.features.isfinite().all()):
        raise WorkError(f"{network.name}'s features are NaN or infinite for some images")
