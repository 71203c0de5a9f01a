"""Section 19.6: visualising what networks learn, and the lab with its report card."""

from functools import cache

import torch
from torch import Tensor

from cnnlab.attribution.attribution import Attribution, attribute
from cnnlab.attribution.maps import least_to_largest, upsampled
from cnnlab.data.dataset import Dataset
from cnnlab.inside.filters.layer import filter_grid
from cnnlab.models.filters import convolution_filters
from cnnlab.network.forward import capture_outputs
from cnnlab.network.open import open_network
from cnnlab.network.session import Session
from cnnlab.report.card.report import filter_tiles, panels
from cnnlab.report.card.run import report_card
from cnnlab.textbook.small_cnn import SHAPE, small_cnn
from cnnlab.textbook.statement import derived, of_a_run, printed, story
from cnnlab.textbook.trained import TrainedRun
from cnnlab.walk.walker import walk

HERE = "19.6"
LAST = "conv_bn_act6.activation"
MIDDLE = "conv_bn_act4.conv"
"""The fourth of six convolutions."""


@cache
def _first_filters() -> tuple[Tensor, Tensor]:
    """The first filters of ResNet-18 and of SmallCNN, random ones: their shapes are what is asked."""
    resnet = open_network("torchvision:resnet18", Session(device_name="cpu"))
    return convolution_filters(resnet.model)[1], convolution_filters(small_cnn())[1]


def _grid(filters: Tensor) -> tuple[int, int, int]:
    height, width, channels = filter_tiles(filters).shape
    return channels, height, width


@printed(HERE, "ResNet-18: first filters; their grid, 8 in a row", ((64, 3, 7, 7), (3, 65, 65)))
def _resnet_filters() -> tuple[tuple[int, ...], tuple[int, ...]]:
    filters = _first_filters()[0]
    return tuple(filters.shape), _grid(filters)


@printed(HERE, "filters for display: least and largest value", (0.0, 1.0), "0 … 1, epsilon 1e-8", tolerance=1e-5)
def _display() -> tuple[float, float]:
    shown = filter_grid(_first_filters()[1])
    return float(shown.min()), float(shown.max())


@derived(HERE, "grid of SmallCNN's first filters", (3, 17, 33))
def _small_grid() -> tuple[int, int, int]:
    return _grid(_first_filters()[1])


@printed(HERE, "ResNet-18, 224 px: output of layer2", (1, 128, 28, 28))
def _layer_2() -> tuple[int, ...]:
    network = open_network("torchvision:resnet18", Session(device_name="cpu"), values=False)
    found = walk(network.model, network.shape, follow=False)
    return next(tuple(output.shape) for output in found.outputs if output.name == "layer2")


@cache
def _lab() -> tuple[Attribution, Attribution, Attribution]:
    """Grad-CAM behind and before batch norm and ReLU, and saliency, of an untrained SmallCNN for one image."""
    torch.manual_seed(0)
    network, images, classes = small_cnn().eval(), torch.randn(1, *SHAPE), torch.tensor([3])
    behind, gradient = attribute(network, images, classes, methods="gradcam,gradient", layers=[LAST])
    (before,) = attribute(network, images, classes, methods="gradcam", layers=["conv_bn_act6.conv"])
    return behind, before, gradient


@printed(HERE, "saliency: its map for 3 × 224 × 224, and in the lab", ((1, 224, 224), (1, 32, 32)))
def _saliency() -> tuple[tuple[int, ...], tuple[int, ...]]:
    network = open_network("torchvision:squeezenet1_1", Session(device_name="cpu"))
    (large,) = attribute(network.model, torch.randn(1, 3, 224, 224), torch.tensor([3]), methods="gradient")
    return tuple(large.maps.shape), tuple(_lab()[2].maps.shape)


@printed(HERE, "saliency and class activation map scaled: least and largest", ((0.0, 1.0), (0.0, 1.0)), "0 … 1",
         tolerance=1e-6)  # fmt: skip
def _scaled() -> tuple[tuple[float, float], ...]:
    saliency = least_to_largest(_lab()[2].maps.abs(), (-2, -1))
    evidence = least_to_largest(upsampled(_lab()[0].maps.clamp(min=0), (32, 32)), (-2, -1))
    return tuple((float(one.min()), float(one.max())) for one in (saliency, evidence))


@derived(HERE, "Grad-CAM in the lab: native, upsampled, channels that are weighted", ((4, 4), (32, 32), 128))
def _grad_cam() -> tuple[tuple[int, ...], tuple[int, ...], int]:
    maps = _lab()[0].maps
    channels = capture_outputs(small_cnn(), torch.zeros(1, *SHAPE), [LAST])[LAST].shape[1]
    return tuple(maps.shape[1:]), tuple(upsampled(maps, (32, 32)).shape[1:]), channels


@derived(HERE, "Grad-CAM before batch norm and ReLU is the same as behind them", right=False, mistake=19)
def _same_layer() -> bool:
    behind, before, _ = _lab()
    return torch.allclose(behind.maps, before.maps, rtol=1e-3, atol=1e-6)


@derived(HERE, "the lab's feature map in the middle, the fourth convolution", (64, 8, 8))
def _middle() -> tuple[int, ...]:
    return tuple(capture_outputs(small_cnn(), torch.zeros(1, *SHAPE), [MIDDLE])[MIDDLE].shape[1:])


story(HERE, "pneumonia: accuracy before and after the hospitals' marks were cut off", "96 and 89 %",
      "cnnlab audit measures where the evidence lies")  # fmt: skip
story(HERE, "Grad-CAM from scratch; methods of its library", "about 50 lines; more than 12", "cnnlab list methods")


@of_a_run(HERE, "the lab: accuracy after 20 epochs or more", "> 75 %, typically 80 to 85 %", least=0.75)
def _lab_accuracy(run: TrainedRun) -> float | None:
    return run.accuracy(epochs=20)


@printed(HERE, "report card: panels, rows, columns; inches; dots an inch", ((6, 2, 3), (11.0, 7.0), 150))
def _card() -> tuple[tuple[int, int, int], tuple[float, float], int]:
    session = Session(device_name="cpu")
    classes = tuple(f"class {number}" for number in range(10))
    network = open_network(
        small_cnn(), session, for_images=True, size="32", mean="0.5", std="0.25", classes=",".join(classes)
    )
    image = torch.randint(256, (1, *SHAPE), dtype=torch.uint8)
    part = Dataset("lab", "test", image, torch.tensor([0]), classes)
    card = report_card(network, part, split="test", pick="0")
    drawn = panels(card)
    assert drawn.figure_size is not None
    assert drawn.dpi is not None
    return (len(drawn.scenes), drawn.rows, drawn.columns), drawn.figure_size, drawn.dpi


story(HERE, "report card: opacity of the overlays", "0.5", "a choice; cnnlab's card lets a map's own strength decide")
story(HERE, "the lab's duration", "60 to 75 minutes")
