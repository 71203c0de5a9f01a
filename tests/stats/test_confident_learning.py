"""Against cleanlab on random probabilities, counts and order exactly; and against a case worked by hand."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cnnlab.stats.confident_learning import Ranking, calibrated_joint, confident_thresholds, label_errors, label_quality

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from cleanlab.count import compute_confident_joint, get_confident_thresholds
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores


@st.composite
def answers(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Labels and probabilities that agree more or less; a class may have no image."""
    n, classes = draw(st.integers(4, 120)), draw(st.integers(2, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    labels = torch.randint(classes, (n,), generator=generator)
    labels[:2] = torch.tensor([0, 1])  # cleanlab takes two classes at least
    logits = torch.randn(n, classes, generator=generator, dtype=torch.float64) * draw(st.sampled_from([0.3, 1, 4]))
    logits[torch.arange(n), labels] += draw(st.sampled_from([0, 1, 3]))
    return labels, logits.softmax(1)


def has_ties(exact: Tensor) -> bool:
    """Whether it is open which of several numbers is rounded the other way."""
    lost = (exact - exact.round())[exact > 0].sort().values
    return bool((lost.diff().abs() < 1e-9).any() or ((lost.abs() - 0.5).abs() < 1e-9).any())


@settings(max_examples=60, deadline=None)
@given(answers(), st.sampled_from(["normalized_margin", "self_confidence"]))
def test_thresholds_counts_choice_and_order_are_cleanlabs(case: tuple[Tensor, Tensor], ranking: Ranking) -> None:
    labels, probabilities = case
    given_labels, given_probabilities = labels.numpy(), probabilities.numpy()
    found = label_errors(labels, probabilities, ranking=ranking)
    thresholds = get_confident_thresholds(given_labels, given_probabilities)
    np.testing.assert_allclose(found.thresholds.numpy(), thresholds, rtol=1e-12)
    least_one = found.joint + torch.diag((1 - found.joint.diagonal()).clamp_min(0))  # as cleanlab counts
    joint = compute_confident_joint(given_labels, given_probabilities, calibrate=False)
    np.testing.assert_array_equal(least_one.numpy(), joint)
    calibrated = compute_confident_joint(given_labels, given_probabilities)
    for ours, theirs, row in zip(found.calibrated.numpy(), calibrated, least_one * 1.0, strict=True):
        assert ours.sum() == theirs.sum()
        if not has_ties(row / row.sum() * ours.sum()):  # numpy's sort breaks them in its own way
            np.testing.assert_array_equal(ours, theirs)
    quality = get_label_quality_scores(given_labels, given_probabilities, method=ranking)
    np.testing.assert_allclose(found.quality.numpy(), quality, rtol=1e-12, atol=1e-15)
    issues = find_label_issues(
        given_labels,
        given_probabilities,
        filter_by="confident_learning",
        return_indices_ranked_by=ranking,
        n_jobs=1,
    )
    assert found.indices.tolist() == issues.tolist()


def test_a_case_worked_by_hand() -> None:
    """Means: (0.9 + 0.8 + 0.05) / 3 for class 0 and 0.9 for class 1; only the last image is confidently of another."""
    labels = torch.tensor([0, 0, 1, 0])
    probabilities = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.05, 0.95]], dtype=torch.float64)
    found = label_errors(labels, probabilities)
    assert found.thresholds.tolist() == pytest.approx([1.75 / 3, 0.9])
    assert found.joint.tolist() == [[2, 1], [0, 1]]
    assert (found.indices.tolist(), found.likely.tolist(), found.estimated) == ([3], [1], 1)
    assert found.quality[3] == pytest.approx(0.05)
    assert label_quality(labels, probabilities, "self_confidence").tolist() == [0.9, 0.8, 0.9, 0.05]


def test_a_class_without_images_is_nobodys() -> None:
    labels, probabilities = torch.tensor([0, 1]), torch.tensor([[0.6, 0.1, 0.3], [0.1, 0.1, 0.8]])
    assert confident_thresholds(labels, probabilities)[2] == 2
    assert label_errors(labels, probabilities).joint.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_a_calibrated_joint_has_as_many_images_as_there_are_labels() -> None:
    joint, counts = torch.tensor([[6, 1, 1], [0, 0, 2], [0, 0, 0]]), torch.tensor([10, 5, 0])
    calibrated = calibrated_joint(joint, counts)
    assert calibrated.sum(1).tolist() == [10, 5, 0]
    assert calibrated[1].tolist() == [0, 2, 3], "one of them is taken to be right"
