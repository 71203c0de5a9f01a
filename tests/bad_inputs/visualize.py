"""What cannot be drawn of a network."""

from bad_inputs.case import Case, file
from bad_inputs.images import png

LOOK = "cnnlab visualize"


def seen(wrong: str, command: str, message: str, **more: object) -> Case:
    """The trained run, asked for what it has not."""
    return Case(wrong, f"{LOOK} {command}", message, run=True, **more)  # type: ignore[arg-type]


VISUALIZE = (
    seen(
        "filters of a layer that is none",
        "filters tiny --layer linear1",
        "error: no convolution 'linear1'; known: conv_bn_act1.conv.",
    ),
    seen(
        "feature maps of a layer that is not there",
        "features tiny p.png --layer conv_bn_act2",
        (
            "error: no layer 'conv_bn_act2'; known: conv_bn_act1, conv_bn_act1.conv, conv_bn_act1.norm, "
            "conv_bn_act1.activation, global_avg_pool1, linear1. Did you mean 'conv_bn_act1'?"
        ),
        make=file("p.png", png()),
    ),
    seen(
        "feature maps of a layer without a map",
        "features tiny p.png --layer linear1",
        (
            "error: layer 'linear1' puts out (10,) for an image, without height and width; the nearest layer with "
            "feature maps is 'conv_bn_act1' (4 x 8 x 8)"
        ),
        make=file("p.png", png()),
    ),
    seen(
        "feature maps of a channel that is not there",
        "features tiny p.png --channels 2,4",
        "error: no channel 4 in layer 'conv_bn_act1': it has 4, from 0 to 3",
        make=file("p.png", png()),
    ),
    seen(
        "channels that are no numbers",
        "features tiny p.png --channels first",
        "error: channels are 'first', expected numbers from 0 such as 3,7 or 12-15",
        make=file("p.png", png()),
    ),
    seen("feature maps of no image", "features tiny p.png", "error: p.png: no such image, folder or pattern"),
    seen(
        "feature maps of a file that is no image",
        "features tiny p.png",
        (
            "unreadable: p.png: is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, PPM, "
            "JPEG2000, TGA, ICO)"
        ),
        exit_code=1,
        make=file("p.png", b"hello"),
    ),
    seen(
        "patches of the test part",
        "patches tiny --split test",
        "error: the test part is opened by `cnnlab eval --split test` alone; use --split validation",
    ),
    seen(
        "patches of a layer without a map",
        "patches tiny --layer linear1",
        (
            "error: layer 'linear1' puts out (10,) for an image, without height and width; the nearest layer with "
            "feature maps is 'conv_bn_act1' (4 x 8 x 8)"
        ),
    ),
    seen(
        "patches of a channel that is not there",
        "patches tiny --channels 4 --layer conv_bn_act1",
        "error: no channel 4 in layer 'conv_bn_act1': it has 4, from 0 to 3",
    ),
    Case(
        "patches of a network without images",
        f"{LOOK} patches torchvision:squeezenet1_1",
        "error: torchvision:squeezenet1_1 has no images of its own; name a folder, a CSV or a data set with --data",
    ),
    seen(
        "a dream of nothing",
        "dream tiny",
        ("error: a dream needs --layer with --channel, such as --layer conv_bn_act2 --channel 3, or a class"),
    ),
    seen(
        "a dream of a channel and of a class",
        "dream tiny --layer conv_bn_act1 --channel 1 --class star",
        "error: a dream is of channels (--layer, --channel) or of a class, not of both",
    ),
    seen(
        "a dream of a class that is not there",
        "dream tiny --class stars",
        (
            "error: no class 'stars'; known: disc, ring, square, triangle, star, cross, crescent, heart, "
            "arrow, pill. Did you mean 'star'?"
        ),
    ),
    seen(
        "a dream whose steps are no number",
        "dream tiny --class star --lr nan",
        (
            "error: 256 steps in 1 octaves with learning rate nan: expected at least one step for each octave, one "
            "octave or more, and a finite learning rate above 0"
        ),
    ),
    seen(
        "a dream of a layer that is not there",
        "dream tiny --layer conv_bn_act --channel 1",
        (
            "error: no layer 'conv_bn_act'; known: conv_bn_act1, conv_bn_act1.conv, conv_bn_act1.norm, "
            "conv_bn_act1.activation, global_avg_pool1, linear1. Did you mean 'conv_bn_act1'?"
        ),
    ),
    seen(
        "a dream of a channel that is not there",
        "dream tiny --layer conv_bn_act1 --channel 4",
        "error: no channel of layer 'conv_bn_act1' 4: there are 4, from 0 to 3",
    ),
    seen(
        "neighbours of an image that is not there",
        "embedding tiny --like 10",
        "error: --like is 10; there are images 0 to 9",
    ),
    seen(
        "neighbours of what is neither a number nor a file",
        "embedding tiny --like p.png",
        "error: --like is 'p.png', expected an image's number from 0, or a file",
    ),
    seen(
        "neighbours of a file that is no image",
        "embedding tiny --like p.png",
        (
            "error: p.png: is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, PPM, "
            "JPEG2000, TGA, ICO)"
        ),
        exit_code=1,
        make=file("p.png", b"hello"),
    ),
    seen(
        "a film of a run that kept no epochs",
        "training tiny",
        ("error: the run tiny kept no weights of its epochs; train with logging.snapshots_every_epochs=1 to film it"),
    ),
    seen(
        "weights of a run that are not kept",
        "filters tiny --weights first",
        "error: --weights is 'first', and the run tiny has best and last",
    ),
)
