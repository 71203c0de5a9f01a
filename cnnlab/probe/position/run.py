"""`cnnlab probe position`: whether what a layer puts out tells places, which it can know by the border alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.network.forward import capture_outputs, check_finite
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.probe.alteration import Alteration, alteration_of, altered, check_on
from cnnlab.probe.equivariance.grid import Grid, grids
from cnnlab.probe.equivariance.movement import discs, in_rows, noise
from cnnlab.probe.position.facts import PositionFacts, PositionLayer
from cnnlab.probe.position.readout import told
from cnnlab.stats.claim import Claim, claim_above
from cnnlab.stats.confidence import MeanInterval, bootstrap_mean, paired_difference
from cnnlab.view.layer_rows import size_text

AS_IT_IS, CIRCULAR = Alteration(), Alteration(padding="circular")

VALUES = 2**22
"""Numbers of a layer that are kept, over all images."""

CELLS = 128
"""Cells of an image that are read, at most."""

PART = 4
"""A pattern is such a part of the image's side."""


@dataclass(eq=False)
class _Kept:
    """Features of a layer by alteration: a tensor (images, cells, features) for each batch."""

    features: dict[str, list[Tensor]] = field(default_factory=dict)
    places: list[Tensor] = field(default_factory=list)

    def told(self, way: str) -> Float[Tensor, "half"]:
        """R² of each image of the second half."""
        return told(torch.cat(self.features[way]), torch.cat(self.places))


