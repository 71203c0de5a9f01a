"""Batches from images in memory: stateless, so that any epoch can be made again from any of its batches.

Images are normalised by their exact statistics. Nothing is kept between batches: the order of an epoch depends on
(seed, epoch), the augmentation of a batch on (seed, epoch, batch), so a resumed run continues exactly, and skipping
costs nothing.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.core.share import WHOLE, Share
from cnnlab.data.augment import Augmentation, Draw, Images, Targets, augment

COUNTED = 100_000_000
"""Values of images whose histogram is made at a time."""


@dataclass(frozen=True)
class ChannelStatistics:
    """Per channel, of pixels in [0, 1]; `std` is that of the population (divided by n, not n − 1)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def channel_statistics(images: UInt8[Tensor, "n c h w"]) -> ChannelStatistics:
    """Over all pixels of all images, from the histogram of the 256 values: whole numbers, so nothing is rounded."""
    means, deviations = [], []
    for counts in _histograms(images).tolist():
        total = sum(counts)
        first = sum(count * value for value, count in enumerate(counts))
        second = sum(count * value * value for value, count in enumerate(counts))
        means.append(first / total / 255)
        # n·Σx² − (Σx)² is exact in Python's integers; Σx²/n − mean² of floats would lose digits where std is small.
        deviations.append(math.sqrt(total * second - first * first) / total / 255)
    return ChannelStatistics(tuple(means), tuple(deviations))


def _histograms(images: UInt8[Tensor, "n c h w"]) -> Int64[Tensor, "c 256"]:
    """How often each channel has each value; some images at a time, as a copy of all may not fit into memory."""
    counts = torch.zeros(images.shape[1], 256, dtype=torch.int64, device=images.device)
    for some in images.split(max(1, COUNTED // max(1, images[0].numel()))):
        counts += torch.stack([torch.bincount(one.flatten(), minlength=256) for one in some.unbind(1)])
    return counts


@dataclass(frozen=True)
class Batch:
    """What a network sees at once, on the device of the images."""

    images: Float[Tensor, "n c h w"]
    """Normalised."""
    targets: Targets
    indices: Int64[Tensor, "n"]
    """Which images of the whole these are."""
    of: int | None = None
    """Images of the whole batch, where these are one worker's share of it; None where they are all."""

    @property
    def whole(self) -> int:
        """Images of the whole batch, these among them."""
        return len(self.images) if self.of is None else self.of


@dataclass(frozen=True)
class TrainingBatches:
    """The training part in random order, augmented a batch at a time on its own device.

    A last batch of a single image joins the one before, because batch normalisation needs two.

    Raises: RequestError when `drop_last` leaves no batch.
    """

    images: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, "n"]
    _: KW_ONLY
    batch_size: int
    seed: int
    augmentations: Sequence[Augmentation]
    statistics: ChannelStatistics
    classes: int
    drop_last: bool = False
    shown: int | None = None
    """Images of an epoch; where these are more than there are, the part begins anew, in another order."""
    device: torch.device | None = None
    """Where batches are made; None: where the images lie."""
    share: Share = WHOLE
    """The part of each batch that comes; of a small batch no part has a single image, and some may have none."""

    def __post_init__(self) -> None:
        assert self.images.device == self.labels.device, (self.images.device, self.labels.device)
        if not self.bounds:
            raise RequestError(
                f"there are {self.count} training images, fewer than the batch_size {self.batch_size}, and "
                "drop_last leaves no batch; make batch_size smaller or drop_last false"
            )
        # An image must be one piece of memory: then picking a batch is a plain copy.
        object.__setattr__(self, "images", self.images.contiguous())

    @property
    def bounds(self) -> list[tuple[int, int]]:
        """(begin, end) of each batch of an epoch."""
        return batch_bounds(self.count, self.batch_size, drop_last=self.drop_last)

    @property
    def count(self) -> int:
        """Images that an epoch shows, those that come again counted again."""
        return self.shown or len(self.images)

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return len(self.bounds)

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence where the last batch of an epoch is another than a person would expect of `batch_size`."""
        count, size = self.count, self.batch_size
        begin, end = self.bounds[-1]
        if end - begin > size:
            return (
                f"the last batch of an epoch has {end - begin:,} images: {count:,} in batches of {size:,} leave a "
                "single one, which joins the batch before, as batch normalisation needs two",
            )
        if end < count:
            left = count - end
            return (f"drop_last leaves {left:,} image{'s' * (left > 1)} of {count:,} out of each epoch, by chance",)
        if count < size:
            return (f"batch_size is {size:,}, and an epoch is one batch of all {count:,} images",)
        return ()

    def order(self, epoch: int) -> Int64[Tensor, "n"]:
        """The order in which the images come in this epoch: the same on every device."""
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "order", epoch))
        there = len(self.images)
        passes = [torch.randperm(there, generator=generator) for _ in range(0, self.count, there)]
        return torch.cat(passes)[: self.count].to(self.images.device)

    @property
    def _device(self) -> torch.device:
        return self.images.device if self.device is None else self.device

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch from the batch `start` on; the ones before are skipped at no cost.

        Raises: RequestError when the epoch has fewer than `start` batches.
        """
        if not 0 <= start <= self.steps:
            raise RequestError(
                f"an epoch has {self.steps} batches, so it cannot be continued after {start}; "
                "batch_size, drop_last or the number of images has changed"
            )
        return self._batches(epoch, start)

    def _batches(self, epoch: int, start: int) -> Iterator[Batch]:
        order = self.order(epoch)
        for step, (begin, end) in enumerate(self.bounds[start:], start):
            yield self._batch(order[begin:end], epoch, step)

    def _batch(self, indices: Int64[Tensor, "k"], epoch: int, step: int) -> Batch:
        generator = torch.Generator(self._device)
        generator.manual_seed(derive_seed(self.seed, "augment", epoch, step))
        images, targets = augment(
            self.images.index_select(0, indices).to(self._device),
            self.labels.index_select(0, indices.to(self.labels.device)).to(self._device),
            Draw(generator, epoch, self.seed, indices.to(self._device), step),
            self.augmentations,
        )
        begin, end = self.share.part(len(indices), least=2)
        return Batch(
            normalise(images[begin:end], self.statistics),
            targets[begin:end],
            indices[begin:end].to(self._device),
            len(indices),
        )


@dataclass(frozen=True)
class EvaluationBatches:
    """Every image once, in order, unchanged but for the normalisation; as often as they are gone through."""

    images: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, "n"]
    _: KW_ONLY
    batch_size: int
    statistics: ChannelStatistics
    device: torch.device | None = None
    """Where batches are made; None: where the images lie."""
    share: Share = WHOLE
    """The batches that come: whole ones, so that each is computed as if all came."""

    def __iter__(self) -> Iterator[Batch]:
        device = self.images.device if self.device is None else self.device
        begins = range(0, len(self.images), self.batch_size)
        for begin in begins[slice(*self.share.part(len(begins)))]:
            part = self.images[begin : begin + self.batch_size].to(device)
            indices = torch.arange(begin, begin + len(part), device=device)
            yield Batch(
                normalise(part, self.statistics), self.labels[begin : begin + self.batch_size].to(device), indices
            )


