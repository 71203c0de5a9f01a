"""`cnnlab landscape`: the loss around a network's weights, and along its training's path."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.seeds import derive_seed
from cnnlab.data.batches import TrainingBatches, normalise
from cnnlab.data.dataset import Dataset
from cnnlab.fit.checkpoints import load_weights_file
from cnnlab.fit.state import load_weights
from cnnlab.landscape.directions import Weights, filters_of, random_direction
from cnnlab.landscape.facts import FAR, Landscape, Line, NetworkLandscape, PathFacts, Statistics
from cnnlab.landscape.grid_file import Grid, read_grid, write_grid
from cnnlab.landscape.path import principal_path
from cnnlab.landscape.surface import Images, Plane, batch_norms, losses
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.runs.images import sample_indices

DISTANCES = (0.1, 0.25, FAR, 1.0)
"""At which the loss is measured along random directions; at 1 each filter is moved by its own length."""

MARGIN = 0.2
"""Room around a path, as a share of its extent."""

FARTHEST = 100.0
"""How far a surface may reach."""


@dataclass(frozen=True)
class LandscapeOptions:
    """Over which images and places."""

    split: Literal["train", "validation"] | None = None
    """None for train, which is what the training went down on; without it what there is."""
    count: int = 512
    """Images, at most."""
    points: int = 17
    """Places along each side of a surface; odd, so that the middle one is the network itself."""
    span: float = 1.0
    """How far the surface reaches; at 1 each filter is moved by its own length."""
    draws: int = 8
    """Random directions along which the loss is measured."""
    path: bool = True
    """Whether the plane of the training's path is measured, where the weights of its epochs were kept."""
    statistics: Literal["retaken", "kept"] = "retaken"
    """Of batch norm: taken anew at each place, over the same images as training saw them (augmented, where its config
    says so), or those that the network keeps."""


def landscape(
    networks: Sequence[Network], session: Session, options: LandscapeOptions, *, keep: Path | None = None
) -> Iterator[Advance | Landscape]:
    """Measure the loss around each network's weights, along the same random draws and over the same images.

    Arguments:
        networks: opened for images, with the same classes.
        session: the seed of the directions and of the images, the device, and where data lies.
        options: over which images and places.
        keep: a folder in which each grid is kept as it grows; a later call takes from there what is measured already.

    Yields:
        How far each grid is; at last the facts.

    Raises:
        RequestError: for a network without layers that have weights, without images, or of other classes or images
            than the first, and for a number of points that is even.
        WorkError: where a network's answers are NaN or infinite.
    """
    if options.points < 3 or options.points % 2 == 0:
        raise RequestError(f"`points` is {options.points}; expected an odd number from 3, the middle is the network")
    if not 0 < options.span <= FARTHEST:
        raise RequestError(
            f"`span` is {options.span:g}; expected more than 0 to {FARTHEST:g}; 1 moves each filter by its own length"
        )
    for name, value, least in (("draws", options.draws, 2), ("count", options.count, 1)):
        if value < least:
            raise RequestError(f"`{name}` is {value}; expected {least} or more")
    names = [one.name for one in networks]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RequestError(f"{twice} is named twice")
    found: list[NetworkLandscape] = []
    split, labels = "", torch.empty(0, dtype=torch.int64)
    for network in networks:
        part, images = _images(network, session, options)
        if found and (len(images.labels) != len(labels) or not torch.equal(images.labels, labels)):
            raise RequestError(
                f"{network.name} has other images than {names[0]}: their losses cannot be compared; "
                "name images for all with `data`"
            )
        split, labels = part, images.labels
        for step in _of_network(network, images, session, options, part, keep):
            if isinstance(step, Advance):
                yield step
            else:
                found.append(step)
    yield Landscape(tuple(found), split, len(labels), session.seed)


def _images(network: Network, session: Session, options: LandscapeOptions) -> tuple[str, Images]:
    if options.split is None:
        try:
            split, part = "train", network.part("train", session.place)
        except RequestError:
            split, part = network.held_out(session.place)
    else:
        split, part = options.split, network.part(options.split, session.place)
    classes = len(network.named_by(part).classes)
    chosen = part.take(sample_indices(len(part), options.count, session.seed, "landscape"))
    inputs = normalise(chosen.images.to(session.device), network.preparation.statistics)
    labels = chosen.labels.to(session.device)
    seen = _as_trained_on(network, chosen, session)
    return network.named_part(split), Images(inputs, labels, network.batch_size, classes, seen)


def _as_trained_on(network: Network, chosen: Dataset, session: Session) -> tuple[torch.Tensor, ...]:
    """The images in batches as the network's training saw them; none where it saw them as they are."""
    config = network.config
    if config is None or not config.data.augment:
        return ()
    batches = TrainingBatches(
        chosen.images.to(session.device),
        chosen.labels.to(session.device),
        batch_size=config.training.batch_size,
        seed=derive_seed(session.seed, "landscape"),
        augmentations=[choice.build(classes=len(chosen.classes)) for choice in config.data.augment],
        statistics=network.preparation.statistics,
        classes=len(chosen.classes),
    )
    return tuple(batch.images for batch in batches.epoch(0))


