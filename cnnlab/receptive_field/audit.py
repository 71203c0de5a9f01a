"""Does the network fit the size of its images? Layers that can add nothing, fields that are too small, dead pixels.

Source: Richter, Schöning, Wiedenroth & Krumnack 2021, "Should you go deeper? Optimizing convolutional neural network
architectures without training", arXiv:2106.12307. With i the size of the image and r_min the field along the
shortest path: a layer is critical if r_min > i; the border layer is the first whose inputs all have r_min ≥ i; a layer
is unproductive if its inputs all have r_min ≥ i and its own is larger than i, on every axis: it sees nothing that its
inputs have not seen whole. A layer whose window covers all of the map that comes in is unproductive too: it works like
a fully connected one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from cnnlab.receptive_field.fields import Field, Fields, Source
from cnnlab.receptive_field.reading import read


@dataclass(frozen=True)
class AuditedLayer:
    """A layer with a window, judged at one size of image."""

    name: str
    output: tuple[int, ...]
    shortest: tuple[int, ...]
    """r_min, pixels."""
    shortest_before: tuple[int, ...]
    """The least r_min of what comes in."""
    size: tuple[int, ...]
    critical: bool
    unproductive: bool
    fully_connected: bool
    """Its window covers the whole map that comes in."""


@dataclass(frozen=True)
class Audit:
    """A network at one size of image."""

    image: tuple[int, ...]
    """Height and width in pixels."""
    layers: tuple[AuditedLayer, ...]
    border: str | None
    """The first layer whose inputs have seen everything."""
    smallest: tuple[int, ...]
    """The least image at which every layer can add something: the largest r_min that comes into any layer."""
    largest: tuple[int, ...]
    """The largest image whose whole some unit sees before the global pool: the largest r of the trunk."""
    exact: bool
    """False where the border clips that field on every image on which this network runs: it is a lower bound."""
    trunk: str
    """The layer with that field."""
    covers: bool
    """The trunk's field is at least as large as the image."""
    unread: tuple[int, ...]
    """Rows and columns of the image that nothing reads."""

    @property
    def unproductive(self) -> tuple[str, ...]:
        """The names of the layers that can add nothing."""
        return tuple(layer.name for layer in self.layers if layer.unproductive)

    @property
    def critical(self) -> tuple[str, ...]:
        """The names of the layers that look beyond the image."""
        return tuple(layer.name for layer in self.layers if layer.critical)


def audit(fields: Fields, model: nn.Module) -> Audit:
    """Judge every layer with a window wider than a pixel.

    For a network with gates (squeeze-and-excitation), `fields` are best those without them: with them, all that lies
    behind the first gate is global.
    """
    image = fields.shape[1:]
    modules = dict(model.named_modules())
    found = []
    for field, before in _windowed(fields):
        module, plane = modules.get(field.name), _plane(fields, field)
        kernel = getattr(module, "kernel_size", None)
        window = (kernel,) * len(image) if isinstance(kernel, int) else tuple(kernel or (1,))
        dense = bool(kernel) and len(plane) == len(window) and _reaches(window, plane)
        late = _reaches(before, image)
        beyond = [r > i for r, i in zip(field.shortest, image, strict=True)]
        found.append(
            AuditedLayer(
                name=field.name,
                output=field.output,
                shortest=field.shortest,
                shortest_before=before,
                size=field.size,
                critical=any(beyond),
                unproductive=(late and all(beyond)) or dense,
                fully_connected=dense,
            )
        )
    late_ones = (layer.name for layer in found if _reaches(layer.shortest_before, image))
    local = [field for field in fields.layers if not field.is_global and len(field.output) > 1]
    # of several with the same field the last: behind its normalisation, its activation and its join
    named = [field for field in local if field.name] or local
    trunk = max(reversed(named), key=lambda field: min(field.size), default=fields.layers[-1])
    axes = range(len(image))
    return Audit(
        image=image,
        layers=tuple(found),
        border=next(late_ones, None),
        smallest=tuple(max((sizes[axis] for sizes in _before_windows(fields, modules)), default=1) for axis in axes),
        largest=trunk.size,
        exact=trunk.exact,
        trunk=trunk.name,
        covers=_reaches(trunk.size, image),
        unread=fields.layers[-1].unread,
    )


def _reaches(sizes: Sequence[int], image: Sequence[int]) -> bool:
    """Whether a field is as large as the image, on every axis."""
    return all(r >= i for r, i in zip(sizes, image, strict=True))


def _before_windows(fields: Fields, modules: dict[str, nn.Module]) -> list[tuple[int, ...]]:
    """The least r_min of what comes into each convolution and pooling, those of one pixel (1 × 1) too."""
    local = {field.name for field in fields.layers if not field.is_global and field.exact}
    found = []
    for name, source in fields.sources.items():
        output = source.output
        if name in local and output.seen and hasattr(modules.get(output.layer), "kernel_size"):
            found.append(_least(source))
    return found


def _least(source: Source) -> tuple[int, ...]:
    """The least r_min of what comes into a layer."""
    inputs = [[axis.shortest for axis in read(tag, source.walk.shape[1:])] for tag in source.output.seen]
    return tuple(min(sizes) for sizes in zip(*inputs, strict=True))


def _plane(fields: Fields, field: Field) -> Sequence[int]:
    """Height and width of what comes into a layer."""
    output = fields.walk.output(field.name)
    return output.inputs[0][2:] if output and output.inputs else ()


def _windowed(fields: Fields) -> list[tuple[Field, tuple[int, ...]]]:
    """Leaf layers whose shortest path grows, each with the least r_min of its inputs."""
    found = []
    for field in fields.layers:
        source = fields.sources[field.name]
        output, sides = source.output, source.walk.shape[1:]
        if not output.leaf or not output.seen or output.tag is None or len(field.output) < 2:
            continue
        own = read(output.tag, sides)
        if any(axis.whole and axis.shortest >= side for axis, side in zip(own, sides, strict=True)):
            continue  # a global pool
        before = _least(source)
        if any(axis.shortest > r for axis, r in zip(own, before, strict=True)):
            found.append((field, before))
    return found
