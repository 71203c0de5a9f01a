import pytest
import torch
from networks import small, unchanged
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.trust.sanity.labels import compare_label_training

IMAGES = torch.randn(8, 3, 12, 12, generator=torch.Generator().manual_seed(0))
TARGETS = torch.arange(8) % 4


def gradient(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    leaf = images.clone().requires_grad_()
    (found,) = torch.autograd.grad(model(leaf).gather(1, targets[:, None]).sum(), leaf)
    return found.sum(1)


def the_image(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    return images.sum(1)


def test_two_networks() -> None:
    methods = {"gradient": gradient, "image": the_image}
    found = list(compare_label_training(small(), small(seed=1), IMAGES, TARGETS, methods, seed=0, max_batch=3))
    assert [(verdict.name, verdict.outcome) for verdict in found] == [("gradient", "passes"), ("image", "fails")]
    assert "with a network trained on random labels: rank correlation" in found[0].sentence
    (same,) = compare_label_training(small(), small(), IMAGES, TARGETS, {"gradient": gradient}, seed=0)
    assert same.outcome == "fails"


def test_both_networks_are_left_as_they_were() -> None:
    model, other = small(), small(seed=1)
    with unchanged(model), unchanged(other):
        list(compare_label_training(model, other, IMAGES, TARGETS, {"gradient": gradient}, seed=0))


def test_a_target_for_each_image() -> None:
    with pytest.raises(RequestError, match="2 targets for 8 images"):
        next(compare_label_training(small(), small(), IMAGES, TARGETS[:2], {}, seed=0))
