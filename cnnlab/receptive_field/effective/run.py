"""The effective field of a layer: over images of a run or of data that is named, or over networks of random weights."""

from collections.abc import Iterator

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.network.asked_data import counted
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.receptive_field.effective.field import EffectiveField, effective_field, random_weight_fields
from cnnlab.receptive_field.effective.mass import holdings
from cnnlab.receptive_field.effective.measures import measure
from cnnlab.receptive_field.effective.report import EffectiveFacts
from cnnlab.receptive_field.fields import Field
from cnnlab.receptive_field.run import Inspection, unit_box
from cnnlab.runs.images import fixed_sample

MAX_BATCH = 16


def effective_fields(
    inspection: Inspection, session: Session, *, layer: str, unit: tuple[int, int] | None = None, count: int = 32
) -> Iterator[EffectiveFacts]:
    """Measure the effective field of one unit of a layer.

    Arguments:
        inspection: of a network with its values.
        session: the seed, and where the run's images lie.
        layer: one with a map.
        unit: (row, column) from 0; by default the central one.
        count: validation images of the run, or images of the data that was named; of a network that learned nothing,
            networks of random weights.

    Yields:
        The field, better with every step: the last one counts.

    Raises:
        RequestError: for a layer without a map, and a unit that is not there.

    Example:
        >>> from cnnlab.network.open import open_network
        >>> from cnnlab.receptive_field.run import inspect
        >>> session = Session(device_name="cpu")
        >>> network = open_network("torchvision:squeezenet1_1", session, size="64")
        >>> *_, found = effective_fields(inspect(network), session, layer="features.3", count=2)
        >>> found.samples
        '2 networks of random weights, an image of noise each'
    """
    at, _, _ = unit_box(inspection, layer, unit)
    running, samples = _running(inspection.network, layer, at, count, session)
    yield from _measured(inspection, layer, at, running, samples)


def fields_over(inspection: Inspection, images: Tensor, *, layer: str, what: str) -> Iterator[EffectiveFacts]:
    """The effective field over given images, normalised [n, c, h, w]; `what` they are."""
    at, _, _ = unit_box(inspection, layer, None)
    running = effective_field(inspection.network.model, images, layer=layer, unit=at, max_batch=MAX_BATCH)
    yield from _measured(inspection, layer, at, running, f"{len(images)} {what}")


def _measured(
    inspection: Inspection, layer: str, unit: tuple[int, int], running: Iterator[EffectiveField], samples: str
) -> Iterator[EffectiveFacts]:
    field = inspection.field(layer)
    _, rows, columns = unit_box(inspection, layer, unit)
    theoretical = None if field.is_global else (field.size[0], field.size[-1])
    for step in running:
        centre = _centre(field, unit) or step.centre
        found = measure(step.influence, centre=centre, theoretical=theoretical, input_channels=step.input_channels)
        smooth = gaussian_filter(step.influence.numpy(), sigma=max(1.0, found.gaussian.sigma_h / 8), mode="nearest")
        contours = tuple((one.share, one.level) for one in holdings(torch.from_numpy(smooth), centre=centre))
        yield EffectiveFacts(layer, step, found, (rows, columns), samples, contours, smooth)


def _centre(field: Field, unit: tuple[int, int]) -> tuple[float, float] | None:
    """The middle of the unit's theoretical field, in pixels; None where it has none."""
    axes = zip(field.centre, field.stride, unit, strict=True)
    places = [None if c is None or s is None else c + s * u for c, s, u in axes]
    if len(places) != 2 or places[0] is None or places[1] is None:
        return None
    return float(places[0]), float(places[1])


def _running(
    network: Network, layer: str, unit: tuple[int, int], count: int, session: Session
) -> tuple[Iterator[EffectiveField], str]:
    if not network.trained and network.fresh is not None and network.asked is None:
        channels, height, width = network.shape
        fields = random_weight_fields(
            network.fresh,
            (channels, height, width),
            count=count,
            seed=session.seed,
            layer=layer,
            unit=unit,
        )
        return fields, f"{count} networks of random weights, an image of noise each"
    images, what = _images(network, count, session)
    return effective_field(network.model, images.to(network.device), layer=layer, unit=unit, max_batch=MAX_BATCH), what


def _images(network: Network, count: int, session: Session) -> tuple[Tensor, str]:
    """Images as the network sees them: of the data that was named for it, or of the validation part of its run.

    Noise where there are none, or the run's are of another size.
    """
    if network.asked is not None:
        split, part = network.held_out(session.place)
        sample = fixed_sample(part, count, session.seed, "effective field")
        what = counted(len(sample), network.named_part(split))
        return network.preparation.inputs(sample.images), f"{what} of {network.asked.name}"
    record = None if network.run is None else network.run.record.data
    if record is not None and network.shape == record.shape and record.validation:
        part = network.part("validation", session.place)
        sample = fixed_sample(part, count, session.seed, "effective field")
        return network.preparation.inputs(sample.images), f"{len(sample)} validation images"
    if count < 1:
        raise RequestError(f"`count` is {count}: at least one image is needed")
    generator = torch.Generator().manual_seed(derive_seed(session.seed, "effective field"))
    return torch.randn(count, *network.shape, generator=generator), f"{count} images of noise"
