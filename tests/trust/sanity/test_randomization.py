import pytest
import torch
from networks import small, unchanged
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.trust.sanity.randomization import (
    RandomizedLayer,
    execution_order,
    layers_from_output,
    normalizations_after,
    randomize_layer,
    recalibrate,
)


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Turned(nn.Module):
    """Defined in another order than it runs, with parameters of its own, an unused layer and attention."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 3)
        self.unused = nn.Sequential(nn.Linear(4, 4))
        self.attention = nn.MultiheadAttention(4, 1, batch_first=True)
        self.first = nn.Conv2d(1, 4, 3)
        self.scale = nn.Parameter(torch.arange(3.0))

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.first(images).flatten(2).mT
        return self.last(self.attention(tokens, tokens, tokens)[0].mean(1)) * self.scale


def test_layers_are_in_order_of_execution_from_the_output() -> None:
    model = small()
    assert [layer.name for layer in layers_from_output(model, drawn(0, 2, 3, 8, 8))] == [
        "linear",
        "conv2",
        "norm1",
        "conv1",
    ]
    assert layers_from_output(Turned(), drawn(0, 2, 1, 6, 6)) == (
        RandomizedLayer("", "permuted"),
        RandomizedLayer("last", "reset"),
        RandomizedLayer("attention.out_proj", "reset"),
        RandomizedLayer("attention", "permuted"),
        RandomizedLayer("first", "reset"),
    )


def test_a_layer_that_runs_twice_counts_by_its_last_time() -> None:
    layer = nn.Conv2d(2, 2, 1)
    model = nn.Sequential(layer, nn.Conv2d(2, 2, 1), layer, nn.Flatten())
    assert [one.name for one in layers_from_output(model, drawn(0, 1, 2, 2, 2))] == ["0", "1"]


def test_looking_at_the_order_changes_nothing() -> None:
    model = small()
    with unchanged(model):
        execution_order(model, drawn(0, 1, 3, 8, 8))
    with unchanged(model), pytest.raises(RuntimeError):
        execution_order(model, drawn(0, 1, 5, 8, 8))


def test_a_model_without_parameters_has_nothing_to_randomise() -> None:
    with pytest.raises(RequestError, match="no parameters"):
        layers_from_output(nn.Sequential(nn.Flatten()), drawn(0, 1, 1, 2, 2))


def test_fresh_weights_have_the_layers_law() -> None:
    """PyTorch's is uniform in ±1/√fan_in: a trained weight ten times as large leaves no trace."""
    model = nn.Sequential(nn.Conv2d(8, 64, 3), nn.BatchNorm2d(64))
    with torch.no_grad():
        model[0].weight.mul_(10)
        model[1].weight.fill_(3)
        model[1].bias.fill_(-2)
    before = model[0].weight.detach().clone()
    for name in ("0", "1"):
        randomize_layer(model, RandomizedLayer(name, "reset"), seed=0)
    weight, bound = model[0].weight.detach(), (8 * 9) ** -0.5
    assert not torch.equal(weight, before)
    assert 0.99 * bound < float(weight.abs().max()) <= bound
    assert float(weight.std()) == pytest.approx(bound / 3**0.5, rel=0.03)
    assert abs(float(torch.corrcoef(torch.stack([weight.flatten(), before.flatten()]))[0, 1])) < 0.06
    assert model[1].weight.tolist() == [1] * 64
    assert model[1].bias.tolist() == [0] * 64


class Gain(nn.Linear):
    """A linear layer with a parameter that `reset_parameters` does not know."""

    def __init__(self) -> None:
        super().__init__(6, 6)
        self.gain = nn.Parameter(torch.arange(6.0))


def test_what_reset_does_not_know_is_permuted() -> None:
    model = Gain()
    before = model.weight.detach().clone()
    randomize_layer(model, RandomizedLayer("", "reset"), seed=0)
    assert sorted(model.gain.tolist()) == [0, 1, 2, 3, 4, 5] != model.gain.tolist()
    assert not torch.equal(before.flatten().sort().values, model.weight.detach().flatten().sort().values)
    turned = Turned()
    turned.scale.data = torch.arange(3.0)
    randomize_layer(turned, RandomizedLayer("", "permuted"), seed=3)
    assert sorted(turned.scale.tolist()) == [0, 1, 2]


def test_a_seed_is_a_network_and_global_state_is_left_alone() -> None:
    models = [small() for _ in range(3)]
    torch.manual_seed(0)
    state = torch.get_rng_state()
    for model, seed in zip(models, (1, 1, 2), strict=True):
        randomize_layer(model, RandomizedLayer("conv2", "reset"), seed=seed)
    assert torch.equal(torch.get_rng_state(), state)
    first, again, other = (model.conv2.weight for model in models)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    # and nothing but that layer
    assert all(
        torch.equal(values, models[2].state_dict()[name])
        for name, values in small().state_dict().items()
        if not name.startswith("conv2")
    )


@pytest.mark.parametrize("max_batch", [2, 3, 100])
def test_statistics_are_those_of_the_images(max_batch: int) -> None:
    model, images = small(), drawn(1, 6, 3, 8, 8)
    recalibrate(model, images, ["norm1"], max_batch=max_batch)
    incoming = model.conv1(images).detach()
    assert isinstance(model.norm1, nn.BatchNorm2d)
    assert model.norm1.running_mean is not None
    assert model.norm1.running_var is not None
    torch.testing.assert_close(model.norm1.running_mean, incoming.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    parts = incoming.split(max_batch)
    variances = torch.stack([part.transpose(0, 1).flatten(1).var(1) for part in parts]).mean(0)
    torch.testing.assert_close(model.norm1.running_var, variances, rtol=1e-4, atol=1e-5)


def test_only_statistics_move() -> None:
    model, images = small(), drawn(2, 5, 3, 8, 8)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    model.train()
    model.norm1.eval()
    recalibrate(model, images, ["norm1"], max_batch=2)
    moved = {name for name, values in model.state_dict().items() if not torch.equal(values, before[name])}
    assert moved == {"norm1.running_mean", "norm1.running_var", "norm1.num_batches_tracked"}
    assert (model.norm1.training, model.conv1.training, model.norm1.momentum) == (False, True, 0.1)


def test_one_image_has_no_statistics() -> None:
    with pytest.raises(RequestError, match="needs two or more images"):
        recalibrate(small(), drawn(2, 1, 3, 8, 8), ["norm1"], max_batch=4)
    recalibrate(small(), drawn(2, 1, 3, 8, 8), [], max_batch=4)


def test_only_normalisations_whose_input_changed() -> None:
    model = nn.Sequential(
        nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 4), nn.BatchNorm1d(4)
    )
    order = execution_order(model, drawn(3, 2, 3, 2, 2))
    assert normalizations_after(model, order, "4") == ("5",)
    assert normalizations_after(model, order, "1") == ("2", "5")
    assert normalizations_after(model, order, "0") == ("0", "2", "5")
