"""Networks of torchvision and timm, one for each kind of head, as small as their classes make them."""

from importlib import import_module
from typing import Any

import torch
import torchvision
from strangers.stranger import WHOLE, Cam, Stranger
from torch import nn
from torchvision.models.resnet import BasicBlock

CLASSES = 5


def resnet() -> nn.Module:
    """Stem, and two stages with one block each."""
    with torch.device("meta"):  # what is left out takes no time
        model = torchvision.models.ResNet(BasicBlock, [1, 1, 1, 1])
    model.layer3 = model.layer4 = nn.Identity()
    model.fc = nn.Linear(128, CLASSES)
    return _filled(model)


def vgg() -> nn.Module:
    """Conv 3 × 3, pool, conv 3 × 3, pool; a pool to 2 × 2 places and three dense layers."""
    with torch.device("meta"):
        model = torchvision.models.VGG(nn.Sequential(), init_weights=False)
    model.features = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2, 2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2, 2),
    )  # fmt: skip
    model.avgpool = nn.AdaptiveAvgPool2d(2)
    model.classifier = nn.Sequential(
        nn.Linear(16 * 4, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 16), nn.ReLU(True), nn.Dropout(),
        nn.Linear(16, CLASSES),
    )  # fmt: skip
    return model


def _filled(model: nn.Module) -> nn.Module:
    """The network with values, as its layers draw them themselves."""
    model.to_empty(device="cpu")
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d, nn.Linear)):
            module.reset_parameters()
    return model


def squeezenet() -> nn.Module:
    model = torchvision.models.squeezenet1_1(num_classes=CLASSES)
    model.features = nn.Sequential(*model.features[:4])
    model.classifier[1] = nn.Conv2d(128, CLASSES, 1)
    return model


def mobilenet() -> nn.Module:
    """The head is an average, a dense layer with h-swish, and another; the block has a gate of the whole image."""
    from torchvision.models.mobilenetv3 import InvertedResidualConfig, MobileNetV3

    rows = [InvertedResidualConfig(8, 3, 8, 8, True, "RE", 2, 1, 1.0)]
    return MobileNetV3(rows, last_channel=16, num_classes=CLASSES)


def densenet() -> nn.Module:
    return torchvision.models.DenseNet(4, (2, 2), 8, num_classes=CLASSES)


def googlenet() -> nn.Module:
    """Up to its first block, with an auxiliary head, which speaks in training only; pools round up."""
    from torchvision.models.googlenet import GoogLeNet, Inception, InceptionAux

    with torch.device("meta"):
        model = GoogLeNet(CLASSES, init_weights=False)
    model.inception3a = Inception(192, 8, 8, 16, 4, 8, 8)
    for name in ("3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        setattr(model, f"inception{name}", nn.Identity())
    model.maxpool3 = model.maxpool4 = nn.Identity()
    model.aux1, model.aux2, model.fc = InceptionAux(40, CLASSES), InceptionAux(40, CLASSES), nn.Linear(40, CLASSES)
    return _filled(model)


def shufflenet() -> nn.Module:
    return torchvision.models.ShuffleNetV2([1, 1, 1], [8, 8, 16, 16, 32], num_classes=CLASSES)


def convnext() -> nn.Module:
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    return ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], layer_scale=0.5, num_classes=CLASSES)


def swin() -> nn.Module:
    return torchvision.models.SwinTransformer([4, 4], 8, [1, 1], [2, 2], [2, 2], num_classes=CLASSES)


def vit() -> nn.Module:
    model = torchvision.models.VisionTransformer(16, 4, 2, 2, 16, 32, num_classes=CLASSES)
    nn.init.normal_(model.heads.head.weight)  # torchvision has zeros there
    return model


def timm(name: str, **options: Any) -> nn.Module:
    model: nn.Module = import_module("timm").create_model(name, pretrained=False, num_classes=CLASSES, **options)
    return model


def timm_vgg() -> nn.Module:
    library = import_module("timm.models.vgg")
    with torch.device("meta"):  # its 4,096 features are left out
        model: nn.Module = library.VGG([8, "M", 16, "M"], num_classes=CLASSES)
    model.pre_logits = library.ConvMlp(16, 16, 7, drop_rate=0)
    model.head.fc = nn.Linear(16, CLASSES)
    return _filled(model)


RESNET = {"conv1": 7, "maxpool": 11, "layer1.0.conv1": 19, "layer1": 27, "layer2.0.conv1": 35, "layer2": 51}

