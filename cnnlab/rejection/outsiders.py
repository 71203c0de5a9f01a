"""Images that are none of a network's classes, made on the spot: noise, textures, numbers, shuffled patches.

Each is a registered function of the size, the count and a seed; those made of images get such that are accepted, as
`like`. It gives bytes [count, channels, h, w], and for each image a word on what it is.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Generator, Tensor

from cnnlab.core.registry import Registry
from cnnlab.core.seeds import derive_seed
from cnnlab.data.shapes import power_law_noise

OUTSIDERS = Registry("outsider", supplies=("count", "size", "seed", "like"))
"""Each makes `Made` images: `count` of `size` (height, width); `like` are images of the network's classes."""

OCTAVES = (2, 4, 8)
"""Cells along a side of the random grids whose sum Perlin-like noise is; each weighs half of the one before."""

MOST_DIGITS = 3


@dataclass(frozen=True, eq=False)
class Made:
    """Images that were made."""

    images: UInt8[Tensor, "n c h w"]
    names: tuple[str, ...]
    """What each is, in a word or two."""


Size = tuple[int, int]
Values = Float[Tensor, "n c h w"]


@OUTSIDERS.register("noise")
def noise(count: int, size: Size, seed: int) -> Made:
    """Noise of three kinds: uniform and normal in each pixel by itself, and 1/f noise, whose spectrum is a photo's."""
    kinds: dict[str, Callable[[int, Size, Generator], Values]] = {
        "uniform": lambda n, at, g: torch.rand(n, 3, *at, generator=g),
        "normal": lambda n, at, g: 0.5 + 0.25 * torch.randn(n, 3, *at, generator=g),
        "1/f": _pink,
    }
    return _in_turn(kinds, count, size, seed, "noise")


@OUTSIDERS.register("textures")
def textures(count: int, size: Size, seed: int) -> Made:
    """Textures of four kinds in two random colours: gratings, checkerboards, Perlin-like noise, blobs."""
    kinds: dict[str, Callable[[int, Size, Generator], Values]] = {
        "grating": lambda n, at, g: _coloured(_waves(n, at, g)[0], g),
        "checkerboard": lambda n, at, g: _coloured((torch.stack(_waves(n, at, g)) - 0.5).sign().prod(0) / 2 + 0.5, g),
        "Perlin-like": lambda n, at, g: _coloured(_perlin(n, at, g), g),
        "blobs": lambda n, at, g: _coloured((_perlin(n, at, g) > 0.5).float(), g),
    }
    return _in_turn(kinds, count, size, seed, "textures")


