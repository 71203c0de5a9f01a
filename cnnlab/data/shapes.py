"""`shapes`, the embedded data set: ten shapes over natural-looking textures, made when it is loaded.

Each image is a function of (seed, part, its number): a smaller `count` is the beginning of a larger one, and two data
sets that differ in `shortcut` alone are twins, equal but for the mark. The textures are 1/f noise in colours of a given
brightness: the amplitude spectrum of natural images falls off as about 1/f, and most of their variance is brightness.
Source: Field 1987, J. Opt. Soc. Am. A 4(12), 2379-2394; luma weights of ITU-R BT.601.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from pydantic import Field
from torch import Generator, Tensor

from cnnlab.core.quantities import NonNegative, Positive, Probability
from cnnlab.core.seeds import derive_seed
from cnnlab.data.dataset import Dataset, Part, check_memory
from cnnlab.data.parallel import in_parallel
from cnnlab.data.registry import DATASETS, DatasetFacts, Options, square
from cnnlab.data.signed_distance import SHAPES

CLASSES = tuple(SHAPES)
BLOCK = 250
"""Images made at a time: what fits the processor's cache, and a multiple of the number of classes."""

MARK_COLOURS = (
    (230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 90, 220), (245, 130, 48),
    (145, 30, 180), (70, 240, 240), (240, 50, 230), (255, 255, 255), (0, 0, 0),
)  # fmt: skip
"""The corner mark of each class, in red, green and blue."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness."""

_OPPONENT = ((1.0, 0.35, 0.15), (1.0, -0.15, -0.1), (1.0, -0.15, 0.45))
"""From (brightness, red against green, blue against yellow) to colour; colour varies less than brightness."""


Side = Annotated[int, Field(ge=16, le=512)]
Channels = Literal[1, 3]


def _most(options: Options) -> int:
    """Raises: RequestError where either part does not fit into memory."""
    _check_fits(max(options["train_count"], options["test_count"]), options["channels"], options["size"])
    return int(options["train_count"])


def _check_fits(count: int, channels: int, size: int) -> None:
    check_memory(count, (channels + 1, size, size))  # the masks take as much as a channel


@DATASETS.register("shapes", facts=DatasetFacts(square, len(CLASSES), names=CLASSES, source="made", most=_most))
def shapes(
    part: Part,
    *,
    size: Side = 32,
    train_count: Positive = 10_000,
    test_count: Positive = 2_000,
    channels: Channels = 3,
    difficulty: Probability = 0.5,
    shortcut: Literal["none", "corner"] = "none",
    seed: NonNegative = 0,
) -> Dataset:
    """Ten shapes on natural-looking textures, made on the spot; nothing to download.

    `size` is the side of the square images in pixels. `difficulty` goes from 0 (large, upright, clear) to 1 (small,
    faint, blurred, partly hidden). `shortcut: corner` paints a mark in the class's colour into the upper left corner:
    a cue that a network should not use. `seed` chooses the images, apart from the run's own seed. The data set has
    the visible part of each object as `masks`.
    """
    count = train_count if part == "train" else test_count
    _check_fits(count, channels, size)
    images = torch.empty(count, channels, size, size, dtype=torch.uint8)
    masks = torch.empty(count, size, size, dtype=torch.bool)
    labels = torch.arange(count) % len(CLASSES)

    def fill(start: int) -> None:
        stop = min(start + BLOCK, count)
        drawn, visible = _block(derive_seed(seed, "shapes", part, start), size, difficulty)
        images[start:stop] = _bytes(drawn, channels)[: stop - start]
        masks[start:stop] = visible[: stop - start]

    list(in_parallel(fill, range(0, count, BLOCK)))
    if shortcut == "corner":
        _paint_corner(images, masks, labels)
    return Dataset("shapes", part, images, labels, CLASSES, masks=masks)


@dataclass(frozen=True)
class Ranges:
    """What a difficulty means. Lengths are in half sides of the image, brightness from 0 to 1."""

    radius: tuple[float, float]
    turn: float
    """The largest rotation to either side, in radians."""
    contrast: float
    """The least difference in brightness between an object and the ground about it."""
    ground: float
    """The largest standard deviation of the ground's brightness."""
    hidden: float
    """The share of images in which something stands before the object."""
    depth: float
    """How near to the object's centre that may reach, in its radii."""
    blur: float
    """The largest share of the blurred image in the result."""
    noise: float
    """The largest standard deviation of the camera's noise."""


def ranges(difficulty: float) -> Ranges:
    """From 0 (easy) over 0.5 (the default) to 1 (hard)."""

    def between(easy: float, hard: float) -> float:
        return easy + (hard - easy) * difficulty

    return Ranges(
        radius=(between(0.54, 0.36), between(0.78, 0.66)),
        turn=math.pi * min(1.0, between(0.1, 1.9)),
        contrast=between(0.38, 0.14),
        ground=between(0.05, 0.15),
        hidden=between(0.0, 0.6),
        depth=between(0.75, 0.25),
        blur=between(0.2, 1.0),
        noise=between(0.005, 0.05),
    )