STRANGERS: tuple[Stranger, ...] = (
    Stranger(
        name="torchvision ResNet",
        strange="a global average and a linear layer; strided shortcuts, in-place ReLUs called twice",
        why="the one that everybody has",
        make=resnet,
        shape=(3, 32, 32),
        fields=RESNET,
        gradcam=Cam("layer2"),
    ),
    Stranger(
        name="torchvision VGG",
        strange="dense layers over 2 × 2 places",
        why="style transfer, courses",
        make=vgg,
        fields={"features.0": 3, "features.2": 4, "features.3": 8, "features.5": 10, "classifier": WHOLE},
        gradcam=Cam("features.4", "hirescam"),
    ),
    Stranger(
        name="torchvision SqueezeNet",
        strange="the classifier is a 1 × 1 convolution, a ReLU and an average",
        why="small devices",
        make=squeezenet,
        shape=(3, 32, 32),
        # conv 3 at stride 2, pool 3 at stride 2, then a fire module of 3 × 3
        fields={"features.0": 3, "features.2": 7, "features.3": 15},
        gradcam=Cam("features", "hirescam"),
    ),
    Stranger(
        name="torchvision MobileNet v3",
        strange="two dense layers behind an average; gates",
        why="phones",
        make=mobilenet,
        shape=(3, 32, 32),
        fields={"features.0": 3, "features.1.block.0": 7, "features.2": WHOLE, "classifier": WHOLE},
        gradcam=Cam("features"),
    ),
    Stranger(
        name="torchvision DenseNet",
        strange="a functional ReLU behind the last norm; every layer is read by all that follow",
        why="medical images",
        make=densenet,
        shape=(3, 32, 32),
        fields={"features.conv0": 7, "features.pool0": 11, "features.norm5": 63},
        gradcam=Cam("features", "hirescam"),
    ),
    Stranger(
        name="torchvision GoogLeNet",
        strange="auxiliary heads; pools that round up",
        why="courses",
        make=googlenet,
        shape=(3, 32, 32),
        fields={"conv1": 7, "maxpool1": 11, "conv3": 19, "maxpool2": 27, "inception3a": 43},
        gradcam=Cam("inception3a"),
    ),
    Stranger(
        name="torchvision ShuffleNet v2",
        strange="channels are split and shuffled by views",
        why="phones",
        make=shufflenet,
        shape=(3, 32, 32),
        # 3 at stride 2, pool 3 at stride 2, then 3 × 3 at stride 2 in each of three stages
        fields={"conv1": 3, "maxpool": 7, "stage2": 15, "stage3": 31, "stage4": 63},
        # of what follows there is one place at this size
        gradcam=Cam("stage3", "hirescam"),
    ),
    Stranger(
        name="torchvision ConvNeXt",
        strange="channels last inside the blocks; a LayerNorm in the head",
        why="the strongest CNN of torchvision",
        make=convnext,
        shape=(3, 32, 32),
        # 4 at stride 4, 7 × 7, 2 at stride 2, 7 × 7
        fields={"features.0": 4, "features.1": 28, "features.2": 32, "features.3": 80},
        gradcam=Cam("features"),
    ),
    Stranger(
        name="torchvision Swin",
        strange="(n, h, w, c) throughout, windows by rolling and views",
        why="detection backbones",
        make=swin,
        shape=(3, 32, 32),
        # patches of 4 px, windows of 2 × 2 patches, 2 × 2 windows merged
        fields={"features.0": 4, "features.1": 8, "features.2": 8, "features.3": 16},
        gradcam=Cam("norm", order="hwc"),
    ),
    Stranger(
        name="torchvision ViT",
        strange="tokens and a class token",
        why="everybody tries one",
        make=vit,
        fields={"conv_proj": 4, "encoder.layers.encoder_layer_0": WHOLE, "heads": WHOLE},
        gradcam=Cam("encoder.layers.encoder_layer_1.ln_1", "hirescam", order=(4, 4)),
    ),
    Stranger(
        name="timm ResNet",
        strange="a pooling module that flattens",
        why="timm",
        make=lambda: timm("resnet10t"),
        shape=(3, 64, 64),
        needs="timm",
        # three convolutions of 3 × 3, the first at stride 2, and a pool of 3 × 3 at stride 2
        fields={"maxpool": 15},
        gradcam=Cam("layer4"),
    ),
    Stranger(
        name="timm MobileNet v3",
        strange="a convolution behind the average",
        why="timm",
        make=lambda: timm("mobilenetv3_small_050"),
        shape=(3, 64, 64),
        needs="timm",
        fields={"conv_stem": 3},
        gradcam=Cam("blocks"),
    ),
    Stranger(
        name="timm VGG",
        strange="dense layers written as convolutions of 7 × 7",
        why="timm",
        make=timm_vgg,
        shape=(3, 32, 32),
        needs="timm",
        # the convolution of 7 × 7 reads maps at a quarter of the size
        fields={"features.0": 3, "features.2": 4, "features.3": 8, "features.5": 10, "pre_logits": 34},
        gradcam=Cam("pre_logits"),
    ),
)