def position(
    network: Network, session: Session, *, count: int = 128, what_if: Sequence[str] = (), depth: int | None = None
) -> Iterator[Advance | PositionFacts]:
    """Read places out of each layer, of images that have none: what tells them is the border.

    Arguments:
        network: opened with its values.
        session: the seed, and how many images pass at a time.
        count: images of noise, and as many of patterns; half of them teach the read-out, the others judge it.
        what_if: further ways to run the network (see `alteration_of`).
        depth: how deep to go into layers of layers.

    Yields:
        How far the images are, and at last the facts.

    Raises:
        RequestError: for fewer than 4 images, and for changes that are none.
        WorkError: where a layer puts out what is NaN or infinite.

    Example:
        >>> from torch import nn
        >>> layers = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU()).eval()
        >>> network = Network(name="net", origin="module", model=layers, shape=(1, 8, 8), trained=False, weights="")
        >>> *_, facts = position(network, Session(device_name="cpu"), count=16)
        >>> list(facts.maps[1].told)
        ['as it is', 'padding=circular']
    """
    if count < 4:
        raise RequestError(
            f"`count` is {count}: a read-out is taught by one half of the images and judged by the other"
        )
    wanted = [alteration_of(text) for text in what_if]
    layers = grids(network, depth)
    shape = network.shape[0], network.shape[1], network.shape[2]
    images = noise(count, shape, derive_seed(session.seed, "position"))
    one, names = _as_taken(network, images[:1]), [grid.name for grid in layers]
    with altered(Alteration("circular", "blur_pool", "identity")) as changed:
        capture_outputs(network.model, one, names)
    for way in wanted:
        check_on(way, network.model, partial(capture_outputs, network.model, one, names), network.name)
    ways = list(dict.fromkeys([AS_IT_IS, *([CIRCULAR] if changed.get("padding") else []), *wanted]))
    patterns, places = _patterns(count, shape, layers, derive_seed(session.seed, "patterns"))
    kept: dict[str, _Kept] = {}
    done, total = 0, 2 * len(ways) * -(-count // session.max_batch)
    for first in range(0, count, session.max_batch):
        batch = slice(first, first + session.max_batch)
        for way in ways:
            for kind, shown in (("map", images), ("answer", patterns)):
                with altered(way, network.model):
                    outputs = capture_outputs(
                        network.model, _as_taken(network, shown[batch]), [one.name for one in layers]
                    )
                check_finite(outputs, network.name if way == AS_IT_IS else f"{network.name} ({way.words})")
                for grid in layers:
                    if grid.name in outputs and (grid.layout is not None) == (kind == "map"):
                        _keep(kept.setdefault(grid.name, _Kept()), grid, outputs[grid.name], way, places[batch], count)
                done += 1
                yield Advance("reading places", done, total)
    measured = {
        name: {way.name: one.told(way.name).cpu() for way in ways} for name, one in kept.items() if one.features
    }
    several = len({tuple(place) for place in places.tolist()})
    maps = tuple(_layer(one, measured[one.name], session.seed) for one in layers if _is_map(one, measured))
    answers = tuple(
        _layer(one, measured[one.name], session.seed)
        for one in layers
        if several > 1 and one.layout is None and one.name in measured
    )
    yield PositionFacts(
        name=network.name,
        weights=network.weights,
        count=count,
        size=shape[1:],
        alterations={way.name: way.words for way in ways},
        maps=maps,
        answers=answers,
        places=several,
        claims=tuple(_claims(maps, answers, measured, session.seed)),
    )


def _is_map(grid: Grid, measured: Mapping[str, object]) -> bool:
    return grid.layout is not None and grid.name in measured


def _as_taken(network: Network, images: Tensor) -> Tensor:
    state = next(network.model.parameters(), images)
    return in_rows(images.to(network.device, state.dtype))


def _patterns(
    count: int, shape: tuple[int, int, int], layers: Sequence[Grid], seed: int
) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n 2"]]:
    """Patterns in an empty image, and where: places that are a whole number of the coarsest cells apart."""
    channels, height, width = shape
    step = round(max((s for one in layers for s in one.stride if s is not None), default=1.0)) or 1
    sides = max(2, height // PART), max(2, width // PART)
    small = discs(count, (channels, *sides), seed)
    generator = torch.Generator().manual_seed(seed)
    images, places = torch.zeros(count, *shape), torch.zeros(count, 2)
    choices = [range(0, side - part + 1, step) for side, part in zip((height, width), sides, strict=True)]
    for number in range(count):
        row, column = (one[int(torch.randint(len(one), (1,), generator=generator))] for one in choices)
        images[number, :, row : row + sides[0], column : column + sides[1]] = small[number]
        places[number] = torch.tensor([row / height, column / width])
    return images, places


def _keep(kept: _Kept, grid: Grid, output: Tensor, way: Alteration, places: Tensor, count: int) -> None:
    """The features of some cells of each image, the same cells for each alteration; all of what is no map."""
    if grid.layout is None:
        if output.dim() < 2 or len(output) != len(places):
            return
        features, where = output.flatten(1)[:, None], places[:, None]
    else:
        maps = grid.layout.maps(output).flatten(2).transpose(1, 2)
        height, width = grid.cells
        rows, columns = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
        most = max(4, min(CELLS, VALUES // (count * maps.shape[2])))
        chosen = torch.randperm(height * width, generator=torch.Generator().manual_seed(0))[:most]
        features = maps[:, chosen.to(maps.device)]
        where = torch.stack([rows.flatten(), columns.flatten()], 1)[chosen].expand(len(maps), -1, -1)
    kept.features.setdefault(way.name, []).append(features.float().cpu())
    if way == AS_IT_IS:
        kept.places.append(where)


def _layer(grid: Grid, errors: Mapping[str, Tensor], seed: int) -> PositionLayer:
    output = grid.why if grid.layout is None else size_text(grid.layout.size)
    return PositionLayer(grid.name, output, {way: bootstrap_mean(one, seed=seed) for way, one in errors.items()})


def _claims(
    maps: Sequence[PositionLayer],
    answers: Sequence[PositionLayer],
    measured: Mapping[str, Mapping[str, Tensor]],
    seed: int,
) -> Iterator[Claim]:
    if not maps or CIRCULAR.name not in maps[0].told:
        return
    last = maps[-1]
    yield claim_above(
        "A padded border tells a convolution where it is",
        "19.2",
        f"R² of the place of a cell, read out of {last.name} for noise that has no place",
        last.told[AS_IT_IS.name],
        form=".2f",
    )
    yield claim_above(
        "It is the border alone that tells it",
        "19.2",
        f"the same less that with circular padding, {last.name}",
        _less(measured[last.name], seed),
        form=".2f",
    )
    if answers:
        first = answers[0]
        yield claim_above(
            "What is pooled over all places still tells where a thing is, by the padding",
            "19.3",
            f"R² of a pattern's place, read out of {first.name}, less that with circular padding",
            _less(measured[first.name], seed),
            form=".2f",
        )


def _less(errors: Mapping[str, Tensor], seed: int) -> MeanInterval:
    return paired_difference(errors[AS_IT_IS.name], errors[CIRCULAR.name], seed=seed)