def _of_network(
    network: Network, images: Images, session: Session, options: LandscapeOptions, split: str, keep: Path | None
) -> Iterator[Advance | NetworkLandscape]:
    model = network.model
    origin = {name: one.clone() for name, one in filters_of(model).items()}
    norms = len(batch_norms(model))
    statistics: Statistics = options.statistics if norms else "none"
    retake = statistics == "retaken"
    key = {
        "weights": _digest(network, images),
        "statistics": statistics,
        "seed": session.seed,
        "images": len(images.labels),
        "split": split,
    }

    def measured(plane: Plane, grid: Grid, name: str, what: str) -> Iterator[Advance | Grid]:
        path = None if keep is None else keep / f"{network.file_name}-{name}.npz"
        return _measured(network, plane, grid, images, retake=retake, path=path, key={**key, "plane": name}, what=what)

    (own,) = losses(model, Plane(origin, origin, origin), [(0.0, 0.0)], images, retake=False)
    if not np.isfinite(own):
        raise WorkError(f"the answers of {network.name} are NaN or infinite: its weights diverged")
    side = np.linspace(-options.span, options.span, options.points)
    across, along = (random_direction(origin, _seed(session, place)) for place in (0, 1))
    surface = Grid.empty(side, side)
    for step in measured(Plane(origin, across, along), surface, "surface", f"surface of {network.name}"):
        if isinstance(step, Advance):
            yield step
        else:
            surface = step
    lines = []
    for number in range(options.draws):
        seed = _seed(session, 2 + number)
        ways = [(way * distance, 0.0) for distance in DISTANCES for way in (1, -1)]
        drawn = random_direction(origin, seed)
        values = list(losses(model, Plane(origin, drawn, drawn), ways, images, retake=retake))
        lines.append(Line(seed, tuple(zip(values[::2], values[1::2], strict=True))))
        yield Advance(f"directions of {network.name}", number + 1, options.draws)
    path = None
    has_path = network.run is not None and bool(network.run.snapshots())
    if options.path and has_path:
        plane, epochs, places, shares = _path(network, origin)
        grid = _around(places, options.points)
        for step in measured(plane, grid, "path", f"path of {network.name}"):
            if isinstance(step, Advance):
                yield step
            else:
                path = PathFacts(step, epochs, places, shares)
    middle = options.points // 2
    yield NetworkLandscape(
        name=network.name,
        weights=network.weights,
        statistics=statistics,
        augmented=retake and bool(images.augmented),
        is_run=network.run is not None,
        norms=norms,
        classes=images.classes,
        own_loss=own,
        centre=float(surface.losses[middle, middle]),
        surface=surface,
        distances=DISTANCES,
        lines=tuple(lines),
        path=path,
        has_path=has_path,
    )


def _seed(session: Session, number: int) -> int:
    """Of a direction."""
    return session.seed * 1_000_003 + number


def _measured(
    network: Network,
    plane: Plane,
    grid: Grid,
    images: Images,
    *,
    retake: bool,
    path: Path | None,
    key: dict[str, Any],
    what: str,
) -> Iterator[Advance | Grid]:
    """Fill the grid, row by row; what a file holds already is taken from there."""
    key = {**key, "across": grid.across.tolist(), "along": grid.along.tolist()}
    if path is not None:
        grid = read_grid(path, key) or grid
    rows, columns = grid.losses.shape
    for row in range(rows):
        if np.isnan(grid.losses[row]).any():
            places = [(float(x), float(grid.along[row])) for x in grid.across]
            for column, loss in enumerate(losses(network.model, plane, places, images, retake=retake)):
                grid.losses[row, column] = loss if np.isfinite(loss) else np.inf
                yield Advance(what, row * columns + column + 1, rows * columns)
            if path is not None:
                write_grid(path, grid, key)
        yield Advance(what, (row + 1) * columns, rows * columns)
    yield grid


def _path(
    network: Network, origin: Weights
) -> tuple[Plane, tuple[int, ...], tuple[tuple[float, float], ...], tuple[float, float]]:
    """The plane of the run's epochs, the first of them 0: the weights before any training."""
    assert network.run is not None
    assert network.config is not None
    assert network.fresh is not None
    kept = network.run.snapshots()
    epochs = (0, *kept)
    twin = network.fresh(network.config.seed)
    before = {name: one.clone() for name, one in filters_of(twin).items()}

    def load(number: int) -> Weights:
        if number == 0:
            return before
        path = kept[epochs[number]]
        try:
            load_weights(twin, load_weights_file(path)[0])
        except RequestError as error:
            raise RequestError(f"{path}: {error}") from None
        return {name: one.clone() for name, one in filters_of(twin).items()}

    found = principal_path(origin, len(epochs), load)
    return Plane(origin, *found.directions), epochs, found.places, found.shares


def _around(places: Sequence[tuple[float, float]], points: int) -> Grid:
    """A grid that holds the path and the final weights, at (0, 0), with some room around them."""
    sides: list[NDArray[np.float64]] = []
    extent = max(max(abs(value) for value in axis) for axis in zip(*places, strict=True))
    for axis in zip(*places, strict=True):
        low, high = min(0.0, *axis), max(0.0, *axis)
        room = MARGIN * max(high - low, extent / 4)
        sides.append(np.linspace(low - room, high + room, points))
    return Grid.empty(sides[0], sides[1])


def _digest(network: Network, images: Images) -> str:
    """Of all values that decide a loss."""
    digest = hashlib.sha256()
    for tensor in (*network.model.state_dict().values(), images.inputs, images.labels, *images.augmented):
        if isinstance(tensor, torch.Tensor):
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
