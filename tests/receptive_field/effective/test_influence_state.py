"""The model after a capture, and after one that failed or was refused."""

from collections.abc import Callable

import pytest
import torch
from receptive_field.effective.subjects import small, some_images
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.receptive_field.effective.field import Unit, locate, summed_influence
from cnnlab.walk.layout import Layout


def state(net: nn.Module) -> list[object]:
    return [
        [module.training for module in net.modules()],
        [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in net.modules()],
        [parameter.requires_grad for parameter in net.parameters()],
        [None if parameter.grad is None else parameter.grad.clone() for parameter in net.parameters()],
        [value.clone() for value in net.state_dict().values()],
    ]


def same(left: object, right: object) -> bool:
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return torch.equal(left, right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def in_a_mixed_state() -> nn.Sequential:
    net = small().train()
    net[1].eval()
    net[0].weight.requires_grad_(False)
    net[3].weight.grad = torch.full_like(net[3].weight, 7.0)
    return net


def test_the_state_is_as_before() -> None:
    net = in_a_mixed_state()
    before, images = state(net), some_images()
    rng = torch.get_rng_state()
    summed_influence(net, images, locate(net, images, layer="4"))
    assert same(state(net), before)
    assert not images.requires_grad
    assert images.grad is None
    assert torch.equal(rng, torch.get_rng_state())


@pytest.mark.parametrize("call", ["locate", "influence"])
def test_the_state_is_as_before_after_an_exception(call: str) -> None:
    net, images = in_a_mixed_state(), some_images()
    unit = locate(net, images, layer="4")

    def fail(module: nn.Module, inputs: object, output: object) -> None:
        raise OSError("in the middle")

    with net[2].register_forward_hook(fail):
        before = state(net)
        with pytest.raises(OSError, match="in the middle"):
            locate(net, images, layer="4") if call == "locate" else summed_influence(net, images, unit)
        assert same(state(net), before)


@pytest.mark.parametrize("outer", [torch.no_grad, torch.inference_mode])
def test_a_caller_without_gradients_and_frozen_weights(outer: Callable[[], torch.no_grad]) -> None:
    net = small().requires_grad_(False)
    expected = summed_influence(net, some_images(), locate(net, some_images(), layer="4"))
    with outer():
        images = some_images()
        assert torch.equal(summed_influence(net, images, locate(net, images, layer="4")), expected)
        assert torch.is_grad_enabled() is False


class Odd(nn.Module):
    """Layers whose outputs are no maps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1)
        self.features = nn.Flatten()
        self.pair = nn.LSTM(4, 3, batch_first=True)
        self.cut = nn.Identity()
        self.unused = nn.Identity()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.conv(x)
        self.pair(y.mean(1))
        self.features(y)
        return {"y": self.cut(y.detach())}


@pytest.mark.parametrize(
    ("layer", "unit", "message"),
    [
        ("cov", None, "no layer 'cov'; known: conv, features, pair, cut, unused. Did you mean 'conv'?"),
        ("", None, "no layer ''"),
        ("unused", None, "layer 'unused' does not run when the model is given an image"),
        ("pair", None, "layer 'pair' puts out a tuple, not a tensor"),
        (None, None, "the model puts out a dict, not a tensor"),
        (
            "features",
            None,
            r"'features' puts out \(32,\) for an image, without height and width.* is 'conv' \(2 x 4 x 4\)",
        ),
        ("conv", (4, 0), r"unit \(4, 0\): layer 'conv' puts out a map of 4×4; a unit is .* \(3, 3\)"),
        ("conv", (0, -1), r"unit \(0, -1\)"),
    ],
)
def test_what_cannot_be_asked_for(layer: str | None, unit: tuple[int, int] | None, message: str) -> None:
    net = Odd()
    before = state(net)
    with pytest.raises(RequestError, match=message):
        locate(net, torch.randn(1, 3, 4, 4), layer=layer, unit=unit)
    assert same(state(net), before)


def test_what_cannot_be_differentiated() -> None:
    x = torch.randn(1, 3, 4, 4)
    with pytest.raises(RequestError, match="no gradient goes from layer 'cut' to the image"):
        summed_influence(Odd(), x, locate(Odd(), x, layer="cut"))
    with pytest.raises(RequestError, match="no images"):
        locate(Odd(), x[:0], layer="conv")
    broken = nn.Conv2d(3, 1, 1)
    broken.weight.data.fill_(float("nan"))
    with pytest.raises(WorkError, match=r"gradient of unit \(2, 2\) of the model is NaN or infinite"):
        summed_influence(broken, x, locate(broken, x, layer=None))


def test_a_unit_of_another_size_is_refused() -> None:
    net, unit = nn.Conv2d(3, 1, 1), Unit(None, (2, 2), 1, Layout((1, 1, 9, 9), 0, (1,), (2, 3)))
    with pytest.raises(RequestError, match=r"put out \(1, 9, 9\) for the first image and \(1, 4, 4\)"):
        summed_influence(net, torch.randn(1, 3, 4, 4), unit)
