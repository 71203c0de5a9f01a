"""The training part in two: one to learn from, one to choose by."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.data.dataset import Dataset

_TRIES = 10
"""Random orders of the groups, of which the one that comes nearest to the wanted split is taken."""


@dataclass(frozen=True)
class Split:
    """Indices of the images on each side, ascending."""

    train: Int64[Tensor, "n"]
    validation: Int64[Tensor, "m"]


def split(dataset: Dataset, *, fraction: float, seed: int) -> Split:
    """Keep `fraction` of each class for validation, chosen by `seed`; 0 keeps none.

    A data set that comes with a validation part is split as it came, whatever `fraction` and `seed` are. Otherwise,
    where the data set has groups, each goes to one side as a whole, and fraction and classes are met as nearly as that
    allows.

    Raises: RequestError when a side would be empty, a class has a single image, or the groups cannot be divided.
    """
    everything = torch.arange(len(dataset))
    if dataset.held_out is not None:
        return Split(everything[~dataset.held_out], everything[dataset.held_out])
    if fraction == 0:
        return Split(everything, everything[:0])
    if not 0 < fraction < 1:
        raise RequestError(f"the validation part is {fraction} of the images; it is at least 0 and less than 1")
    if round(fraction * len(dataset)) in (0, len(dataset)):
        side = "validation" if fraction < 0.5 else "training"
        raise RequestError(
            f"a validation part of {fraction} of {len(dataset)} images leaves none for {side}; "
            "change the fraction, or use 0 for no validation part"
        )
    generator = torch.Generator().manual_seed(derive_seed(seed, "split"))
    divide = _stratified if dataset.groups is None else _by_groups
    validation = divide(dataset, fraction, generator)
    chosen = torch.zeros(len(dataset), dtype=torch.bool)
    chosen[validation] = True
    return Split(everything[~chosen], everything[chosen])


def balanced_first(dataset: Dataset, count: int, *, seed: int) -> Int64[Tensor, "count"]:
    """Choose `count` images, one of each class in turn, in an order that `seed` makes: fewer are among more.

    Arguments:
        dataset: which is chosen of.
        count: images; a class that has no more is passed over.
        seed: of the order.

    Returns:
        Indices, ascending.

    Raises:
        RequestError: where there are not so many, or too few for one of each class.

    Example:
        >>> pixels, labels = torch.zeros(6, 1, 2, 2).byte(), torch.tensor([0, 0, 0, 0, 1, 1])
        >>> images = Dataset("six", "train", pixels, labels, ("a", "b"))
        >>> few, more = (balanced_first(images, count, seed=0).tolist() for count in (2, 4))
        >>> images.labels[more].tolist(), set(few) < set(more)
        ([0, 0, 1, 1], True)
    """
    there, classes = len(dataset), int((dataset.counts() > 0).sum())
    if not classes <= count <= there:
        raise RequestError(
            f"data.take is {count:,}; the training part has {there:,} images of {classes:,} classes, so take "
            f"{classes:,} to {there:,}"
        )
    generator = torch.Generator().manual_seed(derive_seed(seed, "take"))
    shuffled = torch.randperm(there, generator=generator)
    labels = dataset.labels[shuffled]
    turn = torch.empty_like(labels)
    for label in labels.unique().tolist():
        its = labels == label
        turn[its] = torch.arange(int(its.sum()))
    return shuffled[turn.argsort(stable=True)[:count]].sort().values


def _stratified(dataset: Dataset, fraction: float, generator: torch.Generator) -> Int64[Tensor, "k"]:
    counts = dataset.counts().tolist()
    for name, count in zip(dataset.classes, counts, strict=True):
        if count == 1:
            raise RequestError(
                f"the class '{name}' of {dataset.name} has a single image, which cannot be in both parts; "
                "add images, leave the class out, or use a validation fraction of 0"
            )
    shuffled = torch.randperm(len(dataset), generator=generator)
    by_class = shuffled[dataset.labels[shuffled].argsort(stable=True)].split(counts)
    wanted = _shares(counts, fraction)
    return torch.cat([members[:count] for members, count in zip(by_class, wanted, strict=True)])


def _shares(counts: Sequence[int], fraction: float) -> list[int]:
    """How many of each class: `fraction` of it, rounded up or down so that the sum is right; at least one on each side.

    By largest remainders (Hamilton's method): rounding each class on its own would lose or gain whole images.
    """
    exact = [fraction * count for count in counts]
    shares = [int(share) for share in exact]
    missing = round(sum(exact)) - sum(shares)
    by_remainder = sorted(range(len(counts)), key=lambda c: exact[c] - shares[c], reverse=True)
    for c in by_remainder[:missing]:
        shares[c] += 1
    return [min(max(share, 1), count - 1) if count else 0 for share, count in zip(shares, counts, strict=True)]


def _by_groups(dataset: Dataset, fraction: float, generator: torch.Generator) -> Int64[Tensor, "k"]:
    """Greedy: take the groups in random order, keep each that brings the classes' shares nearer to `fraction`."""
    groups = dataset.groups
    assert groups is not None
    member, contents = contents_of_groups(dataset)
    if len(contents) < 2:
        raise RequestError(
            f"all images of {dataset.name} belong to the group '{groups[0]}', and a group is never divided; "
            "a split needs two groups at least, or a validation fraction of 0"
        )
    contents = contents[:, contents.sum(0) > 0]
    best: list[int] = []
    best_distance = float("inf")
    for _ in range(_TRIES):
        order = torch.randperm(len(contents), generator=generator).tolist()
        taken, distance = _greedy(contents.tolist(), order, fraction)
        if taken and distance < best_distance:
            best, best_distance = taken, distance
    if not best:
        raise RequestError(
            f"whichever group of {dataset.name} is kept for validation, some class is no longer in the training part, "
            "because all of its images belong to that group; use finer groups, or a validation fraction of 0"
        )
    validation = torch.zeros(len(contents), dtype=torch.bool)
    validation[best] = True
    return validation[member].nonzero().squeeze(1)


def contents_of_groups(dataset: Dataset) -> tuple[Int64[Tensor, "n"], Int64[Tensor, "groups classes"]]:
    """The group of each image, numbered as they first come, and how many images of each class a group has.

    Arguments:
        dataset: with groups.
    """
    assert dataset.groups is not None
    number = {name: k for k, name in enumerate(dict.fromkeys(dataset.groups))}
    member = torch.tensor([number[name] for name in dataset.groups])
    classes = len(dataset.classes)
    counted = torch.bincount(member * classes + dataset.labels, minlength=len(number) * classes)
    return member, counted.view(-1, classes)


def _greedy(contents: Sequence[Sequence[int]], order: Sequence[int], fraction: float) -> tuple[list[int], float]:
    """The groups that are taken, and how far the classes' shares are from `fraction` (sum of squares).

    The first that may be taken is, so that validation is not empty. None is taken that would leave training without a
    class.
    """
    totals = [sum(column) for column in zip(*contents, strict=True)]
    kept = [0] * len(totals)
    taken: list[int] = []
    distance = float("inf")
    for group in order:
        after = [have + more for have, more in zip(kept, contents[group], strict=True)]
        if any(have == total for have, total in zip(after, totals, strict=True)):
            continue
        new = sum((have / total - fraction) ** 2 for have, total in zip(after, totals, strict=True))
        if new < distance:
            taken, kept, distance = [*taken, group], after, new
    return taken, distance
