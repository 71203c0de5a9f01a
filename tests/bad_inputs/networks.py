"""Networks that do not fit, and recipes whose parts do not fit each other."""

from bad_inputs.case import MODEL, SMALL, config, file
from bad_inputs.known import AUGMENTATIONS, DATASETS, LAYERS, LOSSES, OPTIMIZERS, SCHEDULES

NO_TENSOR = """\
from torch import nn
from cnnlab.models.registry import LAYERS


class Words(nn.Module):
    def forward(self, images):
        return "words"


@LAYERS.register("words")
def words() -> nn.Module:
    return Words()
"""


REFUSES_NAN = """\
from torch import nn
from cnnlab.models.registry import LAYERS


class Strict(nn.Module):
    def forward(self, images):
        if not images.is_meta and images.isnan().any():
            raise ValueError("no NaN")
        return images


@LAYERS.register("strict")
def strict() -> nn.Module:
    return Strict()
"""
SCRIPTED = """\
import torch
from torch import nn
from cnnlab.models.registry import LAYERS


@LAYERS.register("scripted")
def scripted() -> nn.Module:
    return torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
"""


def layers(*lines: str) -> str:
    """A model, one layer a line."""
    return "\n".join(["model:", *(f"  - {line}" for line in lines)])


NETWORKS = (
    config(
        "a model of more layers than anybody waits for",
        f"model: [{'relu, ' * 5000}global_avg_pool, linear]",
        "error: bad.yaml:1:30026: the model has more than 5,000 layers; expected fewer",
        rest="",
        command="cnnlab config check bad.yaml",
    ),
    config(
        "a crop that may miss the image",
        "data: {dataset: {shapes: {size: 16}}, augment: [{crop: {padding: 16}}]}",
        (
            "error: crop: with a padding of 16 some windows have nothing of an image of 16×16 pixels; "
            "padding is at most 15 here"
        ),
        rest=MODEL,
        command="cnnlab config check bad.yaml",
    ),
    config(
        "no model",
        "seed: 1",
        "error: bad.yaml:1:1: the config needs 'model' (the network, layer after layer, or one of your own in Python)",
    ),
    config("an empty model", "model: []", "error: bad.yaml:1:1: 'model' is a list of 0, expected at least 1 of them"),
    config("a model that is one word", "model: resnet", "error: bad.yaml:1:1: 'model' is 'resnet', expected a list"),
    config(
        "an unknown layer, the nearest named",
        layers("con: {channels: 8}", "linear"),
        f"error: bad.yaml:2:5: no layer 'con'; {LAYERS}. Did you mean 'conv'?",
    ),
    config(
        "a layer with its options not indented",
        "model:\n  - conv:\n    channels: 8",
        (
            "error: bad.yaml:2:5: expected a layer, written 'name' or 'name: {option: value}', and this "
            "has 'conv' and 'channels'; options are indented under the name"
        ),
    ),
    config(
        "a layer that is a number",
        layers("3", "linear"),
        f"error: bad.yaml:2:5: no layer '3'; {LAYERS}.",
    ),
    config(
        "a layer without its channels",
        layers("conv", "global_avg_pool", "linear"),
        "error: bad.yaml:2:5: layer 'conv' needs 'channels'",
    ),
    config(
        "a layer whose options are a list",
        layers("conv: [8, 3]", "linear"),
        "error: bad.yaml:2:5: expected a layer, written 'name' or 'name: {option: value}'",
    ),
    config(
        "a layer inside a layer that is unknown",
        layers("residual: {layers: [{cov: {channels: 8}}]}"),
        f"error: bad.yaml:2:25: no layer 'cov'; {LAYERS}. Did you mean 'conv'?",
    ),
    config(
        "an unknown normalisation in a composite",
        layers("conv_bn_act: {channels: 8, norm: batchnorm}"),
        f"error: bad.yaml:2:32: no layer 'batchnorm'; {LAYERS}. Did you mean 'batch_norm'?",
    ),
    config(
        "a window larger than the image",
        layers("conv: {channels: 8, kernel: 21, padding: 0}"),
        (
            "error: bad.yaml:2:5: layer 'conv' (1st of the model) does not fit: the height of its input, "
            "16, is too small for a kernel of 21: floor((16 + 2·0 − 1·(21−1) − 1)/1) + 1 = −4; padding: 3"
            " would fit"
        ),
        rest=SMALL,
    ),
    config(
        "pooled below one pixel",
        layers("repeat: {times: 6, layers: [{max_pool: {}}]}", "linear"),
        (
            "error: bad.yaml:2:34: layer 'max_pool' (in 'repeat') does not fit: the height of its input, "
            "1, is too small for a kernel of 2: floor((1 + 2·0 − 1·(2−1) − 1)/2) + 1 = 0; padding: 1 "
            "would fit"
        ),
        rest=SMALL,
    ),
    config(
        "a linear layer on an image",
        layers("conv: {channels: 8}", "linear"),
        (
            "error: bad.yaml:3:5: layer 'linear' (2nd of the model) does not fit: it needs a flat input, "
            "its input is (8, 16, 16); put 'global_avg_pool' (8 features) or 'flatten' (2048 features) "
            "before it"
        ),
        rest=SMALL,
    ),
    config(
        "a convolution after the image is flat",
        layers("flatten", "conv: {channels: 8}", "linear"),
        (
            "error: bad.yaml:3:5: layer 'conv' (2nd of the model) does not fit: it needs (channels, "
            "height, width), its input is (768,); put it before the layer that makes the input flat (such"
            " as flatten or global_avg_pool)"
        ),
        rest=SMALL,
    ),
    config(
        "groups that do not divide the channels",
        layers("conv: {channels: 8, groups: 2}", "global_avg_pool", "linear"),
        (
            "error: bad.yaml:2:5: layer 'conv' (1st of the model) does not fit: groups: 2 does not divide"
            " its 3 input channels; these do: 1"
        ),
        rest=SMALL,
    ),
    config(
        "a residual body whose shape no shortcut reaches",
        layers("residual: {layers: [{conv: {channels: 8, kernel: 4, padding: 0}}]}"),
        (
            "error: bad.yaml:2:5: layer 'residual' (1st of the model) does not fit: its layers turn (3, "
            "16, 16) into (8, 13, 13), and no stride of a 1×1 shortcut makes 13 of 16: floor((16 − "
            "1)/stride) + 1; pad its layers (padding: same) or write a 'shortcut' list"
        ),
        rest=SMALL,
    ),
    config(
        "parallel branches of different sizes",
        layers("parallel: {branches: [[{conv: {channels: 4}}], [{conv: {channels: 4, stride: 2}}]]}"),
        (
            "error: bad.yaml:2:5: layer 'parallel' (1st of the model) does not fit: join: concat needs "
            "equal heights and widths, its 2 branches turn (3, 16, 16) into (4, 16, 16), (4, 8, 8)"
        ),
        rest=SMALL,
    ),
    config(
        "channels that cannot be cut into equal parts",
        layers("split: {branches: [[], [relu]]}", "global_avg_pool", "linear"),
        (
            "error: bad.yaml:2:5: layer 'split' (1st of the model) does not fit: its 3 input channels cannot be cut "
            "into 2 equal parts, one for each branch; give it as many branches as divide them: 3"
        ),
        rest=SMALL,
    ),
    config(
        "padding: same with an even kernel",
        layers("conv: {channels: 8, kernel: 4}"),
        (
            "error: bad.yaml:2:5: layer 'conv' (1st of the model) does not fit: padding: same is "
            "dilation·(kernel − 1)/2 = 1·(4−1)/2, no whole number for the even kernel 4; take an odd "
            "kernel, or give a number (padding: 0 where the windows lie side by side)"
        ),
        rest=SMALL,
    ),
    config(
        "a model that ends with an image",
        layers("conv: {channels: 10}"),
        (
            "error: bad.yaml:2:5: the model ends with 'conv', whose output is (10, 16, 16); 10 classes "
            "need (10,): add 'global_avg_pool' and 'linear' at the end"
        ),
        rest=SMALL,
    ),
    config(
        "a model with the wrong number of outputs",
        layers("flatten", "linear: {features: 7}"),
        (
            "error: bad.yaml:3:5: the model ends with 'linear', whose output is (7,); 10 classes need "
            "(10,): leave out its 'features'"
        ),
        rest=SMALL,
    ),
    config(
        "a user's layer that gives no tensor",
        "plugins: [mine.py]",
        (
            "error: bad.yaml:4:5: layer 'words' (1st of the model) fails on an input of shape (3, 16, "
            "16): TypeError: its output is str, expected a tensor"
        ),
        rest=SMALL + layers("words", "global_avg_pool", "linear"),
        make=file("mine.py", NO_TENSOR),
        command="cnnlab train bad.yaml --allow-plugins",
    ),
    config(
        "a proof by NaN of a network that refuses NaN",
        "plugins: [mine.py]",
        (
            "error: layer 'strict1' (Strict) raises ValueError: no NaN (mine.py:8); it was given an image with NaN, "
            "by which --verify sees what depends on what: leave --verify out"
        ),
        rest=SMALL + layers("strict", "global_avg_pool", "linear"),
        make=file("mine.py", REFUSES_NAN),
        command="cnnlab receptive-field bad.yaml --verify --allow-plugins",
    ),
    config(
        "a layer that is compiled, whose inside is asked for",
        "plugins: [mine.py]",
        (
            "error: layer 'scripted1' is compiled by torch.jit.script, so that nothing inside it can be followed; "
            "give it as it was before it was compiled"
        ),
        rest=SMALL + layers("scripted", "global_avg_pool", "linear"),
        make=file("mine.py", SCRIPTED),
        command="cnnlab summary bad.yaml --allow-plugins",
    ),
    config(
        "a network that no memory can hold",
        layers("flatten", "linear: {features: 100000000000000}", "linear"),
        (
            "error: bad.yaml:3:5: layer 'linear' (2nd of the model) fails on an input of shape (768,): "
            "its 307,200,000 GB do not fit into this machine's memory"
        ),
        rest=SMALL,
    ),
    config(
        "an unknown data set, the nearest named",
        "data: {dataset: cifar11}",
        f"error: bad.yaml:1:8: no dataset 'cifar11'; {DATASETS}. Did you mean 'cifar10'?",
        rest=MODEL,
    ),
    config(
        "an unknown augmentation, the nearest named",
        "data: {augment: [flipp]}",
        f"error: bad.yaml:1:18: no augmentation 'flipp'; {AUGMENTATIONS}. Did you mean 'flip'?",
        rest=MODEL,
    ),
    config(
        "an unknown optimizer, the nearest named",
        "optimizer: adam",
        f"error: bad.yaml:1:1: no optimizer 'adam'; {OPTIMIZERS}. Did you mean 'adamw'?",
        rest=MODEL,
    ),
    config(
        "an unknown schedule, the nearest named",
        "schedule: cosin",
        f"error: bad.yaml:1:1: no schedule 'cosin'; {SCHEDULES}. Did you mean 'cosine'?",
        rest=MODEL,
    ),
    config("an unknown loss", "loss: mse", f"error: bad.yaml:1:1: no loss 'mse'; {LOSSES}.", rest=MODEL),
    config(
        "two optimizers",
        "optimizer: {sgd: {}, adamw: {}}",
        (
            "error: bad.yaml:1:1: expected an optimizer, written 'name' or 'name: {option: value}', and "
            "this has 'sgd' and 'adamw'; options are indented under the name"
        ),
        rest=MODEL,
    ),
    config(
        "a warm-up as long as the run",
        "schedule: {cosine: {warmup: 10}}",
        (
            "error: bad.yaml:1:12: schedule 'cosine': the schedule's warmup of 10 epochs must be shorter "
            "than the 10 epochs of the run"
        ),
        rest=SMALL + MODEL,
    ),
    config(
        "as many class weights as classes, but for one",
        "loss: {cross_entropy: {class_weights: [1, 1, 1, 1, 1, 1, 1, 1, 1]}}",
        ("error: bad.yaml:1:8: loss 'cross_entropy': class_weights has 9 numbers, the data set 10 classes"),
        rest=SMALL + MODEL,
    ),
    config(
        "class weights that are a word",
        "loss: {cross_entropy: {class_weights: fair}}",
        "error: bad.yaml:1:24: 'class_weights' is 'fair', expected 'none' or 'balanced', or a list",
        rest=SMALL + MODEL,
    ),
    config(
        "Nesterov without momentum",
        "optimizer: {sgd: {momentum: 0, nesterov: true}}",
        "error: bad.yaml:1:13: optimizer 'sgd': nesterov: true needs a momentum above 0",
        rest=SMALL + MODEL,
    ),
    config(
        "early stopping without a validation part",
        "early_stopping: {patience: 3}",
        "error: early_stopping watches the validation part; set data.validation above 0",
        rest="data: {validation: 0, dataset: {shapes: {train_count: 60, size: 16}}}\n" + MODEL,
    ),
    config(
        "more of the training part than there is",
        "data: {take: 55, dataset: {shapes: {train_count: 60, size: 16}}}",
        "error: data.take is 55; the training part has 50 images of 10 classes, so take 10 to 50",
        rest=MODEL,
    ),
    config(
        "a class that the data set does not have",
        "data: {classes: [star, rign]}",
        (
            "error: bad.yaml:1:8: data.classes: no class 'rign'; known: disc, ring, square, triangle, star, cross, "
            "crescent, heart, arrow, pill. Did you mean 'ring'?"
        ),
        rest=MODEL,
    ),
    config(
        "a class twice",
        "data: {classes: [star, 0, 0]}",
        "error: bad.yaml:1:8: 'classes': has '0' twice",
        rest=MODEL,
    ),
    config(
        "a single class",
        "data: {classes: [star]}",
        "error: bad.yaml:1:8: 'classes' is a list of 1, expected at least 2 of them",
        rest=MODEL,
    ),
    config(
        "marks that are as far apart as the image is wide",
        "data: {dataset: {pairs: {size: 16, distance: 16}}}",
        (
            "error: bad.yaml:1:18: dataset 'pairs': distance is 16 px; marks of 5 px stand apart and inside an image "
            "of 16 px with 6 to 11"
        ),
        rest=MODEL,
    ),
    config(
        "all of it for validation",
        "data: {validation: 1}",
        "error: bad.yaml:1:8: 'validation' is '1', expected at most 0.9",
        rest=MODEL,
    ),
    config(
        "a validation part of less than one image",
        "data: {validation: 0.001, dataset: {shapes: {train_count: 60, size: 16}}}",
        (
            "error: a validation part of 0.001 of 60 images leaves none for validation; change the "
            "fraction, or use 0 for no validation part"
        ),
        rest=MODEL,
    ),
    config(
        "a parameter group that matches nothing",
        "parameter_groups: [{match: ['conv9.*']}]",
        ("error: parameter_groups: 'conv9.*' matches no parameter; they are called linear1.weight, linear1.bias"),
        rest=SMALL + MODEL,
    ),
    config(
        "every parameter frozen",
        "parameter_groups: [{match: ['*'], frozen: true}]",
        "error: parameter_groups: every parameter is frozen; nothing is left to train",
        rest=SMALL + MODEL,
    ),
    config(
        "a group that is frozen, and learns until an epoch",
        "parameter_groups: [{match: ['*.bias'], frozen: true, until: 2}]",
        "error: bad.yaml:1:20: 'parameter_groups': what is frozen never learns; leave out frozen, or until and "
        "schedule",
        rest=MODEL,
    ),
    config(
        "Muon where no filter learns",
        "optimizer: {muon: {rest: adamw}}",
        (
            "error: bad.yaml:1:13: optimizer 'muon': no filter learns: no layer but the head has a kernel that is not "
            "frozen; sgd or adamw do"
        ),
        rest=SMALL + MODEL,
    ),
    config(
        "an unknown optimizer inside Muon",
        "optimizer: {muon: {rest: {sgdd: {lr: 0.1}}}}",
        f"error: bad.yaml:1:20: no optimizer 'sgdd'; {OPTIMIZERS}. Did you mean 'sgd'?",
        rest=MODEL,
    ),
    config(
        "half precision on the processor",
        "training: {precision: fp16}",
        "error: training.precision is fp16, which trains on a GPU only; use bf16 or fp32 on the cpu",
        rest=SMALL + MODEL,
        command="cnnlab train bad.yaml",
    ),
    config(
        "fewer images than a batch, and the last batch dropped",
        "training: {batch_size: 128, drop_last: true}",
        (
            "error: there are 50 training images, fewer than the batch_size 128, and drop_last leaves "
            "no batch; make batch_size smaller or drop_last false"
        ),
        rest=SMALL + MODEL,
    ),
    config(
        "a crop that mirrors more than there is",
        "data: {augment: [{crop: {padding: 20, mode: reflect}}], dataset: {shapes: {train_count: 60, size: 16}}}",
        (
            "error: crop: an image of 16×16 pixels cannot be mirrored by 20; padding is at most 15 here,"
            " or use mode: zero"
        ),
        rest=MODEL,
    ),
    config(
        "a range from large to small",
        "data: {augment: [{erase: {area: [0.5, 0.1]}}], dataset: {shapes: {train_count: 60, size: 16}}}",
        (
            "error: bad.yaml:1:19: augmentation 'erase': erase: area goes from 0.5 to 0.1; write the "
            "smaller first: [0.1, 0.5]"
        ),
        rest=MODEL,
    ),
    config(
        "the same crop, found without images",
        "data: {augment: [{crop: {padding: 40, mode: reflect}}]}",
        (
            "error: crop: an image of 32×32 pixels cannot be mirrored by 40; padding is at most 31 here,"
            " or use mode: zero"
        ),
        rest=MODEL,
        command="cnnlab config check bad.yaml",
    ),
    config(
        "activations beyond the memory",
        "model: [{conv: {channels: 4, padding: 100000}}, global_avg_pool, linear]",
        (
            "error: this machine has N GB of memory, and the weights and their gradients take 0.0 GB, and the input "
            "and output of the largest layer 32,004 GB for a batch of 50 images (training.batch_size); a smaller "
            "batch, smaller images or fewer channels need less"
        ),
        rest=SMALL,
    ),
    config(
        "more images than memory",
        "data: {dataset: {shapes: {train_count: 1000000000000}}}",
        (
            "error: bad.yaml:1:18: dataset 'shapes': 1,000,000,000,000 images of 32 × 32 pixels take "
            "4,096,000 GB, and as much again when the validation part is taken out of them; this machine has "
            "N GB of memory; choose a smaller 'size' or fewer images"
        ),
        rest=MODEL,
    ),
    config(
        "a learning rate beyond all numbers",
        "optimizer: {sgd: {lr: 1e39}}",
        "error: bad.yaml:1:19: 'lr' is '1e39', expected at most 1e+06",
        rest=MODEL,
    ),
    config(
        "a learning rate of 0",
        "optimizer: {sgd: {lr: 0}}",
        "error: bad.yaml:1:19: 'lr' is '0', expected more than 0",
        rest=MODEL,
    ),
    config(
        "more epochs than there is time",
        "training: {epochs: 1e30}",
        "error: bad.yaml:1:12: 'epochs' is '1e30', expected a whole number",
        rest=MODEL,
    ),
    config(
        "a layer with a number beyond 64 bits",
        layers("conv: {channels: 99999999999999999999}"),
        (
            "error: bad.yaml:2:5: layer 'conv' (1st of the model) fails on an input of shape (3, 16, 16):"
            " one of its numbers is too large"
        ),
        rest=SMALL,
    ),
    config(
        "a learning rate at which the loss becomes infinite",
        "optimizer: {sgd: {lr: 1e6}}",
        (
            "error: the loss is nan at step 3 (epoch 1) with learning rate 9.568e+05: it appears first in"
            " layer linear1 (its output; its weights are finite). Try a lower optimizer.lr (cnnlab "
            "lr-find), or clipping"
        ),
        rest="name: wild\ntraining: {epochs: 3, batch_size: 10}\nlogging: {graph: false, pictures: false}\n"
        + SMALL
        + layers("conv: {channels: 4}", "conv: {channels: 4}", "global_avg_pool", "linear"),
        exit_code=1,
        leaves=("runs/wild/",),
    ),
)
