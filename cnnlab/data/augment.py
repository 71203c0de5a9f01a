"""What an augmentation is: a change of a whole batch, its options checked, all of its randomness from a `Draw`."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.quantities import PositiveNumber, Probability
from cnnlab.core.seeds import derive_seed

Images = UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"]
"""Bytes, or numbers in [0, 1]."""

Targets = Int64[Tensor, "n"] | Float[Tensor, "n classes"]
"""Labels, or the probability of each class once images have been mixed."""


PositiveRange = tuple[PositiveNumber, PositiveNumber]
Share = tuple[Probability, Probability]


@dataclass(frozen=True)
class Draw:
    """The randomness of one batch: the same (seed, epoch, step) draws the same numbers, whatever happened before."""

    generator: torch.Generator
    """The generator of (seed, "augment", epoch, step), on the device of the images."""
    epoch: int
    """The absolute epoch, which a resumed run continues."""
    seed: int
    indices: Int64[Tensor, "n"]
    """Which images of the training part these are."""
    step: int = 0
    """The batch within the epoch."""

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Float[Tensor, "n"]:
        """A number in [low, high) for each image."""
        drawn = torch.rand(len(self.indices), generator=self.generator, device=self.generator.device)
        return drawn.mul_(high - low).add_(low)

    def integers(self, count: int) -> Int64[Tensor, "n"]:
        """One of 0 … count − 1 for each image."""
        return torch.randint(count, (len(self.indices),), generator=self.generator, device=self.generator.device)

    def chance(self, probability: float) -> Bool[Tensor, "n"]:
        """True with this probability, for each image on its own."""
        return self.uniform() < probability

    def partners(self) -> Int64[Tensor, "n"]:
        """A permutation of the batch: whom each image is mixed with."""
        return torch.randperm(len(self.indices), generator=self.generator, device=self.generator.device)

    def fixed(self, purpose: str) -> Float[Tensor, "n"]:
        """A number in [0, 1) that belongs to the image: the same in every epoch.

        A hash of (seed, purpose, index), the finaliser of SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable
        pseudorandom number generators"); int64 products wrap around as the unsigned ones of the paper do.
        """
        bits = self.indices * _signed(0x9E3779B97F4A7C15) + derive_seed(self.seed, purpose)
        bits = (bits ^ _shifted(bits, 30)) * _signed(0xBF58476D1CE4E5B9)
        bits = (bits ^ _shifted(bits, 27)) * _signed(0x94D049BB133111EB)
        return _shifted(bits ^ _shifted(bits, 31), 40).float() / 2**24

    def host(self, purpose: str) -> random.Random:
        """A stream for numbers of the whole batch, drawn on the host: a GPU need not be waited for."""
        return random.Random(derive_seed(self.seed, purpose, self.epoch, self.step))


def _signed(word: int) -> int:
    """The int64 that has the bits of an unsigned 64-bit word."""
    return word - 2**64 if word >= 2**63 else word


def _shifted(bits: Int64[Tensor, "n"], by: int) -> Int64[Tensor, "n"]:
    """The logical shift to the right; torch's repeats the sign bit."""
    return (bits >> by) & ((1 << (64 - by)) - 1)


@runtime_checkable
class Augmentation(Protocol):
    """Abstract: a callable on batches. It changes neither its arguments nor itself."""

    @property
    def on_float(self) -> bool:
        """Whether it needs numbers in [0, 1]; otherwise it takes bytes as well."""

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """The changed images, of the same shape and kind, and their targets."""


def augment(
    images: Images, targets: Targets, draw: Draw, augmentations: Sequence[Augmentation]
) -> tuple[Images, Targets]:
    """Apply `augmentations` in order; bytes become numbers in [0, 1] before the first that needs them."""
    for augmentation in augmentations:
        if augmentation.on_float and images.dtype == torch.uint8:
            images = images.float().div_(255)
        images, targets = augmentation(images, targets, draw)
    return images, targets


def check_range(augmentation: str, option: str, bounds: tuple[float, float]) -> None:
    """Refuse `bounds` of which the lower is above the upper.

    Raises: RequestError with the augmentation and its option.
    """
    low, high = bounds
    if low > high:
        raise RequestError(
            f"{augmentation}: {option} goes from {low} to {high}; write the smaller first: [{high}, {low}]"
        )
