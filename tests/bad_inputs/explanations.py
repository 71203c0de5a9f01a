"""Explanations that cannot be had as asked."""

from bad_inputs.case import TINY, Case, both, file
from bad_inputs.images import png

PHOTO = file("a.png", png(size=20))
GRADCAM = "cnnlab gradcam tiny a.png"
SALIENCY = "cnnlab saliency tiny a.png"
ONE_PASS = "passes through the network, of at most 64 images each: "
NO_GRADIENT = (
    "nothing leads from there to the logits, or the network computes under torch.no_grad(), detaches or rounds on the "
    "way; methods without gradients (eigencam, scorecam, occlusion, rise) still work"
)
DATA = "data: {dataset: {shapes: {train_count: 60, size: 16}}}\n"
DEAF = """\
import torch
from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.models.registry import LAYERS


class Deaf(nn.Module):
    def forward(self, x):
        with torch.no_grad():
            return x * 1


@LAYERS.register("deaf")
def deaf(shape: Shape) -> nn.Module:
    return Deaf()
"""
DEAF_CONFIG = f"plugins: [deaf.py]\n{DATA}model: [{{conv_bn_act: {{channels: 4}}}}, deaf, global_avg_pool, linear]\n"


def wrong(what: str, options: str, message: str, *, command: str = GRADCAM) -> Case:
    """A wrong request to explain `a.png` by the run `tiny`."""
    return Case(what, f"{command} {options}".strip(), message, make=PHOTO, run=True)


