import pytest
import torch
from torch.nn import functional as F

from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.core.registry import component
from cnnlab.fit import catalog  # noqa: F401
from cnnlab.fit.losses import Loss, averaged

COUNTS = torch.tensor([10, 30, 0, 60])


def loss(**options: object) -> Loss:
    made: Loss = component("loss", "cross_entropy", **options).build(counts=COUNTS)
    return made


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, 4, generator=generator), torch.randint(4, (16,), generator=generator)


def test_as_torch_does(batch) -> None:
    logits, labels = batch
    assert torch.equal(loss()(logits, labels), F.cross_entropy(logits, labels))
    soft = torch.eye(4)[labels] * 0.7 + torch.eye(4)[labels.flip(0)] * 0.3
    torch.testing.assert_close(loss()(logits, soft), F.cross_entropy(logits, soft))
    mixed = 0.7 * F.cross_entropy(logits, labels) + 0.3 * F.cross_entropy(logits, labels.flip(0))
    torch.testing.assert_close(loss()(logits, soft), mixed)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_label_smoothing_is_a_target_mixed_with_the_uniform_one(batch, smoothing: float) -> None:
    logits, labels = batch
    target = (1 - smoothing) * torch.eye(4)[labels] + smoothing / 4
    by_hand = -(target * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(loss(label_smoothing=smoothing)(logits, labels), by_hand)


def test_class_weights(batch) -> None:
    logits, labels = batch
    weights = torch.tensor([0.25, 1.0, 2.5, 0.75])
    ours = loss(class_weights=weights.tolist())(logits, labels)
    assert torch.equal(ours, F.cross_entropy(logits, labels, weight=weights))
    balanced = torch.tensor([100 / (4 * 10), 100 / (4 * 30), 100 / 4, 100 / (4 * 60)])  # scikit-learn's "balanced"
    torch.testing.assert_close(
        loss(class_weights="balanced")(logits, labels), F.cross_entropy(logits, labels, weight=balanced)
    )


def test_a_sum_is_that_of_torch_and_is_told_for_an_image(batch) -> None:
    logits, labels = batch
    weights = torch.tensor([0.25, 1.0, 2.5, 0.75])
    summed = loss(reduction="sum", class_weights=weights.tolist(), label_smoothing=0.2)
    theirs = F.cross_entropy(logits, labels, weight=weights, label_smoothing=0.2, reduction="sum")
    assert torch.equal(summed(logits, labels), theirs)
    assert torch.equal(averaged(summed)(logits, labels), theirs / 16)
    assert torch.equal(averaged(loss())(logits, labels), F.cross_entropy(logits, labels))


def test_what_is_refused() -> None:
    with pytest.raises(RequestError, match="class_weights has 2 numbers, the data set 4 classes"):
        loss(class_weights=[1, 2])
    with pytest.raises(ConfigError, match=r"is 'balancd', expected 'none' or 'balanced', or a list\. Did"):
        loss(class_weights="balancd")
    with pytest.raises(ConfigError, match="'class_weights' is '0', expected more than 0"):
        loss(class_weights=[1, 0, 1, 1])
