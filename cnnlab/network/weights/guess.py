"""Which well-known network a file of weights is of, told from the names and shapes of its tensors."""

from collections.abc import Mapping

from cnnlab.core.arithmetic import Shape
from cnnlab.network.zoos import ZOOS

FAMILIES: dict[str, tuple[str, ...]] = {
    "layer1.0.conv1.weight": (
        "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d",
        "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2",
    ),
    "features.denseblock1.denselayer1.norm1.weight": ("densenet121", "densenet161", "densenet169", "densenet201"),
    "features.3.squeeze.weight": ("squeezenet1_1", "squeezenet1_0"),
    "features.2.0.block.0.0.weight": ("convnext_tiny",),
    "features.0.0.weight": (
        "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_b1",
        "efficientnet_b2", "efficientnet_b3", "convnext_tiny", "convnext_small", "swin_t",
    ),
    "features.0.weight": (
        "alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn",
    ),
    "inception3a.branch1.conv.weight": ("googlenet",),
    "Conv2d_1a_3x3.conv.weight": ("inception_v3",),
    "stage2.0.branch2.0.weight": (
        "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0",
    ),
    "layers.8.0.layers.0.weight": ("mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"),
    "encoder.layers.encoder_layer_0.ln_1.weight": ("vit_b_16", "vit_b_32"),
}  # fmt: skip
"""torchvision's networks by a tensor that all of a family have."""

ALIKE: dict[str, str] = {
    "patch_embed.proj.weight": "timm's vision transformers",
    "stages.0.blocks.0.conv_dw.weight": "timm's ConvNeXt",
    "conv_stem.weight": "timm's EfficientNet and MobileNet",
    "layer1.0.conv1.weight": "torchvision's and timm's ResNet",
    "resnet.embedder.embedder.convolution.weight": "ResNet of Hugging Face's transformers",
    "vit.embeddings.cls_token": "ViT of Hugging Face's transformers",
    "visual.conv1.weight": "CLIP",
}
"""Whose names a file has, by one of them, where it is of no network of torchvision's."""


def known_network(shapes: Mapping[str, Shape]) -> str:
    """`; its tensors are those of torchvision:resnet34`, or whose names they look like; '' where nothing is known.

    Arguments:
        shapes: of the file's tensors by name. Those of the last layer may be of any number of classes.
    """
    for mark, names in FAMILIES.items():
        for name in names if mark in shapes else ():
            model = ZOOS["torchvision"](name, values=False).model(False)
            if _alike(shapes, {one: tuple(tensor.shape) for one, tensor in model.state_dict().items()}):
                return f"; its tensors are those of torchvision:{name}"
    return next((f"; its names look like those of {whose}" for mark, whose in ALIKE.items() if mark in shapes), "")


def _alike(shapes: Mapping[str, Shape], known: Mapping[str, Shape]) -> bool:
    """Whether names and shapes are the same, but for counters and for the first dimension of one layer or head."""
    counters = {name for name in known if name.endswith("num_batches_tracked")}
    if set(known) - counters != set(shapes) - counters:
        return False
    other = {(shapes[name][:1], known[name][:1]) for name in set(known) - counters if shapes[name] != known[name]}
    return len(other) <= 1 and all(
        shapes[name][1:] == known[name][1:] for name in set(known) - counters if shapes[name] != known[name]
    )
