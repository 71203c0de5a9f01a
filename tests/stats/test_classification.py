import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.core.errors import WorkError
from cnnlab.stats.calibration import fit_temperature
from cnnlab.stats.classification import (
    ConfusedPair,
    Confusion,
    by_group,
    classify,
    confused_pairs,
    confusions,
    most_wrong,
)

NAMES = ("cat", "dog", "frog")


def answers(predicted: list[int], k: int = 3, margin: float = 4.0) -> torch.Tensor:
    return margin * torch.nn.functional.one_hot(torch.tensor(predicted), k).float()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(1, 60))
def test_scikit_learn_says_the_same(seed: int, k: int, n: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, k, generator=generator)
    labels = torch.randint(k, (n,), generator=generator)
    facts = classify(logits, labels, classes=[str(i) for i in range(k)])
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, logits.argmax(1), labels=range(k), zero_division=math.nan
    )
    for ours, theirs in zip(facts.per_class, zip(precision, recall, f1, support, strict=True), strict=True):
        assert (ours.precision, ours.recall, ours.f1, ours.support) == pytest.approx(theirs, abs=1e-6, nan_ok=True)
    assert facts.accuracy == pytest.approx(metrics.accuracy_score(labels, logits.argmax(1)))
    assert facts.matrix.tolist() == metrics.confusion_matrix(labels, logits.argmax(1), labels=range(k)).tolist()
    assert facts.loss == pytest.approx(metrics.log_loss(labels, logits.double().softmax(1), labels=range(k)), rel=1e-6)
    if k > 5:
        assert facts.top5 == pytest.approx(
            metrics.top_k_accuracy_score(labels, logits, k=5, labels=range(k)) if k > 2 else 1.0, abs=1e-6
        )
    else:
        assert facts.top5 is None


def test_a_small_case_by_hand() -> None:
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    facts = classify(answers([0, 1, 1, 1, 0, 2]), labels, classes=NAMES)
    assert facts.matrix.tolist() == [[1, 2, 0], [1, 1, 0], [0, 0, 1]]
    assert facts.accuracy == 0.5
    assert facts.loss == pytest.approx(math.log(math.exp(4) + 2) - 4 * 0.5)
    cat = facts.per_class[0]
    assert (cat.name, cat.precision, cat.support) == ("cat", 0.5, 3)
    assert (cat.recall, cat.f1) == (pytest.approx(1 / 3), pytest.approx(0.4))
    assert facts.macro_f1 == pytest.approx((0.4 + 0.4 + 1) / 3)
    assert facts.confusions == (Confusion(0, 1, 2, 2 / 3), Confusion(1, 0, 1, 0.5))
    assert facts.pairs == (ConfusedPair(0, 1, 3, 2, 1),)
    assert facts.interval.low < 0.5 < facts.interval.high


def test_a_class_without_images_has_no_recall_and_does_not_lower_the_mean() -> None:
    facts = classify(answers([0, 1]), torch.tensor([0, 1]), classes=NAMES)
    frog = facts.per_class[2]
    assert math.isnan(frog.precision)
    assert math.isnan(frog.recall)
    assert math.isnan(frog.f1)
    assert facts.macro_f1 == 1


def test_pairs_sum_both_directions_and_rank() -> None:
    matrix = torch.tensor([[9, 1, 3], [4, 9, 0], [1, 0, 9]])
    assert [(p.first, p.second, p.n) for p in confused_pairs(matrix)] == [(0, 1, 5), (0, 2, 4)]
    assert [(c.truth, c.predicted, c.n) for c in confusions(matrix)] == [(1, 0, 4), (0, 2, 3), (2, 0, 1), (0, 1, 1)]


def test_the_surest_mistakes_come_first_even_when_confidence_saturates() -> None:
    logits = torch.tensor([[0.0, 9.0], [9.0, 0.0], [0.0, 900.0], [0.0, 1000.0], [0.0, 1.0]])
    labels = torch.tensor([0, 0, 0, 0, 0])
    ranked = most_wrong(logits, labels, count=3)
    assert [mistake.index for mistake in ranked] == [3, 2, 0]
    assert ranked[2].confidence == pytest.approx(1 / (1 + math.exp(-9)))
    assert ranked[2].p_truth == pytest.approx(1 / (1 + math.exp(9)))


def test_groups_the_worst_first() -> None:
    groups = ["field", "lab", "lab", "field"]
    found = by_group(answers([0, 1, 2, 0]), torch.tensor([0, 1, 2, 1]), groups)
    assert [(g.name, g.accuracy, g.n) for g in found] == [("field", 0.5, 2), ("lab", 1.0, 2)]


def test_groups_must_cover_the_images() -> None:
    with pytest.raises(ValueError, match="1 group names for 2 images"):
        by_group(answers([0, 1]), torch.tensor([0, 1]), ["lab"])


def test_a_temperature_changes_the_confidence_and_nothing_else() -> None:
    logits = torch.randn(200, 3, generator=torch.Generator().manual_seed(0)) * 6
    labels = torch.multinomial((logits / 3).softmax(1), 1, generator=torch.Generator().manual_seed(1))[:, 0]
    temperature = fit_temperature(logits, labels, fitted_on="validation")
    facts = classify(logits, labels, classes=NAMES, temperature=temperature)
    assert temperature.value == pytest.approx(3, rel=0.3)
    assert facts.scaled is not None
    assert facts.scaled.ece < facts.calibration.ece
    assert facts.scaled.accuracy == facts.calibration.accuracy


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_answers_that_are_no_numbers_stop_the_work(bad: float) -> None:
    logits = torch.zeros(3, 3)
    logits[1, 2] = bad
    with pytest.raises(WorkError, match=r"1 of 3 images are NaN or infinite \(first: image 1\)"):
        classify(logits, torch.tensor([0, 1, 2]), classes=NAMES)


@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [
        ((2, 2), [0, 1], "2 labels and 3 classes"),
        ((2, 3), [0, 3], "labels 0 to 3 for 3 classes"),
        ((0, 3), [], "shape"),
    ],
)
def test_what_does_not_fit_is_refused(shape: tuple[int, int], labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classify(torch.zeros(shape), torch.tensor(labels, dtype=torch.int64), classes=NAMES)
