"""The networks of configs/zoo/; the oracle is torchvision's or timm's network with its weights in ours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
import timm
import torch
import torch.nn.functional as F
from architectures.facts import FILES, ZOO, costs_of, counts_of, depth_of, field_of, shape_of, small_of, zoo_network
from architectures.page import speeds
from timm.layers import ScaledStdConv2d
from timm.models.nfnet import NfCfg, NormFreeNet
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from cnnlab.config.config import read_config
from cnnlab.core.arithmetic import Shape
from cnnlab.models.by_structure import load_by_structure
from cnnlab.models.layers.composite import Parallel

Theirs = Callable[[], nn.Module]


def _with_head(model: nn.Module, features: int) -> nn.Module:
    """A VGG or an AlexNet for small images: nothing pooled before the head, and 16 features in it instead of 4,096."""
    model.avgpool = nn.Identity()
    relu, dropout = nn.ReLU(), nn.Dropout()
    model.classifier = nn.Sequential(
        nn.Linear(features, 16), relu, dropout, nn.Linear(16, 16), relu, dropout, nn.Linear(16, 10)
    )
    return model


SMALL_DENSE = ("blocks.dense.layers.0.linear.features=16",)
SMALL_HEAD = ("model.15.linear.features=16", "model.18.linear.features=16")

WITH_SMALL_HEADS: dict[str, tuple[Theirs, int, tuple[str, ...]]] = {
    "alexnet": (lambda: _with_head(models.alexnet(), 256), 64, SMALL_HEAD),
    "vgg11": (lambda: _with_head(models.vgg11(init_weights=False), 512), 32, SMALL_DENSE),
    "vgg16": (lambda: _with_head(models.vgg16(init_weights=False), 512), 32, SMALL_DENSE),
    "vgg11-bn": (lambda: _with_head(models.vgg11_bn(init_weights=False), 512), 32, SMALL_DENSE),
    "vgg16-bn": (lambda: _with_head(models.vgg16_bn(init_weights=False), 512), 32, SMALL_DENSE),
}
"""By the file's name: torchvision's network for 10 classes, a size of image in pixels, and changes of the config."""


def _norm_free() -> nn.Module:
    """NFNet-F0 at a quarter of its width, with no floor under a filter's variance."""
    config = NfCfg(
        depths=(1, 2, 6, 3), channels=(64, 128, 384, 384), stem_type="deep_quad", stem_chs=32, group_size=32,
        bottle_ratio=0.5, extra_conv=True, gamma_in_act=True, skipinit=True, num_features=768, act_layer="gelu",
        attn_layer="se", attn_kwargs={"rd_ratio": 0.5},
    )  # fmt: skip
    model = NormFreeNet(config)
    for module in model.modules():
        if isinstance(module, ScaledStdConv2d):
            module.eps = 1e-30
    return model


COUNTERPARTS: dict[str, tuple[Theirs, int]] = {
    "resnet18": (models.resnet18, 32),
    "resnet34": (models.resnet34, 32),
    "resnet50": (models.resnet50, 32),
    "densenet121": (models.densenet121, 32),
    "googlenet": (lambda: models.googlenet(aux_logits=False, init_weights=False), 45),
    "squeezenet": (models.squeezenet1_1, 32),
    "mobilenet-v1": (lambda: timm.create_model("mobilenetv1_100"), 32),
    "mobilenet-v2": (models.mobilenet_v2, 32),
    "mobilenet-v3-large": (models.mobilenet_v3_large, 32),
    "mobilenet-v3-small": (models.mobilenet_v3_small, 32),
    "shufflenet-v2": (models.shufflenet_v2_x1_0, 32),
    "efficientnet-b0": (models.efficientnet_b0, 32),
    "convnext-tiny": (models.convnext_tiny, 32),
    "convmixer": (lambda: timm.create_model("convmixer_768_32"), 14),
    "repvgg-a0": (lambda: timm.create_model("repvgg_a0"), 32),
    "nfnet": (_norm_free, 32),
}
"""By the file's name: torchvision's or timm's network for 1,000 classes, and a size of image in pixels."""

SEEN = ("resnet18", "googlenet", "shufflenet-v2", "efficientnet-b0", "convnext-tiny")
"""Those whose receptive field is worked out for both."""


