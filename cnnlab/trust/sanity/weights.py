"""The weight randomisation test: maps of a network whose layers are randomised, from the logits back to the image.

Adebayo et al. 2018, "Sanity checks for saliency maps", arXiv:1810.03292, section 3: cascading (all layers down to one)
and independent (one layer at a time). A method whose maps stay explains the image, or the architecture, and not what
was learned. With the whole network randomised, cascading decides; single layers only show where maps depend on them.
Intervals are over images; another seed is another network, and moves means by about as much.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.models.tensors import copied
from cnnlab.trust.sanity.randomization import (
    RandomizedLayer,
    execution_order,
    layers_from_output,
    normalizations_after,
    randomize_layer,
    recalibrate,
)
from cnnlab.trust.sanity.similarity import (
    SanityVerdict,
    SimilaritySummary,
    map_similarity,
    summarize_similarity,
)

Explain = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""(model, images (n, c, h, w), targets (n,)) → raw maps (n, H, W), of image size or lower."""

Mode = Literal["cascading", "independent"]


@dataclass(frozen=True, eq=False)
class LayerRandomized:
    """The maps of one method once a layer is randomised; the first of each method are those of the network as it is."""

    method: str
    depth: int
    """How many layers of the list, from the output, are reached; 0 for the network as it is."""
    layer: RandomizedLayer | None
    maps: Float[Tensor, "n h w"]
    """Raw, as the method gives them."""
    done: int
    total: int
    """Number of such steps."""


@dataclass(frozen=True)
class DepthSimilarity:
    """How much of one method's maps is left once a layer is randomised."""

    depth: int
    layer: RandomizedLayer
    similarity: SimilaritySummary


@dataclass(frozen=True)
class MethodSanity:
    """One method through all depths."""

    name: str
    depths: tuple[DepthSimilarity, ...]
    verdict: SanityVerdict | None
    """From the whole network randomised; None for single layers."""


@dataclass(frozen=True)
class WeightRandomization:
    """The outcome for all methods over the same images."""

    mode: Mode
    n: int
    """Images."""
    seed: int
    layers: tuple[RandomizedLayer, ...]
    """All of them, from the output to the image."""
    methods: tuple[MethodSanity, ...]


def randomize_weights(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    targets: Int64[Tensor, "_"],
    methods: Mapping[str, Explain],
    *,
    seed: int,
    mode: Mode = "cascading",
    depths: int | None = None,
    max_batch: int = 64,
) -> Iterator[LayerRandomized | WeightRandomization]:
    """Explain the (normalised) `images` by each method while the network is randomised; the last item is the result.

    All work is on a copy, in evaluation mode; batch statistics are retaken from `images` wherever their input changed.
    `depths` bounds at how many depths maps are made, spread evenly and always with the last; without it, at all. A
    method gets at most `max_batch` images at a time.

    Raises: RequestError for no image, another number of targets, a method that gives maps of another number, or one
    image with batch normalisation; ValueError unless `depths` and `max_batch` are at least 1; WorkError for maps with
    values that are NaN or infinite.
    """
    _check(images, targets, depths, max_batch)
    randomized = copied(model).eval()
    layers, order = layers_from_output(randomized, images), execution_order(randomized, images[:1])
    wanted = _spread(len(layers), depths)
    total = len(methods) * (len(wanted) + 1)
    size = (images.shape[2], images.shape[3])
    originals: dict[str, Tensor] = {}
    found: dict[str, list[DepthSimilarity]] = {name: [] for name in methods}
    done = 0
    for name, explain in methods.items():
        originals[name] = explained(name, explain, randomized, images, targets, max_batch=max_batch)
        done += 1
        yield LayerRandomized(name, 0, None, originals[name], done, total)
    for depth, layer in enumerate(layers, start=1):
        if mode == "independent":
            if depth not in wanted:
                continue
            randomized = copied(model).eval()
        randomize_layer(randomized, layer, seed=seed)
        if depth not in wanted:
            continue
        recalibrate(randomized, images, normalizations_after(randomized, order, layer.name), max_batch=max_batch)
        for name, explain in methods.items():
            maps = explained(name, explain, randomized, images, targets, max_batch=max_batch)
            similarity = map_similarity(originals[name], maps, size=size)
            found[name].append(DepthSimilarity(depth, layer, summarize_similarity(similarity, seed=seed)))
            done += 1
            yield LayerRandomized(name, depth, layer, maps, done, total)
    against = f"all {len(layers)} layers randomised" if len(layers) > 1 else "its only layer randomised"
    yield WeightRandomization(
        mode,
        len(images),
        seed,
        layers,
        tuple(
            MethodSanity(
                name,
                tuple(steps),
                SanityVerdict(name, steps[-1].similarity, against) if mode == "cascading" else None,
            )
            for name, steps in found.items()
        ),
    )


def explained(
    name: str, explain: Explain, model: nn.Module, images: Tensor, targets: Tensor, *, max_batch: int
) -> Float[Tensor, "n h w"]:
    """The maps of all `images`, on the CPU, at most `max_batch` at a time.

    Raises: RequestError where the method does not give one map per image.
    """
    found = []
    for some, wanted in zip(images.split(max_batch), targets.split(max_batch), strict=True):
        maps = explain(model, some, wanted)
        if maps.ndim != 3 or len(maps) != len(some):
            raise RequestError(
                f"'{name}' gives maps of shape {tuple(maps.shape)} for {len(some)} images; expected one (H, W) each"
            )
        found.append(maps.detach().cpu())
    return torch.cat(found)


def _spread(layers: int, depths: int | None) -> frozenset[int]:
    """Which of the depths 1 … `layers` are looked at: `depths` of them, evenly, the last among them."""
    if depths is None or depths >= layers:
        return frozenset(range(1, layers + 1))
    return frozenset(round(layers * (i + 1) / depths) for i in range(depths))


def _check(images: Tensor, targets: Tensor, depths: int | None, max_batch: int) -> None:
    if len(images) == 0:
        raise RequestError("there is no image to explain; give at least one")
    if len(targets) != len(images):
        raise RequestError(f"{len(targets)} targets for {len(images)} images; expected one each")
    if max_batch < 1 or (depths is not None and depths < 1):
        raise ValueError(f"max_batch is {max_batch} and depths {depths}: expected at least 1 each")