EXPLANATIONS = (
    wrong(
        "evidence for a class that is not there, the nearest named",
        "--target discs",
        (
            "error: --target: no class 'discs'; known: predicted, true, top3, disc, ring, square, triangle, "
            "star, cross, "
            "crescent, heart, arrow and 1 more. Did you mean 'disc'?"
        ),
    ),
    wrong(
        "evidence for the truth of an image whose class nobody knows",
        "--target true",
        (
            "error: --target true: the class of a.png is not known; put it into a folder that is called like its "
            "class, or "
            "use --split"
        ),
    ),
    wrong(
        "evidence for more classes than there are",
        "--target top11",
        "error: --target is top11, and the network has 10 classes",
    ),
    wrong(
        "a layer to explain that is not there",
        "--layer conv_bn_act2",
        (
            "error: no layer 'conv_bn_act2'; known: conv_bn_act1, conv_bn_act1.conv, conv_bn_act1.norm, "
            "conv_bn_act1.activation, global_avg_pool1, linear1. Did you mean 'conv_bn_act1'?"
        ),
    ),
    wrong(
        "a layer to explain without spatial extent, the nearest with one named",
        "--layer linear1",
        (
            "error: layer 'linear1' puts out (10,) for an image, without height and width; the nearest layer "
            "with feature "
            "maps is 'conv_bn_act1' (4 x 8 x 8)"
        ),
    ),
    wrong(
        "layers to explain with one missing",
        "--layer conv_bn_act1,",
        "error: --layer is 'conv_bn_act1,', expected names with commas between them",
    ),
    wrong(
        "a method that is not there, the nearest named",
        "--method gradcams",
        "error: no method 'gradcams'. Did you mean 'gradcam'? All of them: cnnlab list methods",
    ),
    wrong(
        "a pixel method that is not there, the nearest named",
        "--method gradients",
        "error: no pixel method 'gradients'. Did you mean 'gradient'? All of them: cnnlab list methods",
        command=SALIENCY,
    ),
    wrong(
        "a map of a layer from the command for pixels",
        "--method layercam",
        "error: LayerCAM maps a layer, not pixels: cnnlab gradcam --method layercam",
        command=SALIENCY,
    ),
    wrong(
        "an option that a method has not, the nearest named",
        "--method rise:mask=40",
        (
            "error: rise: no option 'mask' in method 'rise'; it has masks, cells, keep, centred. Did you mean "
            "'masks'? See cnnlab list methods rise"
        ),
    ),
    wrong(
        "an option of a method out of its range",
        "--method occlusion:window=4,stride=0",
        "error: occlusion: 'stride' is '0', expected at least 1; see cnnlab list methods occlusion",
    ),
    wrong(
        "an option of a method without a value",
        "--method rise:masks",
        (
            "error: --method is 'rise:masks', expected NAME:OPTION=VALUE,OPTION=VALUE, and 'masks' is no option with "
            "a value"
        ),
    ),
    wrong(
        "an option before any method",
        "--method steps=20,integrated_gradients",
        ("error: --method is 'steps=20,integrated_gradients', and the option 'steps=20' stands before any method"),
    ),
    wrong(
        "a baseline that nobody knows, the nearest named",
        "--method integrated_gradients:baseline=blurred",
        (
            "error: integrated_gradients: 'baseline' is 'blurred', expected zero, black, white, mean, blur, noise, "
            "or a finite number. Did you mean 'blur'? See cnnlab list methods integrated_gradients"
        ),
    ),
    wrong(
        "a method twice with other options",
        "--method smoothgrad:samples=3 --method smoothgrad:samples=4",
        (
            "error: smoothgrad is asked for twice, as smoothgrad:samples=3,noise=0.15 and as "
            "smoothgrad:samples=4,noise=0.15; expected each method once"
        ),
    ),
    wrong(
        "CAM where there is no global average behind the layer",
        "--method cam --layer conv_bn_act1.conv",
        (
            f"{ONE_PASS}CAM 2\n"
            "error: CAM: it needs a global average pool and one linear layer behind 'conv_bn_act1.conv', and a "
            "class to "
            "explain; here more than a global average or dense layers lie behind the map, so that no CAM is "
            "exact; gradcam "
            "is the same where CAM exists, and goes everywhere"
        ),
    ),
    Case(
        "nothing to explain",
        "cnnlab gradcam tiny",
        "error: no image to explain: give files, folders or patterns, or --split validation",
        run=True,
    ),
    wrong(
        "images to explain from two sources",
        "--split validation",
        "error: images are given as files or by --split, not both",
    ),
    Case(
        "explanations of the test part",
        "cnnlab gradcam tiny --split test",
        "error: the test part is opened by `cnnlab eval --split test` alone; use --split validation",
        run=True,
    ),
    Case(
        "a part of the data of a network that has none",
        "cnnlab gradcam torchvision:squeezenet1_1 --input 64 --split train",
        "error: torchvision:squeezenet1_1 has no images of its own; name a folder, a CSV or a data set with --data",
    ),
    wrong(
        "a file of weights for a run",
        "--weights w.pt",
        "error: --weights is 'w.pt', and the run tiny has best and last",
    ),
    Case(
        "a file of weights that is not there",
        "cnnlab gradcam tiny.yaml a.png --weights w.pt",
        "error: w.pt: no such file of weights",
        make=both(file("tiny.yaml", TINY), PHOTO),
    ),
    Case(
        "a file of weights that is none",
        "cnnlab gradcam tiny.yaml a.png --weights w.pt",
        "error: w.pt: is no file of weights, or a damaged one",
        make=both(both(file("tiny.yaml", TINY), PHOTO), file("w.pt", "hello, this is text")),
    ),
    Case(
        "weights of a run for a network that is none",
        "cnnlab gradcam tiny.yaml a.png --weights last",
        "error: --weights last is of a run, and tiny is none; give a file of weights",
        make=both(file("tiny.yaml", TINY), PHOTO),
    ),
    Case(
        "a class activation map of a network without feature maps",
        "cnnlab gradcam flat.yaml a.png",
        (
            "error: no layer of the network has feature maps with more than one place for images of 3 x 16 x "
            "16; class "
            "activation maps need one: use a pixel method (occlusion, or gradient and "
            "integrated_gradients where the network can be differentiated)"
        ),
        make=both(file("flat.yaml", f"{DATA}model: [flatten, linear]\n"), PHOTO),
    ),
    Case(
        "Grad-CAM of a network without gradients",
        "cnnlab gradcam deaf.yaml a.png --allow-plugins",
        f"{ONE_PASS}Grad-CAM 2\nerror: the score has no gradient at layer 'conv_bn_act1': {NO_GRADIENT}",
        make=both(both(file("deaf.yaml", DEAF_CONFIG), file("deaf.py", DEAF)), PHOTO),
    ),
    Case(
        "guided backpropagation through an activation that is no rectifier",
        "cnnlab saliency silu.yaml a.png --method guided_backprop",
        (
            f"{ONE_PASS}guided backpropagation 3\n"
            "error: guided backpropagation: refused: the guided rule is one for ReLU, and the network has none (its "
            "activations are silu); the result would be the plain gradient, which gradient and smoothgrad give "
            "by its name"
        ),
        make=both(
            file("silu.yaml", f"{DATA}model: [{{conv: {{channels: 4}}}}, silu, global_avg_pool, linear]\n"), PHOTO
        ),
    ),
    Case(
        "a corrupt image to explain",
        "cnnlab gradcam tiny a.png",
        "unreadable: a.png: is damaged: image file is truncated",
        1,
        make=file("a.png", png(size=64)[:120]),
        run=True,
    ),
)