RANDOM = ("kaiming_uniform_", "kaiming_normal_", "normal_", "trunc_normal_", "uniform_", "xavier_uniform_")
"""What torch draws weights by."""


@contextmanager
def _filled_quickly() -> Iterator[None]:
    """Weights repeat the same numbers, as large as fan-ins ask for: to draw millions takes longer than to use them."""
    numbers = torch.randn(65_537)

    def fill(tensor: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        times = -(-tensor.numel() // len(numbers))
        with torch.no_grad():
            drawn = numbers.to(tensor.device).repeat(times)[: tensor.numel()].view(tensor.shape)
            return tensor.copy_(drawn / max(1, tensor[0].numel()) ** 0.5)

    with patch.multiple(nn.init, **dict.fromkeys(RANDOM, fill)):
        yield


def _with_statistics(model: nn.Module) -> nn.Module:
    """The network in float64, its norms and scales with numbers that a fresh one does not have."""
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.dtype.is_floating_point and (tensor.dim() <= 1 or name.endswith(("scale", "gain"))):
            nn.init.uniform_(tensor, 0.5, 1.5)
    return model.double().eval()


def _logits_are_equal(ours: nn.Module, theirs: nn.Module, size: int) -> None:
    paired = load_by_structure(ours, theirs, (3, size, size))
    assert set(paired) == set(ours.state_dict())
    images = torch.randn(1, 3, size, size, dtype=torch.float64)
    with torch.no_grad():
        logits = theirs(images)
        assert (ours(images) - logits).abs().max() <= 1e-10 * max(1.0, logits.abs().max().item())
    assert logits.std() > 1e-3


def _learns(network: nn.Module, shape: Shape) -> None:
    """Two steps on two images of two classes reach every weight."""
    network.float().train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    for _ in range(2):  # gradients add up: a block may be left out for both images of one step
        loss = F.cross_entropy(network(torch.randn(2, *shape)), torch.tensor([0, 1]))
        loss.backward()
        optimizer.step()
    assert loss.isfinite()
    gradients = [parameter.grad for parameter in network.parameters() if parameter.dim() > 1]
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in gradients)


def _costs_for_torch(model: nn.Module) -> tuple[int, int]:
    """Parameters, and multiply-accumulates for an image of 224 px as torch counts them; the model loses its values."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.to("meta")(torch.empty(1, 3, 224, 224, dtype=torch.float64, device="meta"))
    return sum(parameter.numel() for parameter in model.parameters()), counter.get_total_flops() // 2


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_it_is_the_network_that_others_have(name: str) -> None:
    make, size = COUNTERPARTS[name]
    with _filled_quickly():
        theirs, ours = make(), zoo_network(ZOO / f"{name}.yaml", size=size, classes=1000).double()
    said = counts_of(ZOO / f"{name}.yaml")
    _logits_are_equal(ours, _with_statistics(theirs), size)
    assert costs_of(ours, (3, 224, 224)) == said.costs == _costs_for_torch(theirs)
    _learns(ours, (3, size, size))
    assert depth_of(ours.eval(), (3, size, size)) == said.depth
    if name in SEEN:
        assert field_of(ours, (3, 224, 224)) == said.field == field_of(theirs, (3, 224, 224))


@pytest.mark.parametrize("name", WITH_SMALL_HEADS)
def test_it_is_the_network_that_torchvision_has(name: str) -> None:
    make, size, changes = WITH_SMALL_HEADS[name]
    with _filled_quickly():
        theirs, ours = make(), zoo_network(ZOO / f"{name}.yaml", size=size, changes=changes).double()
    _logits_are_equal(ours, _with_statistics(theirs), size)
    _learns(ours, (3, size, size))
    assert depth_of(ours.eval(), (3, size, size)) == counts_of(ZOO / f"{name}.yaml").depth
    with torch.device("meta"):
        theirs = models.get_model(name.replace("-", "_")).double().eval()
        ours = zoo_network(ZOO / f"{name}.yaml", classes=1000, device="meta")
    assert costs_of(ours, (3, 224, 224)) == counts_of(ZOO / f"{name}.yaml").costs == _costs_for_torch(theirs)


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.stem not in {*COUNTERPARTS, *WITH_SMALL_HEADS, "replknet"}],
    ids=lambda path: path.stem,
)
def test_of_those_that_nobody_else_has_the_header_says_what_they_cost(path: Path) -> None:
    said = counts_of(path)
    channels, side, _ = shape_of(path)
    size = min(side, 32)
    network = zoo_network(path, size=size, classes=said.classes)
    assert costs_of(network, shape_of(path)) == said.costs
    _learns(network, (channels, size, size))
    assert depth_of(network.eval(), (channels, size, size)) == said.depth


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "vgg11", "resnet18-cifar"])
def test_the_header_says_what_the_network_sees(name: str) -> None:
    path = ZOO / f"{name}.yaml"
    assert field_of(zoo_network(path, device="meta"), shape_of(path)) == counts_of(path).field


@pytest.mark.parametrize("path", [path for path in FILES if small_of(path)], ids=lambda path: path.stem)
def test_for_small_images_it_is_what_the_header_says(path: Path) -> None:
    small = small_of(path)
    assert small is not None
    changes, (parameters, macs, _) = small
    network = zoo_network(path, changes=changes)
    assert costs_of(network, (3, 32, 32)) == (parameters, macs)
    sizes: list[int] = []
    network.global_avg_pool1.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape[-1]))
    with torch.no_grad():
        network(torch.zeros(1, 3, 32, 32))
    assert min(sizes) >= 2


def test_a_network_of_large_kernels_is_its_formulas() -> None:
    path = ZOO / "replknet.yaml"
    stages = [(64, 31, 2), (128, 29, 2), (256, 27, 6), (512, 13, 2)]

    def unit(inputs: int, outputs: int, kernel: int = 1, groups: int = 1) -> int:
        return outputs * inputs // groups * kernel**2 + 2 * outputs

    parameters, field, stride = 512 * 2 + 513 * 1000, 3, 2
    parameters += unit(3, 64, 3) + 2 * unit(64, 64, 3, 64) + unit(64, 64)
    field, stride = field + 2 * (2 + 2), 4
    for width, kernel, times in stages:
        if width > 64:
            parameters += unit(width // 2, width) + unit(width, width, 3, width)
            field, stride = field + 2 * stride, stride * 2
        depthwise = unit(width, width, kernel, width) + unit(width, width, 5, width)
        pixelwise = 2 * unit(width, width) + unit(width, 4 * width) + unit(4 * width, width)
        parameters += times * (depthwise + pixelwise + 4 * width)
        field += times * (kernel - 1) * stride
    assert (counts_of(path).parameters, counts_of(path).field) == (parameters, field)
    network = zoo_network(path, size=32, classes=1000)
    assert costs_of(network, (3, 224, 224)) == counts_of(path).costs
    _learns(network, (3, 32, 32))
    assert depth_of(network.eval(), (3, 32, 32)) == counts_of(path).depth
    assert field_of(network, (3, 224, 224)) == field


def test_the_small_kernel_beside_a_large_one_can_be_added_to_it() -> None:
    changes = ["model=[conv: {channels: 4}, large: {width: 4, kernel: 13}, global_avg_pool, linear]"]
    network = _with_statistics(zoo_network(ZOO / "replknet.yaml", size=16, changes=changes))
    both = next(module for module in network.modules() if isinstance(module, Parallel))
    large, small = (fuse_conv_bn_eval(branch[0].conv, branch[0].norm) for branch in both.children())
    images = torch.randn(1, 4, 16, 16, dtype=torch.float64)
    one = F.conv2d(images, large.weight + F.pad(small.weight, [4] * 4), large.bias + small.bias, padding=6, groups=4)
    assert (both(images) - one).abs().max() <= 1e-10


def test_the_page_has_the_speeds_that_were_measured() -> None:
    assert speeds({}) == ""
    one = {"machine": "a machine", "threads": 2, "batch": 8, "forward": [1234.5, 0.98], "training": [3.25, None]}
    assert "1,234.5 | 0.98 × | 3.2 | – | 8 | 2 | a machine" in speeds({"resnet18": one})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_network_is_made_for_the_classes_of_the_header_where_no_data_is_loaded(path: Path) -> None:
    assert read_config(path).data.made_for == counts_of(path).classes
