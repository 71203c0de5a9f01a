"""The training part in folds: of several networks each is to learn from all folds but one."""

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.data.dataset import Dataset
from cnnlab.data.splits import Split, contents_of_groups


def folds(dataset: Dataset, count: int, *, seed: int) -> Int64[Tensor, "n"]:
    """Divide images into folds that have an equal share of each class, chosen by `seed`.

    Where the data set has groups, each goes to one fold as a whole, and the shares are met as nearly as that allows. A
    validation part that the data set comes with is divided like the rest.

    Arguments:
        dataset: whose images are divided.
        count: folds, from 2.
        seed: of the choice.

    Returns:
        The fold of each image, 0 … count − 1.

    Raises:
        RequestError: for fewer than 2 folds, a data set of one class, a class with fewer images (or groups) than are
            needed to be in each fold's rest, and more folds than groups.

    Example:
        >>> pixels, labels = torch.zeros(6, 1, 2, 2).byte(), torch.tensor([0, 0, 0, 0, 1, 1])
        >>> images = Dataset("six", "train", pixels, labels, ("a", "b"))
        >>> folds(images, 2, seed=0).bincount().tolist()
        [3, 3]
    """
    if count < 2:
        raise RequestError(f"{count} folds: expected 2 or more; each network is asked about images it was not shown")
    there = dataset.counts()
    if int((there > 0).sum()) < 2:
        only = dataset.classes[int(there.argmax())]
        raise RequestError(f"{dataset.name} has images of one class only ({only}); a classifier needs at least two")
    generator = torch.Generator().manual_seed(derive_seed(seed, "folds"))
    divide = _stratified if dataset.groups is None else _by_groups
    return divide(dataset, count, generator)


def without_fold(dataset: Dataset, number: int, count: int, *, seed: int) -> Split:
    """All folds but one to learn from, and that one.

    Arguments:
        dataset, count, seed: as of `folds`.
        number: of the fold that is kept out, from 1.

    Raises:
        RequestError: as `folds`, and for a number that is none of a fold.
    """
    if not 1 <= number <= count:
        raise RequestError(f"data.fold has the number {number} of {count} folds; expected 1 to {count}")
    out = folds(dataset, count, seed=seed) == number - 1
    return Split((~out).nonzero()[:, 0], out.nonzero()[:, 0])


def _stratified(dataset: Dataset, count: int, generator: torch.Generator) -> Int64[Tensor, "n"]:
    for name, images in zip(dataset.classes, dataset.counts().tolist(), strict=True):
        if 0 < images < count:
            raise RequestError(
                f"the class '{name}' of {dataset.name} has {images} image{'s' * (images != 1)}, fewer than the {count} "
                "folds; take fewer folds, add images, or leave the class out"
            )
    shuffled = torch.randperm(len(dataset), generator=generator)
    dealt = shuffled[dataset.labels[shuffled].argsort(stable=True)]  # class after class, and round from fold to fold
    found = torch.empty(len(dataset), dtype=torch.int64)
    found[dealt] = torch.arange(len(dataset)) % count
    return found


def _by_groups(dataset: Dataset, count: int, generator: torch.Generator) -> Int64[Tensor, "n"]:
    member, contents = contents_of_groups(dataset)
    groups = len(contents)
    if groups < count:
        raise RequestError(
            f"{dataset.name} has {groups} group{'s' * (groups != 1)}, and a group is never divided: {count} folds "
            f"need {count} groups at least"
        )
    for name, owners in zip(dataset.classes, (contents > 0).sum(0).tolist(), strict=True):
        if owners == 1:
            raise RequestError(
                f"all images of the class '{name}' of {dataset.name} belong to one group, and a group is never "
                "divided: the networks that leave it out would never see the class; use finer groups"
            )
    order = torch.randperm(groups, generator=generator)
    of_groups = torch.empty(groups, dtype=torch.int64)
    of_groups[order] = deal_groups(contents[order][:, contents.sum(0) > 0].double(), count)
    found = of_groups[member]
    for fold in range(count):
        rest = torch.bincount(dataset.labels[found != fold], minlength=len(dataset.classes))
        if lost := [dataset.classes[c] for c in ((rest == 0) & (dataset.counts() > 0)).nonzero()[:, 0].tolist()]:
            raise RequestError(
                f"{dataset.name}: all groups with images of the class '{lost[0]}' come into one of {count} folds; take "
                "more folds, or finer groups"
            )
    return found


def deal_groups(contents: Float64[Tensor, "groups classes"], count: int) -> Int64[Tensor, "groups"]:
    """Deal groups to folds, the most uneven ones first, each to where the classes' shares then differ least.

    The rule of scikit-learn's `StratifiedGroupKFold`.

    Arguments:
        contents: images of each class in each group; each class has some.
        count: folds.

    Returns:
        The fold of each group.
    """
    groups = contents.numpy()
    totals, filled = groups.sum(0), np.zeros((count, groups.shape[1]))
    found = torch.empty(len(groups), dtype=torch.int64)
    for group in np.argsort(-groups.std(1), kind="stable"):
        best, least, fewest = 0, np.inf, np.inf
        for fold in range(count):
            after = filled.copy()
            after[fold] += groups[group]
            uneven, images = (after / totals).std(0).mean(), filled[fold].sum()
            if uneven < least or (np.isclose(uneven, least) and images < fewest):
                best, least, fewest = fold, uneven, images
        filled[best] += groups[group]
        found[group] = best
    return found
