"""Section 19.3: pooling, receptive fields, feature hierarchies."""

from functools import cache

import torch
from torch import nn
from torchvision.models.resnet import Bottleneck

from cnnlab.layers_lab.matrix import matrix_of
from cnnlab.layers_lab.run import examine_on
from cnnlab.network.open import open_network
from cnnlab.network.session import Session
from cnnlab.receptive_field.effective.field import locate, summed_influence
from cnnlab.receptive_field.effective.measures import GaussianFit, fit_gaussian
from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.textbook.built import arithmetic_of, fields_of, jumps_of
from cnnlab.textbook.statement import derived, misprinted, printed, story

HERE = "19.3"
MAP = "1 3 2 0 / 4 2 1 5 / 0 1 6 2 / 2 3 1 0"
"""Figure 19.3.1."""
THREE = "conv channels=1 + conv channels=1 + conv channels=1 stride=2"
NINE = " + ".join([THREE] * 3)
EXERCISE = "conv channels=1 kernel=5 + max_pool + conv channels=1 + conv channels=1"


def _pooled(kind: str, matrix: str) -> tuple[tuple[float, ...], ...]:
    result = examine_on(kind, [], matrix_of(matrix, "matrix")).result
    assert result is not None
    return tuple(map(tuple, result[0].tolist()))


@printed(HERE, "figure 19.3.1, the largest of each 2 × 2", ((4, 5), (3, 6)))
def _largest() -> tuple[tuple[float, ...], ...]:
    return _pooled("max_pool", MAP)


@printed(HERE, "likewise the average", ((2.5, 2.0), (1.5, 2.25)))
def _average() -> tuple[tuple[float, ...], ...]:
    return _pooled("avg_pool", MAP)


@printed(HERE, "share of the values that 2 × 2 pooling at stride 2 discards", 0.75, "3/4")
def _discarded() -> float:
    found = arithmetic_of("max_pool", (1, 32, 32))
    return 1 - found.output_values / (32 * 32)


@printed(HERE, "nine layers, strides 1, 1, 2 three times: receptive fields", (3, 5, 7, 11, 15, 19, 27, 35, 43))
def _nine_fields() -> tuple[int, ...]:
    return fields_of(NINE)


@printed(HERE, "their jumps", (1, 1, 2, 2, 2, 4, 4, 4, 8))
def _nine_jumps() -> tuple[int, ...]:
    return jumps_of(NINE)


@printed(HERE, "jump after two layers of stride 2", 4)
def _two_strides() -> int:
    return jumps_of("conv channels=1 stride=2 + conv channels=1 stride=2")[-1]


@printed(HERE, "weights of two 3 × 3 and of one 5 × 5; field of three 3 × 3", (18, 25, 7))
def _small_kernels() -> tuple[int, int, int]:
    small = "conv channels=1 bias=false"
    two = arithmetic_of(f"{small} + {small}", (1, 64, 64))
    one = arithmetic_of(f"{small} kernel=5", (1, 64, 64))
    assert two.unit is not None
    assert one.unit is not None
    assert two.unit.size == one.unit.size
    return two.weights, one.weights, fields_of(f"{small} + {small} + {small}")[-1]


@cache
def _last_field(name: str, *, first_strides: bool = False) -> tuple[int, int]:
    """(receptive field, jump) in px of the last map of a torchvision network.

    first_strides: of a bottleneck the first 1 × 1 convolution strides, as in the paper, and not the 3 × 3.
    """
    network = open_network(f"torchvision:{name}", Session(device_name="cpu"), values=False)
    if first_strides:
        for module in network.model.modules():
            if isinstance(module, Bottleneck):
                module.conv1.stride, module.conv2.stride = module.conv2.stride, module.conv1.stride
    fields = receptive_fields(network.model, network.shape)
    last = next(field for field in fields.layers if field.name == "layer4")
    assert last.stride[0] is not None
    return last.size[0], round(last.stride[0])


@printed(HERE, "a large field: ResNet-50 as in its paper, stride in the first 1 × 1", 483, mistake=20)
def _resnet_50_paper() -> int:
    return _last_field("resnet50", first_strides=True)[0]


@derived(HERE, "torchvision's ResNet-50, stride in the 3 × 3", 427, mistake=20)
def _resnet_50() -> int:
    return _last_field("resnet50")[0]


@derived(HERE, "ResNet-18: field and jump", (435, 32))
def _resnet_18() -> tuple[int, int]:
    return _last_field("resnet18")


@cache
def _effective(depth: int) -> GaussianFit:
    """The effective field of the middle unit of equal 3 × 3 weights, without an activation between."""
    side = 2 * depth + 9
    network = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(depth))).double()
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(1 / 9)
    images = torch.zeros(1, 1, side, side, dtype=torch.float64)
    return fit_gaussian(summed_influence(network, images, locate(network, images, layer=None)))


@printed(HERE, "effective field: times as wide with 4 × as many layers (5 to 20)", 2.0, "∝ √layers", tolerance=0.01)
def _root_growth() -> float:
    return _effective(20).sigma_h / _effective(5).sigma_h


@printed(HERE, "effective field of 20 layers: R² of a Gaussian, rounded", 1.0, "Gaussian", tolerance=0.01)
def _gaussian() -> float:
    found = _effective(20).r_squared
    assert found is not None
    return found


story(HERE, "fields of a hierarchy: edges, textures, parts, objects", "about 5, 20, 80 px, whole image")
story(HERE, "satellite: tile, field, confusion, accuracy", "512 × 512, about 40 px, −60 %, +4 points",
      "cnnlab receptive-field warns where a field is smaller than the image")  # fmt: skip
story(HERE, "kernels of RepLKNet and PeLK", "31 × 31, 101 × 101")


@derived(HERE, "exercise 19.3.1: fields; jumps; end of the variant", ((5, 6, 10, 14), (1, 2, 2, 2), 14))
def _exercise_fields() -> tuple[tuple[int, ...], tuple[int, ...], int]:
    variant = EXERCISE.replace("conv channels=1 kernel=5", "conv channels=1 + conv channels=1")
    return fields_of(EXERCISE), jumps_of(EXERCISE), fields_of(variant)[-1]


@misprinted(HERE, "exercise 19.3.2: a spike moves inside its window; does the average change?", misprint=True,
            right=False, mistake=4)  # fmt: skip
def _spike_average() -> bool:
    return _pooled("avg_pool", "8 0 0 0 / 0 0 0 0") != _pooled("avg_pool", "0 0 0 0 / 0 8 0 0")


@printed(HERE, "likewise the largest", right=False, text="unchanged")
def _spike_largest() -> bool:
    return _pooled("max_pool", "8 0 0 0 / 0 0 0 0") != _pooled("max_pool", "0 0 0 0 / 0 8 0 0")


@derived(HERE, "exercise 19.3.3: field of eight 3 × 3 layers, px", 17)
def _exercise_eight() -> int:
    return fields_of(" + ".join(["conv channels=1"] * 8))[-1]
