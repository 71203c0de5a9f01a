"""Folds: each image in one, each class in equal shares, no group divided; groups dealt as scikit-learn deals them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import Dataset
from cnnlab.data.folds import deal_groups, folds, without_fold


def dataset_of(labels: list[int], groups: list[str] | None = None) -> Dataset:
    names = tuple("abcdefgh"[: max(labels) + 1])
    pixels = torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8)
    return Dataset(
        "toy", "train", pixels, torch.tensor(labels), names, groups=None if groups is None else tuple(groups)
    )


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(5, 20), min_size=2, max_size=5), st.integers(2, 5), st.integers(0, 2**40))
def test_every_class_is_dealt_evenly(sizes: list[int], count: int, seed: int) -> None:
    data = dataset_of([label for label, size in enumerate(sizes) for _ in range(size)])
    of = folds(data, count, seed=seed)
    assert int(of.bincount(minlength=count).max() - of.bincount(minlength=count).min()) <= 1
    for label in range(len(sizes)):
        shares = of[data.labels == label].bincount(minlength=count)
        assert int(shares.max() - shares.min()) <= 1
    assert torch.equal(of, folds(data, count, seed=seed))
    kept = [without_fold(data, number, count, seed=seed) for number in range(1, count + 1)]
    assert torch.cat([one.validation for one in kept]).sort().values.tolist() == list(range(len(data)))
    for one in kept:
        assert torch.cat([one.train, one.validation]).sort().values.tolist() == list(range(len(data)))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(2, 4))
def test_groups_are_dealt_as_by_scikit_learn(seed: int, classes: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(12), rng.integers(1, 9, 12))
    labels = rng.integers(classes, size=len(groups))
    labels[: classes * 2] = np.tile(np.arange(classes), 2)
    contents = torch.zeros(12, classes, dtype=torch.float64)
    for group, label in zip(groups, labels, strict=True):
        contents[group, label] += 1
    ours = deal_groups(contents, count)
    theirs = np.empty(12, dtype=int)
    splitter = StratifiedGroupKFold(n_splits=count)
    try:
        parts = list(splitter.split(np.zeros(len(groups)), labels, groups))
    except ValueError:  # fewer images of a class than folds: it asks for as many
        return
    for fold, (_, out) in enumerate(parts):
        theirs[groups[out]] = fold
    assert ours.tolist() == theirs.tolist()


def test_a_group_is_never_divided() -> None:
    labels = [k % 2 for k in range(60)]
    groups = [f"patient{k // 5}" for k in range(60)]
    of = folds(dataset_of(labels, groups), 3, seed=1)
    assert all(len({int(of[k]) for k in range(60) if groups[k] == name}) == 1 for name in groups)
    assert of.bincount().tolist() == [20, 20, 20]


@pytest.mark.parametrize(
    ("labels", "groups", "count", "message"),
    [
        ([0, 0, 1, 1], None, 1, "1 folds: expected 2 or more"),
        ([0, 0, 0], None, 2, r"one class only \(a\)"),
        ([0, 0, 0, 1], None, 2, "the class 'b' of toy has 1 image, fewer than the 2 folds"),
        ([0, 1, 0, 1], ["x", "x", "x", "x"], 2, "1 group, and a group is never divided: 2 folds need 2 groups"),
        ([0, 0, 0, 1], ["x", "y", "z", "z"], 2, "the class 'b' of toy belong to one group"),
    ],
)
def test_what_cannot_be_divided_is_said(labels: list[int], groups: list[str], count: int, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        folds(dataset_of(labels, groups), count, seed=0)


def test_a_fold_that_is_not_there() -> None:
    with pytest.raises(RequestError, match="number 3 of 2 folds; expected 1 to 2"):
        without_fold(dataset_of([0, 0, 1, 1]), 3, 2, seed=0)
