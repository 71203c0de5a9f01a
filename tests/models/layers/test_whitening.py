"""Whitening: the covariance of what comes out is the identity, whatever went in; and it is begun from images only."""

import pytest
import torch
from torch import Tensor, nn

from cnnlab.config.config import read_config
from cnnlab.core.errors import RequestError, ShapeError
from cnnlab.core.registry import component
from cnnlab.fit.freezing import Freezing
from cnnlab.fit.parameter_groups import learning_parameters
from cnnlab.models import catalog  # noqa: F401
from cnnlab.models.data_dependent import begin_as, begin_from_images
from cnnlab.models.initialization import initialize
from cnnlab.models.layers.whitening import Whitening
from cnnlab.network.session import Session
from cnnlab.training.setup import set_up_training

IDENTITY = torch.eye(12, dtype=torch.float64)


def layer(**options: object) -> Whitening:
    torch.manual_seed(0)
    made: Whitening = component("layer", "whitening", **options).build(shape=(3, 8, 8))
    return made.double()


def photographs(count: int = 60, *, seed: int = 1) -> Tensor:
    """Noise whose neighbours and channels are correlated, as those of photographs are."""
    noise = torch.randn(count, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    smooth = noise + 2 * noise.roll(1, 2) + noise.roll(1, 3)
    return smooth + 0.5 * smooth.roll(1, 1) + torch.tensor([0.3, -2.0, 1.0])[:, None, None]


def covariance(outputs: Tensor) -> Tensor:
    return torch.cov(outputs.transpose(0, 1).flatten(1), correction=0)


@pytest.mark.parametrize("batch", [60, 7])
def test_outputs_are_uncorrelated_with_variance_one(batch: int) -> None:
    made, images = layer(eps=1e-12), photographs()
    made.begin_from(images.split(batch))
    outputs = made(images).detach()
    assert torch.allclose(covariance(outputs[:, :12]), IDENTITY, atol=1e-9)
    assert torch.equal(outputs[:, 12:], -outputs[:, :12])
    assert not torch.allclose(covariance(torch.nn.functional.unfold(images, 2)[:, :, 0].T[None]), IDENTITY, atol=0.5)


def test_eps_damps_the_directions_of_little_variance() -> None:
    sharp, damped = layer(eps=1e-12), layer(eps=3.0)
    for one in (sharp, damped):
        one.begin_from([photographs()])
    patches = torch.nn.functional.unfold(photographs(), 2).transpose(1, 2).flatten(0, 1)
    variances = torch.linalg.eigvalsh(torch.cov(patches.T, correction=0)).flip(0)
    assert torch.allclose(
        damped.weight / sharp.weight, (variances / (variances + 3)).sqrt().repeat(2)[:, None, None, None]
    )


def test_filters_are_the_same_whatever_the_order_of_the_images() -> None:
    one, other = layer(), layer()
    one.begin_from([photographs()])
    other.begin_from(photographs().flip(0).split(13))
    assert torch.allclose(one.weight, other.weight, atol=1e-9)


def test_without_images_it_is_an_orthogonal_basis_and_no_initialization_changes_it() -> None:
    made = layer()
    rows = made.weight[:12].flatten(1)
    assert torch.allclose(rows @ rows.T, IDENTITY, atol=1e-6)
    before = made.weight.clone()
    initialize(nn.Sequential(made), component("initialization", "kaiming"), seed=1)
    assert torch.equal(made.weight, before)
    assert torch.equal(made.bias, torch.zeros(24))


def test_the_filters_are_kept_and_the_biases_learn() -> None:
    model = nn.Sequential(layer(), nn.Flatten(), nn.Linear(24 * 49, 2))
    freezing = Freezing(model, [], {}, statistics=True)
    groups = learning_parameters(model, freezing=freezing).groups(lr=0.1, weight_decay=0.0)
    assert [group["names"] for group in groups] == [["0.bias", "2.weight", "2.bias"]]
    assert freezing.trainable == freezing.trainable_ever == 24 + 2 * (24 * 49 + 1)
    freezing.begin(1)
    assert [parameter.requires_grad for parameter in model.parameters()] == [False, True, True, True]


def test_it_looks_at_what_reaches_it_and_leaves_the_network_as_it_was() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3, momentum=1.0), layer(eps=1e-12, images=30)).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([1.0, 3.0, 0.2]))
    asked: list[int] = []

    def batches(count: int) -> list[Tensor]:
        asked.append(count)
        return list(photographs()[:count].split(16))

    assert begin_from_images(model, batches) == ["1 begins from 30 training images"]
    assert asked == [30]
    assert model.training
    assert torch.equal(model[0].running_mean, torch.zeros(3))
    assert torch.allclose(covariance(model.eval()(photographs()[:30])[:, :12].detach()), IDENTITY, atol=1e-9)


def test_a_network_made_anew_begins_with_the_same_filters() -> None:
    trained, anew = (nn.Sequential(layer(), nn.Conv2d(24, 2, 1).double()) for _ in range(2))
    begin_from_images(trained, lambda count: [photographs()])
    with torch.no_grad():
        trained[0].bias += 1
    before = {name: value.clone() for name, value in anew.state_dict().items()}
    begin_as(anew, trained.state_dict())
    assert torch.equal(anew[0].weight, trained[0].weight)
    assert all(torch.equal(value, before[name]) for name, value in anew.state_dict().items() if name != "0.weight")
    for other in ({}, {"0.weight": torch.zeros(2, 3, 2, 2)}):  # of another network
        begin_as(anew, other)
        assert torch.equal(anew[0].weight, trained[0].weight)


def test_what_cannot_be_whitened() -> None:
    with pytest.raises(RequestError, match="holds a value that is not finite"):
        layer().begin_from([torch.full((2, 3, 4, 4), torch.nan)])
    with pytest.raises(RequestError, match="no image reaches it"):
        layer().begin_from([])
    with pytest.raises(ShapeError, match="its patches have 3,072 values, and it takes 2,048 at most"):
        component("layer", "whitening", kernel=32).build(shape=(3, 64, 64))
    with pytest.raises(ShapeError, match=r"\(channels, height, width\)"):
        component("layer", "whitening").build(shape=(12,))


def test_a_training_begins_from_its_images_unless_it_goes_on(tmp_path) -> None:
    path = tmp_path / "white.yaml"
    path.write_text(
        "data: {dataset: {shapes: {train_count: 60, size: 16}}}\nmodel: [{whitening: {images: 40, eps: 1.0e-9}}, "
        "flatten, linear]\n"
    )
    config, session = read_config(path), Session(device_name="cpu")
    setup = set_up_training(config, session)
    assert "whitening1 begins from 40 training images" in setup.remarks
    assert not setup.network[0].weight.requires_grad
    weight = setup.network[0].weight
    assert torch.equal(weight, set_up_training(config, session).network[0].weight)
    begun = set_up_training(config, session, begun=True)
    rows = begun.network[0].weight[:12].flatten(1)
    assert torch.allclose(rows @ rows.T, torch.eye(12), atol=1e-5)
    assert not torch.allclose(weight, begun.network[0].weight, atol=0.1)
