"""Networks and layers that cannot be inspected as asked."""

from bad_inputs.case import TINY, Case, file

SOUND = file("tiny.yaml", TINY)
FIELD = "cnnlab receptive-field tiny.yaml"
POINTS = "data: {dataset: {shapes: {size: 16}}}\nmodel: [conv: {channels: 4, kernel: 1}, global_avg_pool, linear]\n"
"""A network whose convolution is one of single pixels."""

FLAT = """\
data: {dataset: {shapes: {size: 32}}}
model:
  - conv: {channels: 4, kernel: 5, padding: 0}
  - max_pool
  - conv: {channels: 4, kernel: 5, padding: 0}
  - global_avg_pool
  - linear
"""

RECEPTIVE_FIELDS = (
    Case(
        "a model that is nothing",
        "cnnlab receptive-field unheard-of",
        (
            "error: no run 'unheard-of' under runs. There is none yet; `cnnlab train` makes one. MODEL is a "
            "run, a config (.yaml), an exported file or folder, FILE.py:NAME, torchvision:NAME or timm:NAME."
        ),
    ),
    Case(
        "a network that torchvision has not, the nearest named",
        "cnnlab summary torchvision:alexnett",
        (
            "error: no network 'alexnett'; known: alexnet, convnext_base, convnext_large, convnext_small, "
            "convnext_tiny, "
            "densenet121, densenet161, densenet169, densenet201, efficientnet_b0, efficientnet_b1, "
            "efficientnet_b2 and 68 "
            "more. Did you mean 'alexnet'? They are torchvision's, such as torchvision:resnet18."
        ),
    ),
    Case(
        "a size of images that is none",
        f"{FIELD} --input big",
        (
            "error: --input is 'big', expected a size in pixels such as 224, height and width such as "
            "224,160, or channels "
            "too, such as 3,224,160"
        ),
        make=SOUND,
    ),
    Case(
        "images too small for a network",
        "cnnlab summary flat.yaml --input 13",
        (
            "error: flat.yaml:5:5: layer 'conv' (3rd of the model) does not fit: the height of its input, "
            "4, is too small "
            "for a kernel of 5: floor((4 + 2·0 − 1·(5−1) − 1)/1) + 1 = 0; padding: 1 would fit"
        ),
        make=file("flat.yaml", FLAT),
    ),
    Case(
        "an exchange of convolutions that is none, the nearest named",
        "cnnlab cost tiny.yaml --swap depthwise",
        "error: --swap: no exchange 'depthwise'; known: depthwise_separable. Did you mean 'depthwise_separable'?",
        make=SOUND,
    ),
    Case(
        "convolutions to exchange in a network that has none",
        "cnnlab cost flat.yaml --swap depthwise_separable",
        "error: the network has no dense convolution to separate: conv1 is 1 × 1: pointwise already",
        make=file("flat.yaml", POINTS),
    ),
    Case(
        "images too small for a network of a zoo",
        "cnnlab receptive-field torchvision:alexnet --input 32",
        (
            "error: torchvision:alexnet cannot run on 3×32×32 images: layer 'features.12' (MaxPool2d) "
            "gets (256, 1, 1), "
            "too small for its window: floor((1 + 2·0 − 1·(3−1) − 1)/2) + 1 = 0; padding 1 would fit; the "
            "smallest square "
            "that works is 63"
        ),
    ),
    Case(
        "channels that the network does not take",
        "cnnlab summary torchvision:resnet18 --input 1,64,64",
        (
            "error: torchvision:resnet18 cannot run on 1×64×64 images: layer 'conv1' (Conv2d) gets (1, "
            "64, 64): Invalid "
            "channel dimensions; no square up to 4096 works either, with that number of channels (1)"
        ),
    ),
    Case(
        "a layer that is not there",
        f"{FIELD} --layer conv_bn_act9",
        (
            "error: no layer 'conv_bn_act9'; known: conv_bn_act1.conv, conv_bn_act1.norm, conv_bn_act1.activation, "
            "conv_bn_act1, global_avg_pool1, linear1. Did you mean 'conv_bn_act1'?"
        ),
        make=SOUND,
    ),
    Case(
        "a unit that is not there",
        f"{FIELD} --layer conv_bn_act1 --unit 8,0",
        "error: --unit is 8,0; 'conv_bn_act1' has units 0,0 to 7,7 at this size of image",
        make=SOUND,
    ),
    Case(
        "a unit that is no place",
        f"{FIELD} --unit middle",
        "error: --unit is 'middle', expected row and column from 0, such as 3,4",
        make=SOUND,
    ),
    Case(
        "a unit of a layer without a map",
        f"{FIELD} --layer linear1 --unit 0,0",
        (
            "error: layer 'linear1' puts out (10,) for an image, without height and width; the nearest layer with "
            "feature maps is 'conv_bn_act1' (4 x 8 x 8)"
        ),
        make=SOUND,
    ),
    Case(
        "an image for the box that is not there",
        f"{FIELD} --image photo.jpg",
        "error: photo.jpg: no such image",
        make=SOUND,
    ),
    Case(
        "a change of a layer that is not there",
        f"{FIELD} --what-if conv_bn_act1.cov.stride=1",
        (
            "error: --what-if conv_bn_act1.cov.stride=1: no layer 'conv_bn_act1.cov'; known: conv_bn_act1, "
            "conv_bn_act1.conv, conv_bn_act1.norm, conv_bn_act1.activation, global_avg_pool1, linear1. Did you mean "
            "'conv_bn_act1.conv'?"
        ),
        make=SOUND,
    ),
    Case(
        "a change of an option that is not there",
        f"{FIELD} --what-if conv_bn_act1.conv.strides=1",
        (
            "error: --what-if conv_bn_act1.conv.strides=1: no option 'strides' in conv_bn_act1.conv (Conv2d); it has "
            "stride, dilation, kernel, padding. Did you mean 'stride'?"
        ),
        make=SOUND,
    ),
    Case(
        "changes without --what-if",
        f"{FIELD} conv_bn_act1.conv.stride=1",
        (
            "error: 'conv_bn_act1.conv.stride=1': changes come after --what-if, such as --what-if "
            "conv_bn_act1.conv.stride=1"
        ),
        make=SOUND,
    ),
    Case(
        "a claim that is none",
        f"{FIELD} --assert 'conv_bn_act1 is large'",
        "error: --assert is 'conv_bn_act1 is large', expected LAYER.MEASURE, a comparison and a number: "
        "layer4.size>=224",
        make=SOUND,
    ),
    Case(
        "a claim about a measure that is not there",
        f"{FIELD} --assert 'conv_bn_act1.sise>=3'",
        (
            "error: --assert conv_bn_act1.sise>=3: no measure 'sise'; known: size, r, stride, s, padding, p, r_min, "
            "coverage, padded, density. Did you mean 'size'?"
        ),
        make=SOUND,
    ),
)
