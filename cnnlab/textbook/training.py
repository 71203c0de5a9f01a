"""Section 19.5: CIFAR-10 end to end; the network, the recipe, and what a training of it comes to."""

import torch
from torch import nn

from cnnlab.data.augment import Draw
from cnnlab.data.batches import batch_bounds
from cnnlab.fit.parameter_groups import learning_parameters
from cnnlab.textbook.small_cnn import CLASSES, SHAPE, costs, fields, recipe, small_cnn
from cnnlab.textbook.statement import derived, elsewhere, misprinted, of_a_run, printed, story
from cnnlab.textbook.trained import TrainedRun
from cnnlab.training.overfitting import LearningCurves, diagnose

HERE = "19.5"
TRAIN = 50_000
"""Training images of CIFAR-10; a statement about a run checks them."""

EPOCHS = 30
"""Of the recipe: what is said of its end is said of runs that are as long."""


@printed(HERE, "CIFAR-10: channels, height, width; classes", ((3, 32, 32), 10))
def _cifar() -> tuple[tuple[int, ...], int]:
    shape, classes = recipe().data.known
    assert shape is not None
    assert classes is not None
    return shape, classes


@of_a_run(HERE, "CIFAR-10: training images, test images, classes", "50,000, 10,000, 10", right=(TRAIN, 10_000, CLASSES))
def _images(run: TrainedRun) -> tuple[int, int, int]:
    return len(run.images), run.test_count, len(run.images.classes)


@of_a_run(HERE, "mean of each colour", "0.4914, 0.4822, 0.4465", right=(0.4914, 0.4822, 0.4465), tolerance=5.1e-5)
def _mean(run: TrainedRun) -> tuple[float, ...]:
    return tuple(run.statistics.mean)


@of_a_run(HERE, "standard deviation of each colour", "0.2470, 0.2435, 0.2616", right=(0.2470, 0.2435, 0.2616),
          tolerance=5.1e-5)  # fmt: skip
def _std(run: TrainedRun) -> tuple[float, ...]:
    return tuple(run.statistics.std)


@printed(HERE, "random crop: padding, size; batches in training and evaluation", (4, 32, 128, 256))
def _crop() -> tuple[int, ...]:
    config = recipe()
    crop = config.data.augment[0].build(classes=CLASSES)
    images = torch.zeros(2, *SHAPE, dtype=torch.uint8)
    draw = Draw(torch.Generator().manual_seed(0), 0, 0, torch.arange(2), 0)
    cropped, _ = crop(images, torch.zeros(2, dtype=torch.int64), draw)
    return crop.padding, cropped.shape[2], config.training.batch_size, config.training.evaluation_batch_size


@derived(HERE, "batches of an epoch of 50,000 images; steps in 30 epochs", (391, 11_730))
def _steps() -> tuple[int, int]:
    training = recipe().training
    batches = len(batch_bounds(TRAIN, training.batch_size))
    return batches, batches * training.epochs


@of_a_run(HERE, "steps of an epoch: training images over the batch size, rounded up", "391 of 50,000", right=True,
          dataset=None)  # fmt: skip
