"""Published receptive fields, and those of torchvision's networks, whose strides stand elsewhere.

Sources: Araujo, Norris & Sim 2019, https://distill.pub/2019/computing-receptive-fields, and its table of 19 networks
(google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md), of which the rows for images of 321 pixels are taken:
there TensorFlow's padding is symmetric, as torch's is.
"""

from collections.abc import Sequence

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.resnet import Bottleneck

from cnnlab.receptive_field.fields import Field, Fields, receptive_fields


def fields_of(model: nn.Module, size: int = 224) -> Fields:
    return receptive_fields(model, (3, size, size))


def named(name: str) -> nn.Module:
    """Without values, which no field depends on; a RegNet computes its widths as tensors."""
    options = {"init_weights": False} if name in ("inception_v3", "googlenet") else {}
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        return torchvision.models.get_model(name, weights=None, **options)


def rsp(field: Field) -> tuple[int, float | None, float | None]:
    """(r, S, P), which are the same along both axes."""
    assert field.exact
    assert len({field.size[0], field.size[1]}) == 1
    assert field.stride[0] == field.stride[1]
    assert field.padding[0] == field.padding[1]
    return field.size[0], field.stride[0], field.padding[0]


TORCHVISION = {
    ("alexnet", 224): {"features.2": (19, 8, 2), "features.5": (67, 16, 18), "features.12": (195, 32, 66)},
    ("vgg11", 224): {"features": (150, 32, 59)},
    ("vgg13", 224): {"features": (156, 32, 62)},
    ("vgg16", 224): {
        "features.0": (3, 1, 1), "features.4": (6, 2, 2), "features.5": (10, 2, 4), "features.9": (16, 4, 6),
        "features.10": (24, 4, 10), "features.12": (32, 4, 14), "features.16": (44, 8, 18), "features.17": (60, 8, 26),
        "features.19": (76, 8, 34), "features.23": (100, 16, 42), "features.24": (132, 16, 58),
        "features.26": (164, 16, 74), "features.30": (212, 32, 90),
    },
    ("vgg19", 224): {"features": (268, 32, 118)},
    ("resnet18", 224): {"layer1": (43, 4, 21), "layer2": (99, 8, 49), "layer3": (211, 16, 105),
                        "layer4": (435, 32, 217)},
    ("resnet34", 224): {"layer1": (59, 4, 29), "layer2": (179, 8, 89), "layer3": (547, 16, 273),
                        "layer4": (899, 32, 449)},
    ("resnet50", 224): {"layer1": (35, 4, 17), "layer2": (91, 8, 45), "layer3": (267, 16, 133),
                        "layer4": (427, 32, 213)},
    ("resnet101", 224): {"layer1": (35, 4, 17), "layer2": (91, 8, 45), "layer3": (811, 16, 405),
                         "layer4": (971, 32, 485)},
    ("resnet152", 224): {"layer1": (35, 4, 17), "layer2": (155, 8, 77), "layer3": (1291, 16, 645),
                         "layer4": (1451, 32, 725)},
    ("inception_v3", 299): {
        "Conv2d_1a_3x3": (3, 2, 0), "Conv2d_2a_3x3": (7, 2, 0), "Conv2d_2b_3x3": (11, 2, 2), "maxpool1": (15, 4, 2),
        "Conv2d_3b_1x1": (15, 4, 2), "Conv2d_4a_3x3": (23, 4, 2), "maxpool2": (31, 8, 2), "Mixed_5b": (63, 8, 18),
        "Mixed_5c": (95, 8, 34), "Mixed_5d": (127, 8, 50), "Mixed_6a": (159, 16, 58), "Mixed_6b": (351, 16, 154),
        "Mixed_6c": (543, 16, 250), "Mixed_6d": (735, 16, 346), "Mixed_6e": (927, 16, 442), "Mixed_7a": (1055, 32, 490),
        "Mixed_7b": (1183, 32, 554), "Mixed_7c": (1311, 32, 618),
    },
    ("mobilenet_v2", 224): {"features": (491, 32, 245)},
    ("mnasnet1_0", 224): {"layers": (843, 32, 421)},
    ("shufflenet_v2_x1_0", 224): {"conv5": (527, 32, 263)},
    ("convnext_tiny", 224): {"features": (1688, 32, 828)},
    ("mobilenet_v3_small", 224): {"features.0": (3, 2, 1), "features.1.block.0": (7, 4, 3)},
}  # fmt: skip


@pytest.mark.parametrize(("name", "size"), TORCHVISION, ids=lambda value: str(value))
def test_torchvision(name: str, size: int) -> None:
    fields = fields_of(named(name), size)
    expected = TORCHVISION[name, size]
    assert {layer: rsp(fields[layer]) for layer in expected} == expected
    assert not fields.walk.unknown


@pytest.mark.parametrize(
    ("name", "layer", "because"),
    [
        ("mobilenet_v3_small", "features", "features.1.block.1.avgpool"),
        ("efficientnet_b0", "features", "features.1.0.block.1.avgpool"),
        ("regnet_y_400mf", "trunk_output", "trunk_output.block1.block1-0.f.se.avgpool"),
        ("resnet18", "avgpool", "avgpool"),
    ],
)
def test_gates_make_a_network_global(name: str, layer: str, because: str) -> None:
    field = fields_of(named(name))[layer]
    assert field.is_global
    assert field.because == because
    assert (field.stride, field.padding) == ((None, None), (None, None))


def with_strides_of_the_paper(model: nn.Module) -> nn.Module:
    """The stride of a stage on its first 1 × 1, as in Caffe; torchvision has it on the 3 × 3 behind that."""
    for block in model.modules():
        if isinstance(block, Bottleneck) and block.conv2.stride != (1, 1):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return model


