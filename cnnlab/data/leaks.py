"""Images of one part that are in the other too: exact copies, and near ones by perceptual hash.

A test on images that were trained on measures memory. Barz & Denzler 2020, "Do we train on test data? Purging CIFAR
of near-duplicates" (arXiv:1902.00423) found 3.3 % of CIFAR-10's test part in its training part.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from cnnlab.data.dataset import Dataset

HASH_SIDE = 8
"""The hash has a bit for each of the 8 × 8 lowest frequencies."""
FLAT = 0.02
"""Standard deviation of brightness (white is 1) below which an image has nothing to compare."""
_SIDE = 32
"""Images are brought to 32 × 32 pixels before their frequencies are taken."""
_PIXELS_AT_ONCE = 2**23
_IMAGES_AT_ONCE = 2048
_OTHERS_AT_ONCE = 8192
"""These bound the memory: 32 MB of pixels as float32, 64 MB for a block of 2048 × 8192 distances."""


@dataclass(frozen=True)
class Leaks:
    """What is on both sides. A leaking image of `b` is listed once, with the image of `a` nearest to it."""

    exact: Int64[Tensor, "e 2"]
    """(index in a, index in b) of the same pixels."""
    near: Int64[Tensor, "k 2"]
    """(index in a, index in b) of similar images that are not the same."""
    distances: Int64[Tensor, "k"]
    """Bits of 64 in which the hashes of the near pairs differ."""
    flat: int
    """Images of `b` with too little contrast to be compared by hash."""
    compared: int
    """Images of `b`, in all."""
    groups: tuple[str, ...] = ()
    """Groups with images on both sides."""

    @property
    def found(self) -> bool:
        """Whether anything leaks."""
        return bool(len(self.exact) or len(self.near) or self.groups)


def find_leaks(
    a: UInt8[Tensor, "n c h w"],
    b: UInt8[Tensor, "m c2 h2 w2"],
    *,
    max_distance: int = 4,
    a_groups: Sequence[str] | None = None,
    b_groups: Sequence[str] | None = None,
) -> Leaks:
    """Which images of `b` (validation, test) are in `a` (training) too.

    Near images differ in at most `max_distance` of 64 bits of their hashes: resizing, compression and small changes
    of brightness or contrast keep most bits. Between the parts of CIFAR-10, 4 finds 101 images, all of them of the
    same class as their twin; 8 finds 354, of which every fourth of the farthest is a false alarm. Images whose
    standard deviation of brightness is below `FLAT` (white is 1) are left out of that comparison: the hash of a
    flat image is that of its noise, or all the same.
    """
    exact = same_pixels(a, b)
    a_hashes, a_contrast = perceptual_hashes(a)
    b_hashes, b_contrast = perceptual_hashes(b)
    in_a = (a_contrast >= FLAT).nonzero().squeeze(1)
    candidate = b_contrast >= FLAT
    flat = int((~candidate).sum())
    candidate[exact[:, 1]] = False
    in_b = candidate.nonzero().squeeze(1)
    nearest, distances = _nearest(a_hashes[in_a], b_hashes[in_b])
    near = distances <= max_distance
    return Leaks(
        exact=exact,
        near=torch.stack([in_a[nearest[near]], in_b[near]], 1),
        distances=distances[near],
        flat=flat,
        compared=len(b),
        groups=shared_groups(a_groups, b_groups),
    )


def dataset_leaks(a: Dataset, b: Dataset, *, max_distance: int = 4) -> Leaks:
    """`find_leaks` of two parts with their groups."""
    return find_leaks(a.images, b.images, max_distance=max_distance, a_groups=a.groups, b_groups=b.groups)


def shared_groups(a: Sequence[str] | None, b: Sequence[str] | None) -> tuple[str, ...]:
    """The groups that are on both sides, in alphabetical order; none where a side has no groups."""
    return tuple(sorted(set(a or ()) & set(b or ())))


def perceptual_hashes(
    images: UInt8[Tensor, "n c h w"],
) -> tuple[Bool[Tensor, "n 64"], Float[Tensor, "n"]]:
    """The 64 bits of each image, and its contrast (standard deviation of brightness, white is 1).

    The hash of Zauner 2010, "Implementation and benchmarking of perceptual image hash functions" (pHash): brightness,
    32 × 32 pixels, the 8 × 8 lowest frequencies of the discrete cosine transform, each compared with their median.
    """
    low = _cosines(_SIDE, HASH_SIDE).to(images.device)
    bits, contrasts = [], []
    for part in images.split(max(1, _PIXELS_AT_ONCE // math.prod(images.shape[1:]))):
        gray = part.float().div_(255).mean(1, keepdim=True)
        contrasts.append(gray.flatten(1).std(1, correction=0))
        if gray.shape[2:] != (_SIDE, _SIDE):
            gray = F.interpolate(gray, (_SIDE, _SIDE), mode="bilinear", antialias=True, align_corners=False)
        frequencies = (low @ gray[:, 0] @ low.T).flatten(1)
        bits.append(frequencies > frequencies.median(1, keepdim=True).values)
    return torch.cat(bits), torch.cat(contrasts)


def _cosines(side: int, count: int) -> Float[Tensor, "{count} {side}"]:
    """The first rows of the orthonormal DCT-II: cos(π(2x + 1)u / 2·side)."""
    frequency, place = torch.arange(count)[:, None], torch.arange(side)
    rows = torch.cos(math.pi * (2 * place + 1) * frequency / (2 * side)) * math.sqrt(2 / side)
    rows[0] /= math.sqrt(2)
    return rows


def same_pixels(a: UInt8[Tensor, "n c h w"], b: UInt8[Tensor, "m c2 h2 w2"]) -> Int64[Tensor, "e 2"]:
    """(index in a, index in b) of each image of `b` that is in `a` too, byte for byte, with the first there."""
    first: dict[bytes, int] = {}
    for i, digest in enumerate(digests(a)):
        first.setdefault(digest, i)
    pairs = [(first[digest], j) for j, digest in enumerate(digests(b)) if digest in first]
    return torch.tensor(pairs, dtype=torch.int64).view(-1, 2)


def nearest_before(hashes: Bool[Tensor, "n 64"]) -> tuple[Int64[Tensor, "n"], Int64[Tensor, "n"]]:
    """Find the nearest hash among those before each one: images of one part that are near copies of each other.

    Arguments:
        hashes: of `perceptual_hashes`.

    Returns:
        Its index, and in how many bits of 64 they differ; the first, which has none before it, gets 0 and 65.

    Example:
        >>> bits = torch.zeros(3, 64, dtype=torch.bool)
        >>> bits[1, 0] = True
        >>> [values.tolist() for values in nearest_before(bits)]
        [[0, 0, 0], [65, 1, 0]]
    """
    bits = HASH_SIDE * HASH_SIDE
    signs = hashes.float() * 2 - 1
    indices, distances = torch.zeros(len(hashes), dtype=torch.int64), torch.full((len(hashes),), bits + 1)
    for begin in range(0, len(hashes), _IMAGES_AT_ONCE):
        part = signs[begin : begin + _IMAGES_AT_ONCE]
        own = torch.arange(begin, begin + len(part))[:, None]
        best = torch.full((len(part),), -bits - 2.0)
        for start in range(0, begin + len(part), _OTHERS_AT_ONCE):
            others = signs[start : min(start + _OTHERS_AT_ONCE, begin + len(part))]
            agreement = part @ others.T
            agreement[torch.arange(start, start + len(others)) >= own] = -bits - 2.0
            most, at = agreement.max(1)
            better = most > best
            indices[begin : begin + len(part)][better] = at[better] + start
            best = torch.where(better, most, best)
        distances[begin : begin + len(part)] = ((bits - best) / 2).long()
    return indices, distances


def digests(images: UInt8[Tensor, "n c h w"]) -> list[bytes]:
    """128 bits for the pixels and the shape of each image."""
    shape = str(tuple(images.shape[1:])).encode()
    return [blake2b(shape + image.tobytes(), digest_size=16).digest() for image in images.cpu().numpy()]


def _nearest(a: Bool[Tensor, "n 64"], b: Bool[Tensor, "m 64"]) -> tuple[Int64[Tensor, "m"], Int64[Tensor, "m"]]:
    """Find the nearest hash of `a` to each of `b`: its index, and in how many bits they differ.

    With bits as ±1 the product of two hashes is 64 − 2 · distance, so that distances are a matrix product, exact in
    float32. Without any `a` the distance is 65.
    """
    bits = HASH_SIDE * HASH_SIDE
    a_signs, b_signs = a.float() * 2 - 1, b.float() * 2 - 1
    indices, distances = [], []
    for part in b_signs.split(_IMAGES_AT_ONCE):
        best = torch.full((len(part),), -bits - 2.0, device=part.device)
        index = torch.zeros(len(part), dtype=torch.int64, device=part.device)
        for k, others in enumerate(a_signs.split(_OTHERS_AT_ONCE)):
            if not len(others):
                continue
            agreement, at = (part @ others.T).max(1)
            better = agreement > best
            index = torch.where(better, at + k * _OTHERS_AT_ONCE, index)
            best = torch.where(better, agreement, best)
        indices.append(index)
        distances.append(((bits - best) / 2).long())
    return torch.cat(indices), torch.cat(distances)
