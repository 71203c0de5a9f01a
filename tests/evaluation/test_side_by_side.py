"""Networks on the same images: counted by hand, and against the measures of each by itself."""

import math

import pytest
import torch

from cnnlab.core.errors import WorkError
from cnnlab.evaluation.side_by_side import Contestant, Cost, set_side_by_side
from cnnlab.evaluation.side_by_side_report import side_by_side_document, side_by_side_report
from cnnlab.stats.classification import classify
from cnnlab.stats.paired import PairedCounts
from cnnlab.view.blocks import Text, figures, tables

CLASSES = ("cat", "dog")
LABELS = torch.tensor([0, 0, 0, 1, 1, 1])


def contestant(name: str, *towards_dog: float, **said: object) -> Contestant:
    """A network of one number for each image: the logit of `dog` over that of `cat`."""
    logits = torch.stack([torch.zeros(len(towards_dog)), torch.tensor(towards_dog)], 1)
    known = {"weights": "its own", "trained": True, "shape": (3, 8, 8), "preparation": "", **said}
    return Contestant(name=name, cost=Cost(parameters=10, macs=1000), logits=logits, **known)


FIRST = contestant("first", -1, -1, 1, 1, 1, -1)  # right on images 0, 1, 3, 4
SECOND = contestant("second", -1, 1, -1, 1, 1, 5)  # right on images 0, 2, 3, 4, 5
THIRD = contestant("third", 1, 1, 1, 1, 1, 1)  # right on images 3, 4, 5


def test_pairs_are_counted() -> None:
    found = set_side_by_side([FIRST, SECOND, THIRD], LABELS, classes=CLASSES, split="test")
    assert [(pair.first, pair.second, pair.counts) for pair in found.pairs] == [
        (0, 1, PairedCounts(both=3, first_only=1, second_only=2, neither=0)),
        (0, 2, PairedCounts(both=2, first_only=2, second_only=1, neither=1)),
        (1, 2, PairedCounts(both=3, first_only=2, second_only=0, neither=1)),
    ]
    assert [pair.same_answers for pair in found.pairs] == [3 / 6, 3 / 6, 4 / 6]
    # p of 3, 3 and 2 images of which one or none is on the lesser side: 1, 1 and 1/2, the least counted three times
    assert [pair.counts.p for pair in found.pairs] == [1.0, 1.0, 0.5]
    assert [pair.p_adjusted for pair in found.pairs] == [1.0, 1.0, 1.0]
    alone = set_side_by_side([FIRST, SECOND, THIRD], LABELS, classes=CLASSES, split="test", pairs="first")
    assert [(pair.first, pair.second) for pair in alone.pairs] == [(0, 1), (0, 2)]


def test_each_has_the_measures_that_it_has_by_itself() -> None:
    found = set_side_by_side([FIRST, SECOND], LABELS, classes=CLASSES, split="test")
    for one, given in zip(found.networks, (FIRST, SECOND), strict=True):
        alone = classify(given.logits, LABELS, classes=CLASSES)
        assert (one.facts.accuracy, one.facts.loss, one.facts.calibration) == (
            (alone.accuracy, alone.loss, alone.calibration)
        )


def test_recalls_of_each_class() -> None:
    cat, dog = set_side_by_side([FIRST, SECOND], LABELS, classes=CLASSES, split="test").per_class
    assert (cat.n, cat.recalls, cat.against_first) == (3, (2 / 3, 2 / 3), (PairedCounts(1, 1, 1, 0),))
    assert (dog.n, dog.recalls, dog.against_first) == (3, (2 / 3, 1.0), (PairedCounts(2, 0, 1, 0),))


def test_a_class_without_images_has_no_difference() -> None:
    labels = torch.zeros(6, dtype=torch.int64)
    found = set_side_by_side([FIRST, SECOND], labels, classes=CLASSES, split="test")
    assert (found.per_class[1].n, found.per_class[1].against_first) == (0, (None,))
    assert math.isnan(found.per_class[1].recalls[0])
    assert side_by_side_report(found).title == "Comparison of first and second on test"


def test_the_images_on_which_they_differ_most() -> None:
    """By the probability of the truth: σ(5) − σ(−1) at image 5, σ(1) − σ(−1) at 1 and 2, no difference elsewhere."""
    found = set_side_by_side([FIRST, SECOND], LABELS, classes=CLASSES, split="test").disputed
    assert [one.index for one in found] == [5, 1, 2]
    assert found[0].p_truth == pytest.approx((1 / (1 + math.exp(1)), 1 / (1 + math.exp(-5))))
    assert found[0].answers == (0, 1)
    assert found[1].spread == pytest.approx(2 / (1 + math.exp(-1)) - 1)


def said(*contestants: Contestant) -> dict[str, str]:
    report = side_by_side_report(set_side_by_side(contestants, LABELS, classes=CLASSES, split="validation"))
    return {block.label: block.text for block in report.blocks if isinstance(block, Text)}


def test_what_makes_an_accuracy_say_less_is_said() -> None:
    found = said(
        contestant("a", *[1.0] * 6, learned=4),
        contestant("b", *[1.0] * 6, learned=None),
        contestant("c", *[1.0] * 6, trained=False, weights="random weights (seed 0)"),
    )
    assert found["seen before"] == "a has learned from 4 of these 6 images: its accuracy here is partly memory."
    assert found["not known"].startswith("The images that b was trained on are no longer there")
    assert found["untrained"] == "c is not trained: random weights (seed 0)."
    assert "a and b are level" in said(contestant("a", *[1.0] * 6), contestant("b", *[1.0] * 6))["close"]


def test_a_difference_is_told_by_the_test() -> None:
    labels = torch.tensor([0, 1] * 20)
    right = torch.where(labels == 1, 2.0, -2.0).tolist()
    found = set_side_by_side(
        [contestant("poor", *[2.0] * 40), contestant("good", *right)], labels, classes=CLASSES, split="test"
    )
    (sentence,) = [block for block in side_by_side_report(found).blocks if isinstance(block, Text)]
    assert sentence.label == "ahead"
    assert sentence.text.startswith("good is 50.00 points ahead of poor, 95 % interval +")
    assert "p < 0.0001" in sentence.text  # 20 of 20 on one side: 2 / 2²⁰


def test_table_figures_and_document_tell_the_same() -> None:
    found = set_side_by_side([FIRST, SECOND, THIRD], LABELS, classes=CLASSES, split="test")
    images = torch.zeros(6, 3, 8, 8, dtype=torch.uint8)
    report = side_by_side_report(found, images=images, paths=[f"{number}.png" for number in range(6)])
    assert [table.name for table in tables(report)] == ["networks", "pairs", "agreement", "classes", "disputed",
                                                        "calibration"]  # fmt: skip
    assert {"accuracies", "classes_2", "classes_3", "disputed", "reliability_1"} <= {
        figure.name for figure in figures(report)
    }
    document = side_by_side_document(found)
    assert [one["accuracy"] for one in document["networks"]] == [4 / 6, 5 / 6, 3 / 6]
    assert document["pairs"][0] | {"ci95": None} == {
        "first": "first", "second": "second", "both_right": 3, "first_only": 1, "second_only": 2, "both_wrong": 0,
        "difference": 1 / 6, "ci95": None, "same_answer": 0.5, "p": 1.0, "p_holm": 1.0,
    }  # fmt: skip
    assert document["disputed"][0]["answers"].keys() == {"first", "second", "third"}


def test_answers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(WorkError, match="NaN or infinite"):
        set_side_by_side([FIRST, contestant("broken", *[math.nan] * 6)], LABELS, classes=CLASSES, split="test")
