"""The layer that is chosen, the head behind it, and what is refused."""

import weakref
from pathlib import Path

import pytest
import torch
import torchvision
from attribution.subjects import flat, gap, some_images
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.catalog import methods_for_head
from cnnlab.attribution.layers import choose_layer
from cnnlab.attribution.trace import trace
from cnnlab.core.errors import RequestError
from cnnlab.core.yaml import parse
from cnnlab.models.build import Model
from cnnlab.walk.layouts import layouts_of

ROOT = Path(__file__).parents[2]


class OneByOne(nn.Module):
    """Takes its images apart."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = gap()

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.inner(image[None]) for image in x])


@pytest.mark.parametrize(
    ("name", "side", "layer", "channels", "activated", "head"),
    [
        ("resnet18", 64, "layer4", 512, True, "gap_linear"),
        ("vgg11", 64, "features.19", 512, True, "flatten_dense"),
        ("alexnet", 96, "features.11", 256, True, "flatten_dense"),
        ("mobilenet_v2", 64, "features", 1280, True, "gap_linear"),
        ("squeezenet1_1", 64, "features", 512, True, "other"),
        ("densenet121", 64, "features", 1024, False, "other"),
        ("convnext_tiny", 64, "features", 768, False, "gap_dense"),
        ("shufflenet_v2_x0_5", 64, "conv5", 1024, True, "gap_linear"),
    ],
)
def test_torchvision(name: str, side: int, layer: str, channels: int, activated: bool, head: str) -> None:
    """SqueezeNet's classifier and VGG's average pool are what another tool takes; neither is a feature map."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torchvision.models.get_model(name, weights=None, num_classes=10).train()
    choice = choose_layer(model, (3, side, side))
    assert (choice.name, choice.channels, choice.post_activation, choice.head.kind) == (
        layer,
        channels,
        activated,
        head,
    )
    assert choice.head.closed
    assert model.training


def test_vgg16_takes_the_last_relu_before_the_pool() -> None:
    with torch.device("meta"):
        model = torchvision.models.vgg16(weights=None).features
    small = nn.Sequential(model.to_empty(device="cpu"), nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Linear(512 * 49, 3))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for part in model:
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)
                nn.init.zeros_(part.bias)
    assert choose_layer(small, (3, 64, 64)).name == "0.29"


def built(yaml: str, shape: tuple[int, int, int] = (3, 32, 32), classes: int = 10) -> Model:
    from cnnlab.config.config import check_config
    from cnnlab.network.fresh import new_network

    config = check_config(parse(yaml, "net.yaml"), [], default_name="x", base=Path())
    with torch.random.fork_rng():
        return new_network(config, shape, classes)


@pytest.mark.parametrize(
    ("file", "last"),
    [("cnnlab/config/quickstart.yaml", ("conv_bn_act5", 64, 8)), ("configs/cifar.yaml", ("conv_bn_act6", 128, 4))],
)
def test_networks_of_configs(file: str, last: tuple[str, int, int]) -> None:
    choice = choose_layer(built((ROOT / file).read_text()), (3, 32, 32))
    assert (choice.name, choice.channels, choice.height) == last
    assert (choice.width, choice.post_activation) == (choice.height, True)
    assert (choice.head.kind, choice.head.affine, choice.head.mean_only) == ("gap_linear", True, True)
    assert choice.reason == "the last feature map before the head, after its activation"
    assert [c.name for c in choice.candidates if c.name.startswith("conv_bn_act") and "." not in c.name][-1] == last[0]


def test_flat_network_and_one_channel() -> None:
    layers = [
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(16, 120, 4), nn.Tanh(), nn.Flatten(), nn.Linear(120, 10),
    ]  # fmt: skip
    choice = choose_layer(nn.Sequential(*layers), (1, 28, 28))
    assert (choice.name, choice.channels, choice.height) == ("4", 16, 8)  # the 120 maps have one place each


def test_a_convolution_that_gives_one_map_per_class_is_part_of_the_head() -> None:
    layers = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 10, 1)]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    choice = choose_layer(nn.Sequential(*layers, *end), (3, 16, 16))
    assert (choice.name, choice.head.kind) == ("3", "gap_linear")


