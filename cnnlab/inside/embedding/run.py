"""`cnnlab visualize embedding`: images as points in the space of features that the head sees."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.core.advance import Advance
from cnnlab.core.characters import printable
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.files import failures_named, make_folder, remove_folder
from cnnlab.core.reading import named_in_utf8
from cnnlab.data.dataset import Dataset
from cnnlab.inside.embedding.components import principal_components
from cnnlab.inside.embedding.report import EmbeddingFacts, Query
from cnnlab.network.image_files import Source
from cnnlab.network.network import Network
from cnnlab.network.numbered_batches import batch_size, numbered_batches
from cnnlab.network.penultimate import Features, joined, penultimate_features
from cnnlab.network.prepared_images import images_of_files
from cnnlab.network.session import Session
from cnnlab.runs.images import sample_indices
from cnnlab.stats.nearest import nearest_neighbours
from cnnlab.view.drawings import tile, tiles

COMPONENTS = 10
JUDGED = 1000
"""Images whose neighbours are counted."""
SPRITE_SIDE = 8192
"""Pixels of the largest sprite that TensorBoard's projector takes."""
LARGEST_TILE = 64
"""Pixels of an image in it."""
MOST_QUERIES = 10


def embedded(
    network: Network,
    part: Dataset,
    session: Session,
    *,
    split: str,
    count: int = 2000,
    layer: str | None = None,
    like: Sequence[str] = (),
    neighbours: int = 8,
) -> Iterator[Advance | EmbeddingFacts]:
    """Place images in the space of features that the head sees, with principal components and nearest neighbours.

    Arguments:
        network: opened for images.
        part: the images.
        session: the seed by which they are chosen where there are more than `count`.
        split: the name of their part.
        count: how many are taken, at most.
        layer: whose input the features are; by default the head.
        like: whose neighbours are shown: numbers in `part`, or files; without any, the first image of each class.
        neighbours: of each image.

    Yields:
        How far the images are; at last the facts, with features [n, d].

    Raises:
        RequestError: for a network without a head that is known, and for one in `like` that is no image.
        WorkError: for a file that cannot be read.

    Example:
        network = open_network("quickstart", session, for_images=True)
        images = network.part("validation", session.place)
        *_, facts = embedded(network, images, session, split="validation", like=["7"])
    """
    chosen_numbers = sample_indices(len(part), count, session.seed, "embedding")
    images, numbers = part.take(chosen_numbers), tuple(chosen_numbers.tolist())
    chosen = _queries(network, part, images, numbers, like)
    total = -(-len(images) // batch_size(images))
    parts: list[Features] = []
    for one in penultimate_features(network.model, numbered_batches(network, images), layer=layer):
        parts.append(one)
        yield Advance("features", len(parts), total)
    found = joined(parts)
    components = principal_components(found.features, count=min(COMPONENTS, *found.features.shape))
    near = min(neighbours, len(images) - 1)
    agreement = []
    judged = min(JUDGED, len(images))
    for row in range(judged):
        nearest = nearest_neighbours(found.features, found.features[row], count=near, leave_out=row)
        agreement.append(float((found.labels[nearest.indices] == found.labels[row]).double().mean()))
        if row % 100 == 99 or row == judged - 1:
            yield Advance("neighbours", row + 1, judged)
    yield EmbeddingFacts(
        model=network.name,
        weights=network.weights,
        split=split,
        layer=found.layer,
        classes=images.classes,
        features=found.features,
        labels=found.labels,
        numbers=numbers,
        components=components,
        neighbours=near,
        judged=judged,
        agreement=sum(agreement) / judged,
        chance=_chance(found.labels),
        queries=tuple(_answered(network, found, one, near) for one in chosen),
        images=tiles(images.images),
    )


@dataclass(frozen=True, eq=False)
class _Asked:
    """An image whose neighbours are asked for."""

    name: str
    truth: str | None
    pixels: Tensor
    row: int | None
    """Among the images that are searched; None where it is not one of them."""


def _queries(
    network: Network, part: Dataset, dataset: Dataset, numbers: Sequence[int], texts: Sequence[str]
) -> list[_Asked]:
    if not texts:
        labels = dataset.labels.tolist()
        texts = [str(numbers[labels.index(label)]) for label in sorted(set(labels))][:MOST_QUERIES]
    return [_query(network, part, numbers, text) for text in texts]


def _query(network: Network, part: Dataset, numbers: Sequence[int], text: str) -> _Asked:
    if text.isdecimal():
        number = int(text)
        if number >= len(part):
            raise RequestError(f"`like` is {text}; there are images 0 to {len(part) - 1}")
        row = numbers.index(number) if number in numbers else None
        return _Asked(text, part.classes[int(part.labels[number])], part.images[number], row)
    if not Path(text).is_file():
        raise RequestError(f"`like` is '{text}', expected an image's number from 0, or a file")
    good, bad = images_of_files([Source(text)], network.preparation, part.classes)
    if bad:
        raise WorkError(f"{bad[0].path}: {bad[0].reason}")
    return _Asked(Path(text).name, None, good[0].pixels, None)


def _answered(network: Network, found: Features, asked: _Asked, near: int) -> Query:
    if asked.row is None:
        inputs = network.preparation.inputs(asked.pixels[None].to(network.device))
        batch = [(inputs, torch.zeros(1, dtype=torch.int64), 0)]
        own = joined(penultimate_features(network.model, batch, layer=found.layer)).features[0]
    else:
        own = found.features[asked.row]
    like = nearest_neighbours(found.features, own, count=near, leave_out=asked.row)
    return Query(
        asked.name, asked.truth, tile(asked.pixels), tuple(like.indices.tolist()), tuple(like.similarity.tolist())
    )


def _chance(labels: Tensor) -> float:
    """How often another image, drawn at random, is of the same class."""
    counts = torch.bincount(labels).double()
    n = len(labels)
    return float((counts * (counts - 1)).sum() / (n * (n - 1)))


def write_projector(facts: EmbeddingFacts, folder: Path) -> Path:
    """What TensorBoard's projector shows: features, class names and small images; `folder` is made anew.

    Raises: RequestError where `folder` holds something else.
    """
    from cnnlab.runs.events import EventLog

    if folder.exists() and any(folder.iterdir()) and not (folder / "projector_config.pbtxt").exists():
        raise RequestError(f"{folder}: holds other files, and the projector's would be put in their place")
    remove_folder(folder)
    make_folder(folder)
    names = [printable(facts.classes[int(label)]) for label in facts.labels]
    rows = zip(names, facts.numbers, strict=True)
    # torch says on stdout which library it lacks, and stdout is for results
    with (
        redirect_stdout(StringIO()),
        warnings.catch_warnings(),
        failures_named(folder),
        named_in_utf8(folder) as name,
        EventLog(name) as events,
    ):
        warnings.simplefilter("ignore")
        events.writer.add_embedding(
            facts.features,
            metadata=[[name, str(number)] for name, number in rows],
            metadata_header=["class", "number"],
            label_img=_sprites(facts),
            tag=facts.layer,
        )
    return folder


def _sprites(facts: EmbeddingFacts) -> Tensor:
    """[n, c, side, side] in 0 … 1, small enough that all fit into one square sprite."""
    pixels = torch.stack([torch.from_numpy(image).permute(2, 0, 1) for image in facts.images]).float() / 255
    side = min(LARGEST_TILE, *pixels.shape[2:], SPRITE_SIDE // math.ceil(math.sqrt(len(pixels))))
    if pixels.shape[2:] != (side, side):
        pixels = F.interpolate(pixels, (max(1, side), max(1, side)), mode="area")
    return pixels
