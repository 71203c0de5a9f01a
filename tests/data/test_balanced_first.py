"""A part of the training part: nested, its classes in turn."""

from itertools import pairwise

import pytest
import torch

from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import Dataset
from cnnlab.data.splits import balanced_first

LABELS = torch.tensor([0] * 20 + [1] * 10 + [2] * 3)
IMAGES = Dataset("three", "train", torch.zeros(33, 1, 2, 2, dtype=torch.uint8), LABELS, ("a", "b", "c", "d"))


def test_fewer_are_among_more_and_classes_come_in_turn() -> None:
    chosen = [balanced_first(IMAGES, count, seed=5) for count in range(3, 34)]
    for fewer, more in pairwise(chosen):
        assert set(fewer.tolist()) < set(more.tolist())
    counts = {len(one): LABELS[one].bincount(minlength=3).tolist() for one in chosen}
    assert counts[3] == [1, 1, 1]
    assert counts[9] == [3, 3, 3]
    assert counts[15] == [6, 6, 3], "a class that has no more is passed over"
    assert counts[33] == [20, 10, 3]
    assert max(counts[7]) - min(counts[7]) == 1


def test_the_seed_chooses() -> None:
    one, again, other = (balanced_first(IMAGES, 9, seed=seed).tolist() for seed in (0, 0, 1))
    assert one == again != other
    assert one == sorted(one)


@pytest.mark.parametrize("count", [2, 34])
def test_too_few_for_each_class_and_more_than_there_are_is_refused(count: int) -> None:
    with pytest.raises(RequestError, match=f"data.take is {count}; .* 33 images of 3 classes, so take 3 to 33"):
        balanced_first(IMAGES, count, seed=0)
