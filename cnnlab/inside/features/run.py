"""`cnnlab visualize features`: the activations of a layer's channels, and how activity runs through a network."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from cnnlab.attribution.layers import choose_layer
from cnnlab.core.advance import Advance
from cnnlab.core.arithmetic import evenly
from cnnlab.core.errors import RequestError, unknown
from cnnlab.data.dataset import Dataset
from cnnlab.inside.channels import checked_channels
from cnnlab.inside.features.feature_maps import LayerNumbers, feature_maps
from cnnlab.inside.features.report import FeatureFacts, ImageMaps
from cnnlab.network.asked_data import counted
from cnnlab.network.network import Network
from cnnlab.network.prepared_images import ExplainedImage, pixels_of
from cnnlab.network.session import Session
from cnnlab.runs.images import fixed_sample
from cnnlab.view.drawings import tile
from cnnlab.walk.layouts import Layouts

SAMPLE = 512
"""Images of the network's own data over which dead channels are looked for: a few prove little."""
MOST_LAYERS = 12
"""Most layers of the walk through the network, evenly spaced."""
STRONGEST = 8
"""Channels of each layer of the walk."""
VALUES = 64 * 64 * 32 * 32
"""Values of one layer that are kept at a time: a batch of 64 with 64 channels of 32 × 32."""


def watched_features(
    network: Network,
    images: Sequence[ExplainedImage],
    session: Session,
    *,
    layer: str | None = None,
    channels: tuple[int, ...] | None = None,
    own: tuple[str, Dataset] | None = None,
) -> Iterator[Advance | FeatureFacts]:
    """Record the feature maps that images bring about, and count the dead and the sparse channels.

    These are counted over validation images where the network has data of its own, otherwise over the given ones.

    Arguments:
        network: opened for images.
        images: the images, from files (`images_of_files`) or a data set (`images_of_part`).
        session: where data sets lie.
        layer: whose maps; by default the first layer that ends with an activation.
        channels: those that are drawn; by default as many as fit.
        own: the name of a part of the network's data and its images, where a caller has them already.

    Yields:
        How far the images are; at last the facts, with maps [channels, h, w] of each image.

    Raises:
        RequestError: for a layer that is not there or has no maps, and a channel out of range.

    Example:
        >>> from cnnlab.network.open import open_network
        >>> from cnnlab.network.placement import WHOLE
        >>> session = Session(device_name="cpu")
        >>> network = open_network("torchvision:squeezenet1_1", session, size="64", for_images=True)
        >>> grey = ExplainedImage("grey", torch.full((3, 64, 64), 128, dtype=torch.uint8), WHOLE, None, None)
        >>> *_, facts = watched_features(network, [grey], session)
        >>> facts.layer, facts.images[0].maps.shape
        ('features.1', (64, 31, 31))
    """
    model = network.model
    names, layouts = _walk(model, network)
    chosen = layer if layer is not None else names[0]
    if chosen not in dict(model.named_modules()) or not chosen:
        raise RequestError(unknown("layer", chosen, [name for name, _ in model.named_modules() if name]))
    inputs = network.preparation.inputs(pixels_of(images).to(network.device))
    (shown,) = feature_maps(model, inputs[:1], [chosen], layouts=layouts)
    wanted = None if channels is None else checked_channels(channels, shown.maps.shape[1], chosen)
    layers = list(dict.fromkeys([*names, chosen]))
    sample, samples = _sample(network, inputs, session, own)
    numbers: dict[str, LayerNumbers] = {}
    size = max(1, min(64, VALUES // max(1, shown.maps[0].numel())))
    for first in range(0, len(sample), size):
        part = sample[first : first + size]
        batch = part if part.is_floating_point() else network.preparation.inputs(part.to(network.device))
        for one in feature_maps(model, batch, layers, layouts=layouts):
            before = numbers.get(one.numbers.layer)
            numbers[one.numbers.layer] = one.numbers if before is None else before.with_more(one.numbers)
        yield Advance("watching", min(first + size, len(sample)), len(sample))
    maps: list[ImageMaps] = []
    for number, image in enumerate(images):
        shown_layers = feature_maps(model, inputs[number : number + 1], layers, layouts=layouts)
        found = {one.numbers.layer: one.maps[0].cpu().numpy() for one in shown_layers}
        walk = tuple((name, found[name], _strongest(found[name])) for name in evenly(names, MOST_LAYERS))
        maps.append(ImageMaps(image.name, tile(image.pixels), found[chosen], walk))
        yield Advance("drawing", number + 1, len(images))
    yield FeatureFacts(
        model=network.name,
        weights=network.weights,
        layer=chosen,
        tokens=layouts.of(chosen).tokens,
        channels=wanted,
        images=tuple(maps),
        numbers=tuple(numbers[name] for name in layers),
        samples=samples,
        sampled=len(sample),
    )


def _walk(model: nn.Module, network: Network) -> tuple[list[str], Layouts]:
    """The layers whose maps go on to others: those behind an activation, or all where there is none."""
    choice = choose_layer(model, network.shape)
    active = [candidate.name for candidate in choice.candidates if candidate.post_activation]
    return active or [candidate.name for candidate in choice.candidates], choice.layouts


def _strongest(maps: "torch.Tensor | object") -> tuple[int, ...]:
    """The channels with the largest values, the largest first."""
    peaks = torch.as_tensor(maps).amax((1, 2))
    return tuple(peaks.sort(descending=True, stable=True).indices[:STRONGEST].tolist())


def _sample(network: Network, inputs: Tensor, session: Session, own: tuple[str, Dataset] | None) -> tuple[Tensor, str]:
    """Images to count over, and what they are: bytes of the network's own data at its own size, or `inputs`."""
    if network.has_images:
        part, dataset = own if own is not None else network.held_out(session.place)
        if dataset.shape == network.preparation.shape:
            chosen = fixed_sample(dataset, SAMPLE, network.seed, "features")
            return chosen.images, counted(len(chosen), network.named_part(part))
    return inputs, "the given image" if len(inputs) == 1 else f"the {len(inputs)} given images"
