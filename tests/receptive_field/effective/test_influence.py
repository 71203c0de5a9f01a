import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from receptive_field.effective.subjects import small, some_images
from torch import Tensor, nn
from torchvision.models import resnet18

from cnnlab.receptive_field.effective.field import locate, summed_influence


def by_hand(forward: Callable[[Tensor], Tensor], images: Tensor, row: int, column: int) -> Tensor:
    """One image at a time, one backward each."""
    total = torch.zeros(images.shape[2:], dtype=torch.float64)
    for image in images:
        x = image[None].clone().requires_grad_()
        forward(x)[0, :, row, column].sum().backward()
        assert x.grad is not None
        total += x.grad[0].abs().mean(0)
    return total


@pytest.mark.parametrize("layer", ["0", "1", "2", "3", "4"])
@pytest.mark.parametrize("unit", [(0, 0), (2, 5), None])
def test_each_layer_is_autograd_by_hand(layer: str, unit: tuple[int, int] | None) -> None:
    """The next layer works in place: what counts is what this layer puts out."""
    net = small()
    found = locate(net, some_images(), layer=layer, unit=unit)
    assert found.position == (unit or (3, 3))
    fresh = [copy.deepcopy(module).eval() for module in net[: int(layer) + 1]]
    for module in fresh:
        if isinstance(module, nn.ReLU):
            module.inplace = False
    expected = by_hand(nn.Sequential(*fresh), some_images(), *found.position)
    assert expected.max() > 0
    torch.testing.assert_close(summed_influence(net, some_images(), found), expected, rtol=1e-12, atol=1e-15)


def test_a_residual_network_is_autograd_by_hand() -> None:
    torch.manual_seed(0)
    net = resnet18(weights=None).double().eval()
    images = some_images(2, 64)

    def trunk(x: Tensor) -> Tensor:
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        return net.layer2(net.layer1(x))

    found = locate(net, images, layer="layer2")
    assert (found.position, found.layout.size) == ((4, 4), (128, 8, 8))
    torch.testing.assert_close(summed_influence(net, images, found), by_hand(trunk, images, 4, 4), rtol=1e-9, atol=0)


def test_finite_differences() -> None:
    net, images = small().eval(), some_images(1, 8)
    unit = locate(net, images, layer="3", unit=(1, 2))
    assert str(unit) == "unit (1, 2) of layer '3'"

    def value(x: Tensor) -> Tensor:
        return net[:4](x)[0, :, 1, 2].sum()

    def difference(channel: int, row: int, column: int) -> float:
        step = torch.zeros_like(images)
        step[0, channel, row, column] = 1e-6
        with torch.no_grad():
            return float(value(images + step) - value(images - step)) / 2e-6

    influence = summed_influence(net, images, unit)
    for row, column in ((3, 4), (2, 3), (7, 7)):
        expected = sum(abs(difference(channel, row, column)) for channel in range(3)) / 3
        assert float(influence[row, column]) == pytest.approx(expected, abs=1e-8)
    assert influence[3, 4] > 0


def test_the_channels_of_a_unit_add_up_before_the_absolute_value() -> None:
    net = nn.Conv2d(1, 2, 1, bias=False).double()
    net.weight.data.copy_(torch.tensor([3.0, -2.0]).reshape(2, 1, 1, 1))
    x = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    assert float(summed_influence(net, x, locate(net, x, layer=None))[1, 1]) == 1.0


def test_the_rest_of_the_model_does_not_run() -> None:
    class Rest(nn.Module):
        ran = 0

        def forward(self, x: Tensor) -> Tensor:
            Rest.ran += 1
            return x

    net = nn.Sequential(nn.Conv2d(1, 1, 3), Rest())
    unit = locate(net, torch.randn(1, 1, 5, 5), layer="0")
    before = Rest.ran
    summed_influence(net, torch.randn(1, 1, 5, 5), unit)
    assert Rest.ran == before


def test_a_model_that_catches_every_exception_is_left_all_the_same() -> None:
    class Catching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3)

        def forward(self, x: Tensor) -> Tensor:
            try:
                return self.conv(x)
            except Exception:  # noqa: BLE001
                raise AssertionError("caught") from None

    net, x = Catching(), torch.randn(1, 1, 5, 5)
    assert summed_influence(net, x, locate(net, x, layer="conv")).count_nonzero() == 9


class Twice(nn.Module):
    """One convolution that runs `times` times."""

    def __init__(self, times: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        self.again = self.conv
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = self.conv(x)
        return x


@pytest.mark.parametrize("name", ["conv", "again"])
def test_a_layer_that_runs_twice_counts_with_its_last_run(name: str) -> None:
    net, x = Twice(), torch.randn(1, 1, 9, 9)
    unit = locate(net, x, layer=name)
    assert unit.run == 2
    assert summed_influence(net, x, unit).count_nonzero() == 25


def test_a_layer_that_runs_less_often_than_before_counts_with_its_last_run() -> None:
    """The forward pass then goes to its end, over an in-place step behind the layer."""

    class Wavering(Twice):
        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            if float(x.detach().sum()) > 0:
                y = self.conv(y)
            return y.mul_(0)

    net, x = Wavering(), torch.ones(1, 1, 9, 9)
    unit = locate(net, x, layer="conv")
    assert unit.run == 2
    expected = torch.zeros(9, 9, dtype=torch.float64)
    expected[3:6, 3:6] = net.conv.weight.detach().abs()[0, 0].double()
    assert torch.equal(summed_influence(net, -x, unit), expected)


def test_in_place_models_change_neither_the_images_nor_the_result() -> None:
    class Normalised(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu_(x.sub_(0.5).mul_(4))

    x = torch.rand(2, 1, 4, 4) + 1
    kept = x.clone()
    influence = summed_influence(Normalised(), x, locate(Normalised(), x, layer=None))
    assert torch.equal(x, kept)
    assert float(influence[2, 2]) == 8.0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_low_precision_is_summed_in_double(dtype: torch.dtype) -> None:
    net, images = small().to(dtype), some_images().to(dtype)
    influence = summed_influence(net, images, locate(net, images, layer="3"))
    exact = summed_influence(small(), some_images(), locate(small(), some_images(), layer="3"))
    assert influence.dtype == torch.float64
    torch.testing.assert_close(
        influence, exact, rtol=0, atol=float(exact.max()) * (0.05 if dtype != torch.float32 else 1e-5)
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_map() -> None:
    net, images = small(), some_images()
    expected = summed_influence(net, images, locate(net, images, layer="4"))
    net, images = net.cuda(), images.cuda()
    found = summed_influence(net, images, locate(net, images, layer="4"))
    assert found.device.type == "cpu"
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
