"""`cnnlab visualize patches`: the maximally activating patches of a layer's channels, among all images of a part."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int64
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.data.dataset import Dataset
from cnnlab.inside.channels import checked_channels
from cnnlab.inside.patches.report import ChannelPatches, Patch, PatchFacts
from cnnlab.inside.patches.search import best_units, channel_classes, entropy_bits, patch_boxes, top_units
from cnnlab.network.network import Network
from cnnlab.network.numbered_batches import batch_size, numbered_batches
from cnnlab.network.session import Session
from cnnlab.receptive_field.reading import boxes_of
from cnnlab.receptive_field.run import Inspection, inspect, plane_of
from cnnlab.view.drawings import tile
from cnnlab.walk.layout import Layout

DRAWS = 2000
"""Random choices of images, for how mixed chance is."""
FIFTH_PERCENTILE = 0.05


def found_patches(
    network: Network,
    dataset: Dataset,
    session: Session,
    *,
    split: str,
    layer: str | None = None,
    channels: tuple[int, ...] | None = None,
    top: int = 9,
) -> Iterator[Advance | PatchFacts]:
    """Find the maximally activating patches of every channel of a layer, each of another image.

    A patch is exactly what its unit sees, clipped at the image's border. Memory does not grow with the images.

    Arguments:
        network: opened for images.
        dataset: the images that are searched, of the network's size.
        session: the seed of the random choices that chance is measured by; of several processes each searches a
            share of the images, and the first has the facts.
        split: the name of their part.
        layer: by default the last one whose receptive field is not the whole image because of what it computes.
        channels: those that are drawn, from 0; by default as many as fit.
        top: patches of each channel.

    Yields:
        How far the search is; at last the facts, with each patch's box (top, left, bottom, right) in pixels.

    Raises:
        RequestError: for images of another size, a layer that is not there or has no places, and a channel out of
            range.

    Example:
        network = open_network("quickstart", session, for_images=True)
        images = network.part("validation", session.place)
        *_, facts = found_patches(network, images, session, split="validation", layer="conv_bn_act3")
    """
    if dataset.shape != network.preparation.shape:
        raise RequestError(f"the images are {dataset.shape}, the network is for {network.preparation.shape}")
    inspection = inspect(network)
    chosen = layer if layer is not None else _last_local(inspection)
    field = inspection.field(chosen)
    layout = plane_of(inspection, chosen)
    if channels is not None:
        checked_channels(channels, layout.size[0], chosen)
    rows, columns = _field_boxes(inspection, chosen, layout)
    total = -(-len(dataset) // batch_size(dataset))
    ranks, own = session.ranks, None
    begin, end = ranks.share.part(total)
    batches = numbered_batches(network, dataset, ranks.share)
    steps = top_units(network.model, batches, chosen, k=top, layout=layout) if end > begin or ranks.alone else ()
    for done, units in enumerate(steps, 1):
        own = units
        yield Advance("searching", done, end - begin)
    found = best_units([units for units in ranks.gathered(own) if units is not None], top)
    ranks.leave_to_first()
    purity = channel_classes(found, classes=len(dataset.classes))
    corners = patch_boxes(found, rows, columns).tolist()
    made = []
    for channel in range(len(found.values)):
        drawn = channels is None or channel in channels
        patches = []
        for rank, box in enumerate(corners[channel]):
            image = int(found.images[channel, rank])
            patches.append(
                Patch(
                    number=image,
                    value=float(found.values[channel, rank]),
                    unit=(int(found.rows[channel, rank]), int(found.columns[channel, rank])),
                    box=tuple(box),
                    label=int(found.labels[channel, rank]),
                    image=_cropped(dataset.images[image], *box) if drawn else None,
                )
            )
        made.append(ChannelPatches(channel, tuple(patches), purity[channel]))
    mean, low = _chance(dataset.labels, found.values.shape[1], len(dataset.classes), session.seed)
    yield PatchFacts(
        model=network.name,
        weights=network.weights,
        layer=chosen,
        split=split,
        classes=dataset.classes,
        seen=found.seen,
        size=layout.size[1:],
        tokens=layout.tokens,
        field=None if field.is_global else (field.size[0], field.size[-1]),
        named=channels,
        channels=tuple(made),
        chance=mean,
        chance_low=low,
    )


def _last_local(inspection: Inspection) -> str:
    """The last layer with the largest field that is not global; of a module that runs again the one before it."""
    names = [field.name for field in inspection.fields.layers]
    before = reversed(names[: names.index(inspection.local.name) + 1])
    known = inspection.layouts
    once = (name for name in before if name in known.last and known.last[name].name == name and known.at(name))
    return next(once, inspection.local.name)


def _field_boxes(
    inspection: Inspection, layer: str, layout: Layout
) -> tuple[Int64[Tensor, "h 2"], Int64[Tensor, "w 2"]]:
    """First and last input row of each row of units, and the same of columns."""
    output = inspection.fields.walk.output(layer)
    assert output is not None
    assert output.tag is not None
    found = boxes_of(output.tag, layout)
    _, height, width = layout.size
    ends = []
    for axis, count in ((found.rows, height), (found.columns, width)):
        whole = torch.as_tensor(axis).long()
        ends.append(whole.expand(count, 2) if len(whole) == 1 else whole)
    return ends[0], ends[1]


def _cropped(image: Tensor, top: int, left: int, bottom: int, right: int) -> NDArray[np.uint8]:
    """What lies in the box; one black pixel where a unit sees nothing but padding."""
    seen = image[:, top : bottom + 1, left : right + 1]
    return tile(seen if seen.numel() else torch.zeros_like(image[:, :1, :1]))


def _chance(labels: Tensor, count: int, classes: int, seed: int) -> tuple[float, float]:
    """Mean and 5th percentile of the entropy in bits of `count` images drawn without regard to anything."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "patches"))
    entropies = []
    for _ in range(DRAWS):
        drawn = labels[torch.randperm(len(labels), generator=generator)[:count]]
        entropies.append(entropy_bits(torch.bincount(drawn, minlength=classes)))
    found = torch.tensor(entropies, dtype=torch.float64)
    return float(found.mean()), float(found.quantile(FIFTH_PERCENTILE))