def with_strides_of_slim(model: nn.Module) -> nn.Module:
    """The stride of a stage on the 3 × 3 of its last unit, as in TF-Slim: the last stage has none."""
    stages: Sequence[nn.Module] = [model.get_submodule(f"layer{n}") for n in (1, 2, 3, 4)]
    for stage in stages:
        first, *_, last = stage.children()
        first.conv2.stride = (1, 1)
        if first.downsample is not None:
            first.downsample[0].stride = (1, 1)
        if stage is not stages[-1]:
            last.conv2.stride = (2, 2)
            last.downsample = nn.MaxPool2d(1, stride=2)
    return model


PAPER = {
    "resnet50": [(35, 4, 17), (99, 8, 49), (291, 16, 145), (483, 32, 241)],
    "resnet101": [(35, 4, 17), (99, 8, 49), (835, 16, 417), (1027, 32, 513)],
    "resnet152": [(35, 4, 17), (163, 8, 81), (1315, 16, 657), (1507, 32, 753)],
}
SLIM = {
    "resnet50": [(35, 8, 17), (99, 16, 49), (291, 32, 145), (483, 32, 241)],
    "resnet101": [(35, 8, 17), (99, 16, 49), (835, 32, 417), (1027, 32, 513)],
    "resnet152": [(35, 8, 17), (163, 16, 81), (1315, 32, 657), (1507, 32, 753)],
}


@pytest.mark.parametrize("name", PAPER)
@pytest.mark.parametrize(("place", "expected"), [(with_strides_of_the_paper, PAPER), (with_strides_of_slim, SLIM)])
def test_published_resnets_by_moving_the_stride(name: str, place, expected) -> None:  # type: ignore[no-untyped-def]
    with torch.device("meta"):
        model = place(named(name))
    fields = fields_of(model, 321)
    assert [rsp(fields[f"layer{n}"]) for n in (1, 2, 3, 4)] == expected[name]


def test_mobilenet_v1() -> None:
    """Built by hand, padded by 1: 315/32/157 at its last pointwise convolution."""
    strides = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    layers: list[nn.Module] = [nn.Conv2d(3, 8, 3, 2, 1)]
    for stride in strides:
        layers.append(nn.Sequential(nn.Conv2d(8, 8, 3, stride, 1, groups=8), nn.Conv2d(8, 8, 1)))
    fields = fields_of(nn.Sequential(*layers), 321)
    expected = [
        (3, 2, 1), (7, 2, 3), (11, 4, 5), (19, 4, 9), (27, 8, 13), (43, 8, 21), (59, 16, 29), (91, 16, 45),
        (123, 16, 61), (155, 16, 77), (187, 16, 93), (219, 16, 109), (251, 32, 125), (315, 32, 157),
    ]  # fmt: skip
    assert [rsp(fields[str(n)]) for n in range(14)] == expected


def test_shortest_and_longest_paths_of_resnet18() -> None:
    """(r_min, r) as Richter et al. 2021 count them (arXiv:2106.12307)."""
    fields = fields_of(named("resnet18"))
    expected = {
        "conv1": (7, 7), "maxpool": (11, 11), "layer1.1.conv2": (27, 43), "layer2.0.conv2": (35, 67),
        "layer2.1.conv2": (43, 99), "layer3.0.conv2": (59, 147), "layer3.1.conv1": (43, 179),
        "layer3.1.conv2": (75, 211), "layer4.0.conv2": (107, 307), "layer4.1.conv1": (75, 371),
        "layer4.1.conv2": (139, 435),
    }  # fmt: skip
    assert {name: (fields[name].shortest[0], fields[name].size[0]) for name in expected} == expected


def chain(*options: tuple[int, int, int]) -> nn.Sequential:
    """Convolutions of (kernel, stride, dilation)."""
    return nn.Sequential(
        *(nn.Conv2d(3 if n == 0 else 1, 1, k, s, d * (k - 1) // 2, d) for n, (k, s, d) in enumerate(options))
    )


def test_the_stacks_of_the_chapter() -> None:
    small = fields_of(chain(*[(3, 1, 1), (3, 2, 1)] * 3), 32)
    assert [field.size[0] for field in small.layers if field.name] == [3, 5, 9, 13, 21, 29]
    nine = fields_of(chain(*[(3, 1, 1), (3, 1, 1), (3, 2, 1)] * 3), 64)
    assert [field.size[0] for field in nine.layers if field.name] == [3, 5, 7, 11, 15, 19, 27, 35, 43]
    assert [field.stride[0] for field in nine.layers if field.name] == [1, 1, 2, 2, 2, 4, 4, 4, 8]
    dilated = fields_of(chain((3, 1, 1), (3, 1, 2), (3, 1, 4)), 64)
    assert [field.size[0] for field in dilated.layers if field.name] == [3, 7, 15]
    assert fields_of(chain(*[(3, 1, 1)] * 8), 256)["7"].size == (17, 17)


@pytest.mark.parametrize(("dilations", "density"), [((2, 2, 2), (7 / 13) ** 2), ((1, 2, 5), 1.0), ((1, 2, 3), 1.0)])
def test_gaps_of_dilated_stacks(dilations: tuple[int, ...], density: float) -> None:
    fields = fields_of(chain(*[(3, 1, d) for d in dilations]), 64)
    assert fields[str(len(dilations) - 1)].density == pytest.approx(density)
    assert ("gaps" in fields[str(len(dilations) - 1)].flags) == (density < 1)
