"""Logits to probabilities, held against closed forms and torch's losses."""

import pytest
import torch

from cnnlab.stats.probabilities import (
    Activation,
    class_logits,
    class_names,
    class_probabilities,
    log_probabilities,
)

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [-40.0, 0.0, 60.0]])
SINGLE = torch.tensor([[0.7], [-3.0]])


def test_softmax_is_over_the_classes_together_and_sigmoid_of_each_by_itself() -> None:
    exponentials = LOGITS.double().exp()
    together = exponentials / exponentials.sum(1, keepdim=True)
    torch.testing.assert_close(class_probabilities(LOGITS).double(), together, rtol=1e-6, atol=1e-30)
    torch.testing.assert_close(
        class_probabilities(LOGITS, "sigmoid").double(), 1 / (1 + (-LOGITS.double()).exp()), rtol=1e-6, atol=1e-30
    )


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_single_logit_is_two_classes_whatever_the_activation(activation: Activation) -> None:
    sure = 1 / (1 + (-SINGLE.double()).exp())
    expected = torch.cat([1 - sure, sure], 1).float()
    torch.testing.assert_close(class_probabilities(SINGLE, activation), expected)
    torch.testing.assert_close(class_logits(SINGLE).softmax(1), expected)
    torch.testing.assert_close(log_probabilities(SINGLE, activation).exp(), expected)


def test_the_two_logits_have_the_loss_of_the_yes_or_no_question() -> None:
    truths = torch.tensor([1, 0])
    loss = torch.nn.functional.binary_cross_entropy_with_logits(SINGLE[:, 0], truths.float())
    torch.testing.assert_close(torch.nn.functional.cross_entropy(class_logits(SINGLE), truths), loss)


def test_two_logits_and_more_stay_as_they_are() -> None:
    assert class_logits(LOGITS) is LOGITS


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_logarithms_are_finite_where_probabilities_are_nothing(activation: Activation) -> None:
    found = log_probabilities(torch.tensor([[-200.0, 0.0, 200.0]]), activation)
    assert bool(found.isfinite().all())
    torch.testing.assert_close(found[0, 0], torch.tensor(-400.0 if activation == "softmax" else -200.0))


def test_names_are_those_known_where_there_is_one_for_each_class() -> None:
    assert class_names(SINGLE, ("no", "yes")) == ("no", "yes")
    assert class_names(SINGLE, ("a", "b", "c")) == ("0", "1")
    assert class_names(LOGITS, ()) == ("0", "1", "2")