@dataclass(frozen=True)
class _Poses:
    """Places and turns of the objects of a block; lengths in half sides, angles in radians, y upwards."""

    radius: Float[Tensor, "n"]
    angle: Float[Tensor, "n"]
    x: Float[Tensor, "n"]
    y: Float[Tensor, "n"]

    @staticmethod
    def draw(span: Ranges, generator: Generator) -> "_Poses":
        low, high = span.radius
        radius = low + (high - low) * torch.rand(BLOCK, generator=generator)
        angle = span.turn * (2 * torch.rand(BLOCK, generator=generator) - 1)
        room = 0.97 - radius  # objects stay inside the image
        x = room * (2 * torch.rand(BLOCK, generator=generator) - 1)
        y = room * (2 * torch.rand(BLOCK, generator=generator) - 1)
        return _Poses(radius, angle, x, y)

    def offsets(self, size: int) -> tuple[Float[Tensor, "n 1 s"], Float[Tensor, "n s 1"]]:
        """From the objects' centres to the centres of the pixels: (rightwards, upwards)."""
        axis = (torch.arange(size) + 0.5) * (2 / size) - 1
        return axis[None, None, :] - self.x[:, None, None], -axis[None, :, None] - self.y[:, None, None]


def _block(seed: int, size: int, difficulty: float) -> tuple[Float[Tensor, "n 3 s s"], Bool[Tensor, "n s s"]]:
    """`BLOCK` images, their classes in turn, with values from 0 to 1; and where the object is seen."""
    span = ranges(difficulty)
    # what depends on the size has a stream of its own, so that poses and colours are the same at every size
    place, paint, grain = (Generator().manual_seed(derive_seed(seed, use)) for use in ("place", "paint", "grain"))
    poses = _Poses.draw(span, place)
    distance = _distances(poses, size)
    cover = _coverage(distance)
    front = _coverage(_foreground(poses, size, span, place))

    strength = span.ground * (0.35 + 0.65 * torch.rand(BLOCK, generator=paint))
    exponents = 0.9 + 0.7 * torch.rand(BLOCK, generator=paint)
    texture = strength[:, None, None, None] * power_law_noise(exponents, size, grain)
    tone = 0.15 + 0.7 * torch.rand(BLOCK, generator=paint)
    ground = texture + _uniform(tone, paint)
    # the object is set apart from the ground that is really about it, not from the whole ground's mean
    near = (1 - distance / 0.2).clamp_(0, 1)
    around = (luma(ground) * near).sum((1, 2)) / near.sum((1, 2))
    tone = contrasting(around, span.contrast, torch.rand(BLOCK, generator=paint))
    front_tone = contrasting(tone, span.contrast, torch.rand(BLOCK, generator=paint))
    # the texture tiles, so the same noise, shifted, serves the object and what stands before it
    body = 0.5 * texture.roll((size // 2, size // 3), (2, 3)) + _uniform(tone, paint)
    hiding = texture.roll((size // 3, size // 2), (2, 3)) + _uniform(front_tone, paint)

    image = torch.lerp(ground, body, cover[:, None])
    image = torch.lerp(image, hiding, front[:, None])
    image = torch.lerp(image, _blurred(image), span.blur * torch.rand(BLOCK, 1, 1, 1, generator=paint))
    level = span.noise * torch.rand(BLOCK, 1, 1, 1, generator=paint)
    image = image + level * torch.randn(image.shape, generator=grain)
    return image.clamp_(0, 1), cover * (1 - front) > 0.5


def _distances(poses: _Poses, size: int) -> Float[Tensor, "n s s"]:
    """The signed distance of each pixel to its image's object, in half sides."""
    x, y = poses.offsets(size)
    cosine, sine = ((f(poses.angle) / poses.radius)[:, None, None] for f in (torch.cos, torch.sin))
    across, up = x * cosine + y * sine, y * cosine - x * sine
    distance = torch.empty(BLOCK, size, size)
    for label, name in enumerate(CLASSES):
        its = slice(label, None, len(CLASSES))
        distance[its] = SHAPES[name](across[its], up[its])
    return distance * poses.radius[:, None, None]


def _foreground(poses: _Poses, size: int, span: Ranges, place: Generator) -> Float[Tensor, "n s s"]:
    """About the signed distance, in half sides, to a wavy band that hides a part of some objects."""
    hidden, depth, width, phase, direction = torch.rand(5, BLOCK, 1, 1, generator=place)
    x, y = poses.offsets(size)
    cosine, sine = torch.cos(math.tau * direction), torch.sin(math.tau * direction)
    along, across = y * cosine - x * sine, x * cosine + y * sine
    waves = 0.05 * torch.sin(7 * along + math.tau * phase)
    begin = poses.radius[:, None, None] * (span.depth + (1.1 - span.depth) * depth)
    half = 0.15 + 0.2 * width
    distance = (across + waves - begin - half).abs() - half
    return torch.where(hidden < span.hidden, distance, 1.0)


def _coverage(distance: Float[Tensor, "n s s"]) -> Float[Tensor, "n s s"]:
    """How much of each pixel is inside (0 to 1): the anti-aliased edge is one pixel wide."""
    return (0.5 - distance * (distance.shape[-1] / 2)).clamp_(0, 1)


def _uniform(tone: Float[Tensor, "n"], paint: Generator) -> Float[Tensor, "n 3 1 1"]:
    """A random colour for each brightness in `tone`."""
    return colours_of(tone, torch.rand(len(tone), generator=paint) * 0.4, paint)[:, :, None, None]


def _blurred(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """A binomial blur, its standard deviation one pixel, edges repeated."""
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    for axis in (2, 3):  # sums of shifted images: five times as fast as a depthwise convolution
        far = padded.shape[axis] - 4
        shifted = [padded.narrow(axis, shift, far) for shift in range(5)]
        padded = (shifted[2] * 6).add_(shifted[1] + shifted[3], alpha=4).add_(shifted[0]).add_(shifted[4]).div_(16)
    return padded


def _bytes(images: Float[Tensor, "n 3 s s"], channels: int) -> UInt8[Tensor, "n c s s"]:
    grey_or_colour = luma(images)[:, None] if channels == 1 else images
    return (grey_or_colour * 255).round_().to(torch.uint8)


def _paint_corner(images: UInt8[Tensor, "n c s s"], masks: Bool[Tensor, "n s s"], labels: Int64[Tensor, "n"]) -> None:
    """Paint each class's mark, an eighth of the side wide, and take it out of the masks."""
    side = images.shape[-1] // 8
    marks = torch.tensor(MARK_COLOURS, dtype=torch.uint8)
    if images.shape[1] == 1:
        marks = torch.linspace(0, 255, len(CLASSES)).round().to(torch.uint8)[:, None]
    images[:, :, 1 : 1 + side, 1 : 1 + side] = marks[labels][:, :, None, None]
    masks[:, 1 : 1 + side, 1 : 1 + side] = False


def luma(colours: Float[Tensor, "n 3 *place"]) -> Float[Tensor, "n *place"]:
    """Brightness, in the units of `colours`."""
    red, green, blue = colours.unbind(1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def power_law_noise(exponents: Float[Tensor, "n"], size: int, generator: Generator) -> Float[Tensor, "n 3 size size"]:
    """Colour noise with amplitudes f^(-exponent), of mean 0 and brightness of standard deviation 1; it tiles."""
    half = size // 2 + 1
    spectrum = torch.view_as_complex(torch.randn(len(exponents), 3, size, half, 2, generator=generator))
    frequency = torch.hypot(torch.fft.fftfreq(size)[:, None] * size, torch.fft.rfftfreq(size)[None] * size)
    frequency[0, 0] = 1
    amplitude = torch.exp(-exponents[:, None, None] * frequency.log())
    amplitude[:, 0, 0] = 0
    noise = torch.fft.irfft2(spectrum * amplitude[:, None], s=(size, size), norm="forward")
    # the variance follows from the spectrum, so it need not be measured: a column stands for its mirror image as well
    # (twice the real part: 4), but the first and, of an even size, the last are their own (the real part: 1)
    power = torch.full((half,), 4.0)
    power[0] = 1.0
    if size % 2 == 0:
        power[-1] = 1.0
    spread = (power * amplitude.square()).sum((1, 2)).sqrt().clamp_min(1e-6)
    noise = noise / spread[:, None, None, None]
    return torch.einsum("co,nohw->nchw", torch.tensor(_OPPONENT), noise)


def colours_of(
    brightness: Float[Tensor, "n"], chroma: Float[Tensor, "n"], generator: Generator
) -> Float[Tensor, "n 3"]:
    """Random hues of exactly the wanted brightness (0 to 1), as far from grey as `chroma` and the gamut allow."""
    direction = torch.randn(len(brightness), 3, generator=generator)
    direction = direction - luma(direction)[:, None]
    direction = direction / direction.abs().amax(1, keepdim=True).clamp_min(1e-6)
    room = torch.where(direction > 0, 1 - brightness[:, None], brightness[:, None]) / direction.abs().clamp_min(1e-6)
    reach = torch.minimum(room.amin(1), chroma)
    return (brightness[:, None] + direction * reach[:, None]).clamp(0, 1)


def contrasting(reference: Float[Tensor, "n"], least: float, draw: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """A brightness in [0.06, 0.94] that differs from `reference` by at least `least`.

    Evenly over all of those by `draw` in [0, 1).
    """
    low, high = 0.06, 0.94
    assert high - low > 2 * least, "there must always be such a brightness"
    below = ((reference - least).clamp_max(high) - low).clamp_min(0)
    above = (high - (reference + least).clamp_min(low)).clamp_min(0)
    step = draw * (below + above)
    return torch.where(step < below, low + step, high - (below + above - step))
