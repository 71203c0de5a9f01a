import pytest
import torch
from networks import small, unchanged
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.inside.features.feature_maps import SPARSE, feature_maps


class Block(nn.Module):
    """x + conv(x), inside a container that hands on what its last layer made."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(inplace=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.branch(x)


def images(n: int = 5, size: int = 12) -> torch.Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_maps_are_those_of_the_layers_run_by_hand() -> None:
    network, x = small().eval(), images()
    first, second = feature_maps(network, x, ["conv1", "relu2"])
    with torch.no_grad():
        conv1 = network.conv1(x)
        relu2 = network[:6](x)
    torch.testing.assert_close(first.maps, conv1)
    torch.testing.assert_close(second.maps, relu2)
    for maps, facts in ((conv1, first.numbers), (relu2, second.numbers)):
        for channel in range(maps.shape[1]):
            values = maps[:, channel]
            assert float(facts.minimum[channel]) == float(values.min())
            assert float(facts.maximum[channel]) == float(values.max())
            assert float(facts.mean[channel]) == pytest.approx(float(values.mean()), abs=1e-6)
            assert float(facts.zeros[channel]) == pytest.approx(float((values == 0).sum() / values.numel()))
            assert float(facts.active[channel]) == pytest.approx(float((values > 0).sum() / values.numel()))


def test_dead_and_sparse_channels() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU())
    convolution = network[0]
    assert isinstance(convolution, nn.Conv2d)
    with torch.no_grad():
        convolution.weight.fill_(1.0)
        convolution.bias.copy_(torch.tensor([-1000.0, -18.5, -17.5, 0.0]))
    # values 0 … 19: one in twenty is above 18.5, two in twenty above 17.5
    facts = feature_maps(network, torch.arange(20.0).reshape(1, 1, 4, 5), ["1"])[0].numbers
    assert facts.active.tolist() == pytest.approx([0, 0.05, 0.1, 0.95])
    assert SPARSE == 0.05
    assert (facts.dead, facts.sparse) == ((0,), (1,))
    assert facts.zeros.tolist() == pytest.approx([1, 0.95, 0.9, 0.05])


def test_numbers_of_batches_together_are_those_of_all_images() -> None:
    network, x = small(), images()
    (whole,), (one,), (two,) = (feature_maps(network, some, ["relu1"]) for some in (x, x[:2], x[2:]))
    both = one.numbers.with_more(two.numbers)
    assert (both.pictures, both.size) == (5, whole.numbers.size)
    for name in ("minimum", "mean", "maximum", "zeros", "active"):
        torch.testing.assert_close(getattr(both, name), getattr(whole.numbers, name), rtol=1e-6, atol=1e-7)


def test_nothing_is_changed() -> None:
    network = small()
    with unchanged(network):
        feature_maps(network, images(), ["relu1", "conv2"])
    with unchanged(network), pytest.raises(RuntimeError):
        feature_maps(network, torch.zeros(2, 5, 12, 12), ["relu1"])


def test_what_has_no_maps() -> None:
    network = small()
    with pytest.raises(RequestError, match="no layer 'relu3'"):
        feature_maps(network, images(), ["relu3"])
    with pytest.raises(RequestError, match=r"'linear' puts out \(4,\) for an image.* is 'relu2' \(8 x 3 x 3\)"):
        feature_maps(network, images(), ["linear"])
    network.forward = lambda x: network.conv1(x)  # type: ignore[method-assign]
    with pytest.raises(RequestError, match="'conv2' does not run"):
        feature_maps(network, images(), ["conv2"])