def batch_bounds(count: int, batch_size: int, *, drop_last: bool = False) -> list[tuple[int, int]]:
    """(begin, end) of each batch of `count` images; a last one of a single image joins the one before."""
    bounds = [(begin, min(begin + batch_size, count)) for begin in range(0, count, batch_size)]
    if bounds and drop_last and count % batch_size:
        bounds.pop()
    if len(bounds) > 1 and batch_size > 1 and count - bounds[-1][0] == 1:
        bounds[-2:] = [(bounds[-2][0], count)]
    return bounds


def normalise(images: Images, statistics: ChannelStatistics) -> Float[Tensor, "n c h w"]:
    """(pixel − mean) / std per channel, of pixels in [0, 1]; bytes are divided by 255 on the way.

    A channel without variation (std 0) only has its mean taken off.

    Raises: RequestError when the images have another number of channels than the statistics.
    """
    if images.shape[1] != len(statistics.mean):
        raise RequestError(f"the images have {images.shape[1]} channels, the statistics {len(statistics.mean)}")
    if images.dtype == torch.uint8:
        factor, offset = _multiply_add(statistics, 255.0, images.device)
        return images.float().mul_(factor).add_(offset)
    factor, offset = _multiply_add(statistics, 1.0, images.device)
    return images.mul(factor).add_(offset)


def denormalise(images: Float[Tensor, "n c h w"], statistics: ChannelStatistics) -> Float[Tensor, "n c h w"]:
    """Back to pixels in [0, 1], to look at what the network sees."""
    factor, offset = _multiply_add(statistics, 1.0, images.device)
    return images.sub(offset).div_(factor).clamp_(0, 1)


@lru_cache(maxsize=32)
def _multiply_add(statistics: ChannelStatistics, white: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """(factor, offset), each [c, 1, 1], of pixels from 0 to `white`; kept, since a GPU waits for each such transfer."""
    with torch.inference_mode(False):  # what is kept must be of use outside as well
        mean = torch.tensor(statistics.mean, dtype=torch.float64)
        std = torch.tensor(statistics.std, dtype=torch.float64)
        factor = 1 / torch.where(std > 0, std, 1)
        offset = -mean * factor
        return (
            (factor / white).float().to(device)[:, None, None],
            offset.float().to(device)[:, None, None],
        )
