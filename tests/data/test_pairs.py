"""Marks of one kind or of two: what is drawn, and how far a sum of scores can tell it."""

import itertools

import pytest
import torch

from cnnlab.core.errors import RequestError
from cnnlab.data.pairs import MARK, MARKS, most_by_adding, pairs
from cnnlab.data.registry import DATASETS


def test_the_label_says_whether_the_marks_are_alike() -> None:
    made = pairs("train", size=24, train_count=60, channels=1, distance=12, noise=0.0)
    left, top = (24 - 12 - MARK) // 2, (24 - MARK) // 2
    crop = made.images[:, 0, top : top + MARK]
    first, second = crop[:, :, left : left + MARK], crop[:, :, left + 12 : left + 12 + MARK]
    assert torch.equal((first == second).all(2).all(1).long(), made.labels)
    assert made.masks is not None
    assert torch.equal(made.images[:, 0] > 200, made.masks)
    assert len({tuple(one.flatten().tolist()) for one in first}) == len(MARKS)


def test_fewer_images_are_the_beginning_of_more_and_parts_differ() -> None:
    entry = DATASETS["pairs"]
    assert entry.facts.source == "made"
    few, more = (pairs("train", size=20, train_count=count, distance=10) for count in (20, 510))
    assert torch.equal(few.images, more.images[:20])
    assert not torch.equal(few.images, pairs("test", size=20, test_count=20, distance=10).images)


@pytest.mark.parametrize("distance", [5, 16])
def test_marks_that_overlap_or_leave_the_image_are_refused(distance: int) -> None:
    with pytest.raises(RequestError, match=f"distance is {distance} px; marks of 5 px .* with 6 to 15"):
        pairs("train", size=20, distance=distance)


def test_a_sum_of_scores_is_right_no_more_often_than_the_formula_says() -> None:
    """Every order of three kinds' scores, and thresholds between them."""
    kinds = 3
    values = [0.0, 1.0, 2.1, 4.3]
    best = {True: 0.0, False: 0.0}
    for first, second in itertools.product(itertools.product(values, repeat=kinds), repeat=2):
        known = first != second
        for threshold in sorted({a + b for a in first for b in second}):
            same = sum(first[a] + second[a] >= threshold for a in range(kinds)) / kinds
            other = [first[a] + second[b] < threshold for a in range(kinds) for b in range(kinds) if a != b]
            share = (same + sum(other) / len(other)) / 2
            best[known] = max(best[known], share)
    assert best[False] == pytest.approx(most_by_adding(kinds, knows_places=False))
    assert max(best.values()) == pytest.approx(most_by_adding(kinds))