class Functional(nn.Module):
    """Activations and pools as functions, a dropout on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)
        self.block = Block()
        self.linear = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(self.conv2(self.conv1(x).relu()))
        return self.linear(
            nn.functional.adaptive_avg_pool2d(nn.functional.dropout(x, 0.5, self.training), 1).flatten(1)
        )


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x) + x)


def test_activations_as_functions() -> None:
    choice = choose_layer(Functional(), (3, 16, 16))
    assert (choice.name, choice.post_activation, choice.head.kind) == ("block", True, "gap_linear")
    assert [(c.name, c.post_activation) for c in choice.candidates] == [
        ("conv1", False), ("conv2", False), ("block.conv", False), ("block", True),
    ]  # fmt: skip


class Swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / (1 + torch.exp(-x))


def test_an_activation_of_ones_own() -> None:
    layers = [nn.Conv2d(3, 8, 3), Swish(), nn.MaxPool2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(8 * 49, 3)]
    choice = choose_layer(nn.Sequential(*layers), (3, 16, 16))
    assert (choice.name, choice.post_activation, choice.head.kind) == ("1", True, "flatten_dense")
    assert choice.head.affine is False  # a max pool lies before the linear layer


def head(model: nn.Module, layer: str) -> tuple[str, bool, bool]:
    found = choose_layer(model, (3, 16, 16), layer=layer).head
    return found.kind, found.affine, found.mean_only


def test_kinds_of_heads_by_what_they_do() -> None:
    assert head(gap(), "relu2") == ("gap_linear", True, True)
    assert head(gap(), "conv2") == ("other", False, False)  # a ReLU lies before the average
    assert head(gap(), "relu1") == ("other", False, False)
    assert head(flat(), "relu2") == ("flatten_dense", False, False)
    assert head(flat(hidden=False), "relu2") == ("flatten_dense", True, False)
    body = list(gap().children())[:6]
    for seed in range(10):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            dense = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 4)]
        assert head(nn.Sequential(*body, *dense), "5") == ("gap_dense", False, True)
    largest = [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(12, 4)]
    assert head(nn.Sequential(*body, *largest), "5") == ("other", False, False)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_heads_in_other_precisions(dtype: torch.dtype) -> None:
    assert head(gap().to(dtype), "relu2") == ("gap_linear", True, True)
    assert head(flat().to(dtype), "relu2") == ("flatten_dense", False, False)


def test_method_for_a_head() -> None:
    assert methods_for_head("gap_linear") == ("gradcam",)
    assert methods_for_head("flatten_dense") == ("hirescam", "integrated_gradients")
    found = attribute(flat(), some_images(2), [0, 1], methods=["gradcam", "hirescam"])
    assert "behind 'relu2' the head weighs every place by itself, which Grad-CAM averages away" in found[0].notes[0]
    assert found[1].notes == ()


class Around(nn.Module):
    """A path leads around the layer `inner`."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.linear = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu()
        return self.linear(torch.cat([x.mean((2, 3)), self.inner(x).mean((2, 3))], 1))


def test_a_layer_that_is_led_around_is_not_chosen() -> None:
    """`first` is what everything goes through; no module puts its ReLU out."""
    assert choose_layer(Around(), (3, 16, 16)).name == "first"
    asked = choose_layer(Around(), (3, 16, 16), layer="inner")
    assert (asked.head.kind, asked.head.closed, asked.reason) == ("other", False, "it was asked for")


@pytest.mark.parametrize("method", ["gradcam", "ablationcam"])
def test_refusals_name_what_would_do(method: str) -> None:
    def ask(layer: str) -> None:
        attribute(gap(), some_images(2), [0, 1], methods=[method], layers=[layer])

    with pytest.raises(RequestError, match=r"no layer 'rleu2'; known: conv1, .*Did you mean 'relu2'\?"):
        ask("rleu2")
    with pytest.raises(RequestError, match=r"'pool2' puts out 12 x 1 x 1: a single place.* is 'relu2' \(12 x 8 x 8\)"):
        ask("pool2")
    with pytest.raises(RequestError, match=r"'linear' puts out \(5,\) for an image.* is 'relu2' \(12 x 8 x 8\)"):
        ask("linear")


def test_a_network_without_feature_maps_is_refused() -> None:
    with pytest.raises(RequestError, match="use a pixel method"):
        choose_layer(nn.Sequential(nn.Flatten(), nn.Linear(48, 4)), (3, 4, 4))
    unused = nn.Sequential(gap())
    unused.add_module("spare", nn.Conv2d(3, 3, 1))
    unused.forward = lambda x: unused[0](x)  # type: ignore[method-assign]
    with pytest.raises(RequestError, match="layer 'spare' does not run"):
        attribute(unused, some_images(2), [0, 1], methods=["gradcam"], layers=["spare"])


def test_a_network_on_several_devices_and_one_that_is_compiled_are_explained_as_what_they_hold() -> None:
    compiled: list[object] = []

    def backend(graph: torch.fx.GraphModule, _: object) -> object:
        compiled.append(graph)
        return graph.forward

    plain = gap()
    expected = attribute(plain, some_images(2), [0, 1], methods=["gradcam", "ablationcam"])
    for model in (nn.DataParallel(plain), torch.compile(plain, backend=backend)):
        found = attribute(model, some_images(2), [0, 1], methods=["gradcam", "ablationcam"])  # type: ignore[arg-type]
        for one, other in zip(found, expected, strict=True):
            assert one.layers[0].endswith(".relu2")
            torch.testing.assert_close(one.maps, other.maps)
    assert not compiled


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (torch.jit.script(gap()), "the network is compiled by torch.jit.script"),
        (nn.Sequential(torch.jit.script(gap())), "layer '0' is compiled by torch.jit.script"),
        (OneByOne(), "layer 'inner.pool2' puts out .* in which the images of a batch are mixed"),
    ],
)
def test_where_no_layer_is_seen_the_reason_is_told(model: nn.Module, why: str) -> None:
    with pytest.raises(RequestError, match=rf"no layer of the network.*; {why}.*use a pixel method"):
        choose_layer(model, (3, 16, 16))


OUTLIVED: list[bool] = []
"""Not the network's own: what a network writes down is put back after a look at it."""


class Between(nn.Module):
    """What a layer takes is put out by no module, and let go of at once."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        between = self.first(images) * 2
        seen = weakref.ref(between)
        maps = torch.relu(self.second(between))
        del between
        OUTLIVED.append(seen() is not None)
        logits: Tensor = self.head(maps.mean((2, 3)))
        return logits


def test_what_a_layer_takes_lives_as_long_as_it_is_looked_for() -> None:
    """A tensor's id goes to the next one as soon as it is let go of, which would then be taken for it."""
    model, shape = Between(), (3, 8, 8)
    layouts = layouts_of(model, shape)
    OUTLIVED.clear()
    with torch.no_grad():
        model(torch.zeros(2, *shape))
    trace(model, torch.randn(2, *shape), layouts)
    assert OUTLIVED == [False, True]