@OUTSIDERS.register("numbers")
def numbers(count: int, size: Size, seed: int, like: UInt8[Tensor, "m c h w"]) -> Made:
    """House numbers, as in SVHN: one to three digits in pillow's font on an enlarged crop of an accepted image."""
    draw = np.random.default_rng(derive_seed(seed, "numbers"))
    height, width = size
    made, names = torch.empty(count, 3, height, width, dtype=torch.uint8), []
    for place in range(count):
        text = "".join(str(digit) for digit in draw.integers(0, 10, draw.integers(1, MOST_DIGITS + 1)))
        pixels = like[int(draw.integers(len(like)))]
        pixels = pixels.expand(3, -1, -1) if pixels.shape[0] == 1 else pixels[:3]
        rows, columns = max(1, pixels.shape[1] // 3), max(1, pixels.shape[2] // 3)
        top = int(draw.integers(0, pixels.shape[1] - rows + 1))
        left = int(draw.integers(0, pixels.shape[2] - columns + 1))
        crop = pixels[:, top : top + rows, left : left + columns].permute(1, 2, 0).contiguous().numpy()
        image = Image.fromarray(crop).resize((width, height), Image.Resampling.BICUBIC)
        ground = np.asarray(image).mean((0, 1))
        colour = tuple(int(value) for value in (ground + 128 + draw.integers(-40, 41, 3)) % 256)
        font = ImageFont.load_default(max(6, int(height * draw.uniform(0.55, 0.9) / math.sqrt(len(text)))))
        pen = ImageDraw.Draw(image)
        left, top, right, bottom = (int(end) for end in pen.textbbox((0, 0), text, font=font))
        at = ((width - right - left) / 2, (height - bottom - top) / 2)
        pen.text(at, text, fill=colour, font=font)
        made[place] = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        names.append(text)
    return Made(made, tuple(names))


@OUTSIDERS.register("patches")
def patches(count: int, size: Size, seed: int, like: UInt8[Tensor, "m c h w"]) -> Made:
    """Accepted images cut into 4 × 4 patches that are put together in another order."""
    generator = Generator().manual_seed(derive_seed(seed, "patches"))
    chosen = like[torch.randint(len(like), (count,), generator=generator)]
    rows, columns = (4 if side >= 4 else 1 for side in chosen.shape[2:])
    height, width = chosen.shape[2] // rows, chosen.shape[3] // columns
    whole = chosen[:, :, : height * rows, : width * columns]
    cut = whole.unflatten(3, (columns, width)).unflatten(2, (rows, height)).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    order = torch.rand(count, rows * columns, generator=generator).argsort(1)
    mixed = cut[torch.arange(count)[:, None], order].unflatten(1, (rows, columns)).permute(0, 3, 1, 4, 2, 5)
    made = chosen.clone()
    made[:, :, : height * rows, : width * columns] = mixed.flatten(4, 5).flatten(2, 3)
    return Made(made, ("shuffled",) * count)


def choosing(count: int, seed: int, like: UInt8[Tensor, "m c h w"]) -> Made:
    """The images that a score is chosen by: blends and distortions of accepted ones; none of them is reported on.

    Arithmetic and geometric means of two images, speckle noise, channels that are shifted against each other, and
    channels that are inverted: the outsiders for choosing of Hendrycks, Mazeika and Dietterich 2019
    (arXiv:1812.04606), but for uniform noise and jigsaws, which are reported on here.

    Arguments:
        count: images, the kinds in turn.
        seed: of the draws.
        like: accepted images.
    """
    generator = Generator().manual_seed(derive_seed(seed, "choosing"))
    first, second = (like[torch.randint(len(like), (count,), generator=generator)].float() / 255 for _ in range(2))
    speckled = first * (1 + torch.randn(first.shape, generator=generator))
    side = max(1, first.shape[-1] // 6)
    ghost = torch.stack([plane.roll((i * side, -i * side), (1, 2)) for i, plane in enumerate(first.unbind(1))], 1)
    ghost = ghost if first.shape[1] > 1 else (first + first.roll((side, -side), (2, 3))) / 2
    # one channel at least is inverted
    inverted = torch.rand(*first.shape[:2], 1, 1, generator=generator) < 0.5
    inverted |= ~inverted.any(1, keepdim=True)
    kinds = {"mean of two": (first + second) / 2, "geometric mean": (first * second).sqrt()}
    kinds |= {"speckled": speckled, "ghost": ghost, "inverted": torch.where(inverted, 1 - first, first)}
    turn = torch.arange(count) % len(kinds)
    made = torch.stack(list(kinds.values()))[turn, torch.arange(count)]
    return Made(_bytes(made), tuple(list(kinds)[kind] for kind in turn.tolist()))


def _in_turn(
    kinds: dict[str, Callable[[int, Size, Generator], Values]], count: int, size: Size, seed: int, purpose: str
) -> Made:
    """As many of each kind as of the others, one after the other."""
    turn = torch.arange(count) % len(kinds)
    made = torch.empty(count, 3, *size, dtype=torch.uint8)
    for number, (name, kind) in enumerate(kinds.items()):
        generator = Generator().manual_seed(derive_seed(seed, purpose, name))
        its = turn == number
        made[its] = _bytes(kind(int(its.sum()), size, generator))
    return Made(made, tuple(list(kinds)[kind] for kind in turn.tolist()))


def _bytes(values: Values) -> UInt8[Tensor, "n c h w"]:
    return (values.clamp(0, 1) * 255).round().to(torch.uint8)


def _pink(count: int, size: Size, generator: Generator) -> Values:
    side = max(size)
    drawn = power_law_noise(torch.ones(count), side, generator)[:, :, : size[0], : size[1]]
    return 0.5 + 0.2 * drawn


def _waves(count: int, size: Size, generator: Generator) -> tuple[Tensor, Tensor]:
    """Two waves at right angles, 0 … 1 [n, h, w]: of 2 to 12 periods along the larger side, at any angle."""
    angle = math.pi * torch.rand(count, 1, 1, generator=generator)
    periods = 2 + 10 * torch.rand(count, 1, 1, generator=generator)
    phase = math.tau * torch.rand(2, count, 1, 1, generator=generator)
    rows = torch.arange(size[0])[None, :, None] / max(size)
    columns = torch.arange(size[1])[None, None, :] / max(size)
    along = columns * angle.cos() + rows * angle.sin()
    across = rows * angle.cos() - columns * angle.sin()
    first, second = (
        0.5 + 0.5 * torch.sin(math.tau * periods * place + shift)
        for place, shift in zip((along, across), phase, strict=True)
    )
    return first, second


def _perlin(count: int, size: Size, generator: Generator) -> Tensor:
    """Smooth noise, each image from 0 to 1 [n, h, w]: a sum of random grids that are enlarged."""
    whole = torch.zeros(count, *size)
    for octave, cells in enumerate(OCTAVES):
        grid = torch.rand(count, 1, cells + 1, cells + 1, generator=generator)
        whole += F.interpolate(grid, size, mode="bicubic", align_corners=True)[:, 0] / 2**octave
    low, high = whole.amin((1, 2), keepdim=True), whole.amax((1, 2), keepdim=True)
    return (whole - low) / (high - low).clamp_min(1e-6)


def _coloured(shade: Float[Tensor, "n h w"], generator: Generator) -> Values:
    """From one colour drawn at random to another."""
    low, high = torch.rand(2, len(shade), 3, 1, 1, generator=generator)
    mixed: Tensor = low + (high - low) * shade[:, None]
    return mixed