def _run_steps(run: TrainedRun) -> bool:
    outcome, record, training = run.network.run.record.outcome, run.network.run.record, run.network.config.training
    batches = -(-record.data.train // training.batch_size)
    return outcome.step == outcome.epochs * -(-batches // training.accumulate)


def _convolutions() -> list[str]:
    return [layer.name for layer in costs().layers if layer.kind == "Conv2d"]


@printed(HERE, "shapes after each stage, the average, the head", ((32, 16, 16), (64, 8, 8), (128, 4, 4), (128,), (10,)))
def _stages() -> tuple[tuple[int, ...], ...]:
    outputs = {layer.name: layer.output for layer in costs().layers}
    ends = ("conv_bn_act2", "conv_bn_act4", "conv_bn_act6", "global_avg_pool1", "linear1")
    return tuple(outputs[name] for name in ends)


@printed(HERE, "SmallCNN: parameters, of convolutions, batch norms, head", (288_746, 286_560, 896, 1_290))
def _parameters() -> tuple[int, ...]:
    kinds = ("Conv2d", "BatchNorm2d", "Linear")
    each = (sum(layer.parameters for layer in costs().layers if layer.kind == kind) for kind in kinds)
    return (costs().parameters, *each)


@of_a_run(HERE, "parameters of the run's network", "288,746", right=288_746)
def _run_parameters(run: TrainedRun) -> int:
    return run.network.run.record.parameters


@derived(HERE, "receptive field after each convolution; jump", ((3, 5, 9, 13, 21, 29), (1, 2, 2, 4, 4, 8)))
def _fields() -> tuple[tuple[int, ...], tuple[int, ...]]:
    found = [field for field in fields().layers if field.name in _convolutions()]
    return tuple(field.size[0] for field in found), tuple(round(field.stride[0] or 0) for field in found)


def _stage_macs() -> tuple[int, int, int]:
    macs = [layer.macs for layer in costs().layers if layer.name in _convolutions()]
    return sum(macs[:2]), sum(macs[2:4]), sum(macs[4:])


@derived(HERE, "multiply-accumulates of each stage; with the head", ((3_244_032, 7_077_888, 7_077_888), 17_401_088))
def _macs() -> tuple[tuple[int, int, int], int]:
    return _stage_macs(), costs().macs


@misprinted(HERE, "every stage costs the same", misprint=True, right=False, mistake=10)
def _equal_stages() -> bool:
    return len(set(_stage_macs())) == 1


@printed(HERE, "optimiser: learning rate, momentum, weight decay; the rate after 0, 15, 30 epochs",
         ((0.1, 0.9, 5e-4), (0.1, 0.05, 0.0)), "SGD 0.1, 0.9, 5e-4; cosine over 30", tolerance=1e-9)  # fmt: skip
def _optimiser() -> tuple[tuple[float, ...], tuple[float, ...]]:
    config = recipe()
    (group, *_) = config.optimizer.build(parameters=learning_parameters(nn.Linear(2, 2))).param_groups
    schedule, rate = config.schedule.build(epochs=config.training.epochs), float(group["lr"])
    rates = tuple(rate * schedule(share) for share in (0.0, 0.5, 1.0))
    return (rate, float(group["momentum"]), float(group["weight_decay"])), rates


@of_a_run(HERE, "training loss after 30 epochs", "0.281, 0.270, 0.262 in epochs 28 to 30", least=0.05, most=0.45)
def _loss(run: TrainedRun) -> float | None:
    return run.last("train/loss") if len(run.epochs) >= EPOCHS else None


@of_a_run(HERE, "accuracy after 30 epochs (test part if opened, else validation): 84 % is a floor",
          "84.91, 85.33, 85.46 %", least=0.84, mistake=21)  # fmt: skip
def _accuracy(run: TrainedRun) -> float | None:
    return run.accuracy(epochs=EPOCHS)


@of_a_run(HERE, "minutes of training", "a few, on one GPU", dataset=None)
def _minutes(run: TrainedRun) -> float:
    return run.network.run.record.outcome.train_seconds / 60


elsewhere(HERE, "accuracy of a constant large rate without decay and augmentation", "low seventies",
          "cnnlab ablate configs/cifar.yaml trains each switch")  # fmt: skip
story(HERE, "plant disease: lab, field; split by session", "98 %, low 60s; 88 and 86 %")
elsewhere(HERE, "a ResNet-18 with ImageNet's weights, fine-tuned", "> 95 %", "a training from these weights")
story(HERE, "speedrun", "94 % in less than 10 s")


@derived(HERE, "exercise 19.5.1: training 99 %, test 78 %, peak at epoch 20", ("over-fitted", 20))
def _diagnosis() -> tuple[str, int]:
    epochs = range(1, 41)
    rising = [0.99 - 0.6 * 0.85**epoch for epoch in epochs]
    falling = [0.84 - 0.4 * 0.8**epoch if epoch <= 20 else 0.835 - 0.055 * (epoch - 20) / 20 for epoch in epochs]
    found = diagnose(LearningCurves(epochs, rising, falling, [None] * 40, 10_000))
    return found.verdict, found.since_epoch or 0


@derived(HERE, "exercise 19.5.2, without batch norm: parameters with biases, without", (288_298, 287_850), mistake=12)
def _without_norm() -> tuple[int, int]:
    networks = small_cnn(norm="none"), small_cnn(norm="none", bias="false")
    with_biases, without = (sum(p.numel() for p in network.parameters()) for network in networks)
    return with_biases, without


@of_a_run(HERE, "exercise 19.5.2: epoch in which validation passes 70 %", "within 15", least=1, most=15)
def _seventy(run: TrainedRun) -> int | None:
    passed = [epoch for epoch, accuracy in run.points("validation/accuracy") if accuracy > 0.7]
    never = len(run.epochs) + 1 if len(run.epochs) >= 15 else None
    return passed[0] if passed else never


@of_a_run(HERE, "exercise 19.5.3: classes of the confusion matrix; rows are the truth, and add up to its images",
          "10 × 10, sum 10,000", right=(10, 10, True))  # fmt: skip
def _confusion(run: TrainedRun) -> tuple[int, int, bool] | None:
    if run.evaluation is None or run.sums is None:
        return None
    rows, columns = run.evaluation.matrix.shape
    return int(rows), int(columns), run.sums
