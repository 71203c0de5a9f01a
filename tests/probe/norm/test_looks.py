"""Looks at one network: batch-mates, scaled weights, layers, and the line along the gradient."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.models.layers.scaling import StochasticDepth
from cnnlab.probe.norm.activations import layer_states
from cnnlab.probe.norm.agreement import formula_facts, layer_agreements
from cnnlab.probe.norm.batch_mates import Mates, batch_mates
from cnnlab.probe.norm.folding import followed_layers, scaled_weights
from cnnlab.probe.norm.gradient_line import gradient_line
from cnnlab.probe.norm.layers import NormLayer, norm_layers
from cnnlab.probe.norm.recommendation import recommended


def network(norm: nn.Module, *more: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), norm, nn.ReLU(), *more, nn.Flatten(), nn.Linear(8 * 36, 5)).eval()


def images(count: int = 24) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(1)) + 0.5


def mates(model: nn.Module) -> dict[tuple[str, int], Mates]:
    *_, found = batch_mates(model, images(), torch.zeros(24, dtype=torch.int64), sizes=(2, 8, 32), seed=0)
    assert isinstance(found, tuple)
    return {(one.mode, one.size): one for one in found}


def test_batch_mates_matter_to_batch_norm_in_training_mode_alone() -> None:
    model = network(nn.BatchNorm2d(8))
    model.train()(images())
    before = {name: value.clone() for name, value in model.eval().state_dict().items()}
    found = mates(model)
    assert set(found) == {("evaluation", 8), ("batch statistics", 2), ("batch statistics", 8)}
    assert found["evaluation", 8].kept == found["evaluation", 8].agreement == 1
    assert found["evaluation", 8].spread < 1e-5
    small, large = found["batch statistics", 2], found["batch statistics", 8]
    assert small.spread > large.spread > 0.01
    assert small.kept <= small.agreement < 1
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_group_norm_does_not_know_its_batch_and_dropout_is_told_apart() -> None:
    for drops in (nn.Dropout(0.5), StochasticDepth(0.5, "image")):
        found = mates(network(nn.GroupNorm(2, 8), drops))
        assert found["batch statistics", 2].agreement == 1
        assert found["training", 2].agreement < 1


def test_scaled_weights_change_what_eps_explains_and_a_bias_nothing() -> None:
    model = network(nn.BatchNorm2d(8))
    (pair,) = followed_layers(model, images())
    assert (pair.layer, pair.norm, pair.bias) == ("0", "1", 8)
    (found,) = scaled_weights(model, images(), [pair], factors=(0.01, 10.0))
    for change in found.changes:
        assert change.output == pytest.approx(change.by_eps, rel=0.5, abs=2e-6)
    assert found.without_bias is not None
    assert found.without_bias < 1e-5
    (without_eps,) = scaled_weights(network(nn.BatchNorm2d(8, eps=1e-20)), images(), [pair], factors=(1e-3,))
    assert without_eps.changes[0].output < 1e-5


def test_a_layer_between_them_is_no_pair() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.BatchNorm2d(8)).eval()
    assert followed_layers(model, images()) == ()


def test_layers_are_what_autograd_and_counting_say() -> None:
    model = network(nn.BatchNorm2d(8)).train()
    with torch.no_grad():
        model[1].bias[3] = -100  # a dead channel
    labels = torch.arange(24) % 5
    before = model[1].running_mean.clone()
    first, head = layer_states(model, images(), lambda logits: F.cross_entropy(logits, labels))
    assert (first.layer, head.layer) == ("0", "4")
    assert first.dead == 1 / 8
    assert head.dead is None
    assert torch.equal(model[1].running_mean, before)
    assert model[0].weight.grad is None
    F.cross_entropy(model(images()), labels).backward()
    assert first.gradient == pytest.approx(float(model[0].weight.grad.norm()), rel=1e-4)
    with torch.no_grad():
        normed = model[1](model[0](images()))
    assert first.mean == pytest.approx(float(normed.mean()), rel=1e-4)
    assert first.deviation == pytest.approx(float(normed.std(correction=0)), rel=1e-4)


class Parabola(nn.Module):
    """½·Σ a·w² for any image: its gradient is a·w, and its smoothness the largest a."""

    def __init__(self) -> None:
        super().__init__()
        self.curvature = torch.tensor([3.0, 3.0])
        self.weight = nn.Parameter(torch.tensor([1.0, -2.0]))

    def forward(self, images: Tensor) -> Tensor:
        return (self.curvature * self.weight**2 / 2).sum().expand(len(images), 1)


def test_the_line_along_a_parabola_has_its_closed_form() -> None:
    model = Parabola()
    line = gradient_line(model, images(2), torch.mean, (0.1, 0.5))
    assert line.loss == pytest.approx(7.5)
    assert line.losses == pytest.approx([7.5 * 0.7**2, 7.5 * 0.5**2])
    assert line.loss_range == pytest.approx(7.5 * (0.49 - 0.25))
    assert line.changes == pytest.approx([0.3 * line.gradient, 1.5 * line.gradient])
    assert line.smoothness == pytest.approx(3)
    assert line.finite
    assert model.weight.tolist() == [1, -2]


def test_a_networks_own_norms_agree_with_the_formulas() -> None:
    for norm in (nn.BatchNorm2d(8), nn.GroupNorm(4, 8), nn.InstanceNorm2d(8)):
        (found,) = layer_agreements(network(norm), images())
        assert found.forward < 1e-5
        assert 0 < found.backward < 1e-4
    kinds = formula_facts(seed=3)
    assert kinds.worst < 1e-5
    assert [one.influence > 0 for one in kinds.kinds] == [True, False, False, False]


def test_norms_are_named_by_what_they_do() -> None:
    model = nn.Sequential(
        nn.BatchNorm1d(6), nn.GroupNorm(6, 6), nn.GroupNorm(1, 6), nn.GroupNorm(3, 6), nn.LayerNorm(6), nn.ReLU()
    )
    kinds = ["batch norm", "instance norm", "layer norm", "group norm", "layer norm"]
    assert [one.kind for one in norm_layers(model)] == kinds


def test_few_images_a_batch_warn_of_batch_norm_alone() -> None:
    batch, group = (NormLayer("x", kind, 8, "") for kind in ("batch norm", "group norm"))
    assert [recommended([batch], size).warns for size in (2, 7, 8, 32)] == [True, True, False, False]
    assert not recommended([group], 2).warns
