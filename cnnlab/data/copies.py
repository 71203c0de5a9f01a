"""Copies of an image within one part, which must stay on one side of a split."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from cnnlab.data.leaks import FLAT, HASH_SIDE, digests, perceptual_hashes

NEAR = 4
"""Bits of 64 in which the perceptual hashes of near copies differ at most."""

_AT_ONCE = 2048
"""Images that are compared with as many others at a time: 16 MB of agreements."""


def with_copies(
    images: UInt8[Tensor, "n c h w"], groups: Sequence[str] | None, names: Sequence[str], *, near: int = NEAR
) -> tuple[str, ...]:
    """Make groups in which an image and its copies are together, exact ones and near ones by perceptual hash.

    Copies of copies are in the group as well, and with an image all of the group that it is in already.

    Arguments:
        images: bytes.
        groups: that they are in; None where each is alone.
        names: of the images; a group of copies is called by its first image.
        near: bits of 64 in which the hashes of near copies differ at most. Images of little contrast
            (see `cnnlab.data.leaks.FLAT`) are compared by their pixels alone.

    Returns:
        The group of each image.

    Example:
        >>> images = torch.tensor([10, 200, 10], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 3, 8, 8)
        >>> with_copies(images, None, ["a.png", "b.png", "c.png"])
        ('a.png', 'b.png', 'a.png')
    """
    root = list(range(len(images)))
    first: dict[object, int] = {}
    for number, digest in enumerate(digests(images)):
        _join(root, first.setdefault(digest, number), number)
    for number, group in enumerate(groups or ()):
        _join(root, first.setdefault(group, number), number)
    for one, other in _near(images, near).tolist():
        _join(root, one, other)
    called = names if groups is None else groups
    return tuple(called[_root(root, number)] for number in range(len(images)))


def _near(images: UInt8[Tensor, "n c h w"], near: int) -> Int64[Tensor, "pairs 2"]:
    """All pairs of near copies, the earlier image first."""
    hashes, contrast = perceptual_hashes(images)
    rich = (contrast >= FLAT).nonzero().squeeze(1)
    signs = hashes[rich].float() * 2 - 1
    pairs = [torch.empty(0, 2, dtype=torch.int64, device=images.device)]
    for begin in range(0, len(rich), _AT_ONCE):
        part = signs[begin : begin + _AT_ONCE]
        for start in range(0, begin + 1, _AT_ONCE):
            # of hashes as ±1 the product is 64 − 2 · distance
            agrees = part @ signs[start : start + _AT_ONCE].T >= HASH_SIDE * HASH_SIDE - 2 * near
            later, earlier = agrees.nonzero(as_tuple=True)
            pairs.append(torch.stack([rich[earlier + start], rich[later + begin]], 1)[earlier + start < later + begin])
    return torch.cat(pairs)


def _root(root: list[int], number: int) -> int:
    while root[number] != number:
        root[number] = root[root[number]]
        number = root[number]
    return number


def _join(root: list[int], one: int, other: int) -> None:
    """The lower of the two roots becomes that of both."""
    low, high = sorted((_root(root, one), _root(root, other)))
    root[high] = low
