"""What cnnlab adds to the time of the bare work, as ratios with their limits: one run finds what has become slower.

    python benchmarks/all.py [WORD…] [--seconds 8] [--threads 1]

Each line is the time of something that cnnlab does over the time of the least that does the same: a training step over
a bare loop's, an evaluation over its forward passes, attribution methods over as many plain passes, a table of
receptive fields over one forward pass. The sides take turns in one process, so that a machine whose speed drifts, or is
shared, treats both alike; printed are the median of the ratios, the middle half of them, and the limit. The exit code
is 1 where three quarters of the turns are above a limit. WORD… chooses the lines that have one of these words.

The other scripts of this folder compare with other libraries, each with its own.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.layers import choose_layer
from cnnlab.config import QUICKSTART
from cnnlab.config.config import read_config
from cnnlab.data.batches import ChannelStatistics
from cnnlab.data.dataset import Dataset
from cnnlab.fit.device import evaluating
from cnnlab.network.forward import forward
from cnnlab.network.fresh import new_network
from cnnlab.network.session import Session
from cnnlab.network.speed import in_turn, now
from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.runs.images import TrainingImages
from cnnlab.speed.perturbation import METHODS, method_speeds
from cnnlab.speed.steps import Side, bare_step, evaluation_step, input_step, lasting, training_step
from cnnlab.stats.repeats import Repeats
from cnnlab.training.setup import TrainingSetup, set_up_training

CPU = torch.device("cpu")
CONFIGS = Path(__file__).parents[1] / "configs"
IMAGES = 2000
"""Random ones, of the trainings."""


@dataclass(frozen=True)
class Line:
    """One comparison."""

    name: str
    most: float
    """What the ratio may be."""
    measure: Callable[[float], Repeats | str]
    """From seconds that it may take to the ratio, turn by turn; or why there is none."""


def lines() -> Iterator[Line]:
    """All comparisons; a network is made when its own is measured."""
    for name, path in (("quickstart", QUICKSTART), ("cifar", CONFIGS / "cifar.yaml")):
        yield Line(f"training step over bare loop, {name}", 1.05, partial(_step, path))
        yield Line(f"input over training step, {name}", 0.05, partial(_input, path))
        yield Line(f"evaluation over forward passes, {name}", 1.10, partial(_evaluation, path))
        for method in (name for name, one in METHODS.items() if one.perturbs):
            yield Line(f"{METHODS[method].label} over as many passes, {name}", 1.15, partial(_method, path, method))
    yield Line("eight gradient CAMs over a pass and its gradient, ResNet-18", 1.30, _cams)
    yield Line("receptive fields over a forward pass, ResNet-50", 3.00, _fields)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each line, about")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {arguments.threads} threads; ratios of times, and what they may be")
    above = 0
    for line in lines():
        if arguments.words and not any(word in line.name for word in arguments.words):
            continue
        ratio = line.measure(arguments.seconds)
        if isinstance(ratio, str):
            print(f"{line.name:62}{'–':>20}{line.most:8.2f}  {ratio}", flush=True)
            continue
        late = ratio.low > line.most
        above += late
        print(f"{line.name:62}{ratio.text('.2f'):>20}{line.most:8.2f}  {'ABOVE' if late else ''}", flush=True)
    sys.exit(min(1, above))


def _setup(path: Path) -> TrainingSetup:
    """A training on random images: what they show alters no time."""
    classes = tuple(map(str, range(10)))
    pixels = torch.randint(256, (IMAGES, 3, 32, 32), dtype=torch.uint8)
    train = Dataset("random", "train", pixels, torch.arange(IMAGES) % len(classes), classes)
    images = TrainingImages(train, None, ChannelStatistics((0.5,) * 3, (0.25,) * 3))
    return set_up_training(read_config(path), Session(device_name="cpu"), images=images)


def _ratio(ours: Side, other: Side, seconds: float) -> Repeats:
    one, two = in_turn([lasting(ours), lasting(other)], seconds=seconds)
    return one.over(two)


def _step(path: Path, seconds: float) -> Repeats:
    return _ratio(training_step(_setup(path)), bare_step(_setup(path)), seconds)


def _input(path: Path, seconds: float) -> Repeats:
    return _ratio(input_step(_setup(path)), training_step(_setup(path)), seconds)


def _evaluation(path: Path, seconds: float) -> Repeats:
    setup = _setup(path)
    some = setup.images.train.take(torch.arange(500))
    ready = [batch.images for batch in setup.batches_of(some)]

    def bare() -> float:
        with evaluating(setup.network):
            start = now(CPU)
            for images in ready:
                setup.network(images)
            return (now(CPU) - start) / len(some)

    return _ratio(evaluation_step(setup, some), bare, seconds)


def _method(path: Path, name: str, seconds: float) -> Repeats | str:
    model, images = new_network(read_config(path), (3, 32, 32), 10).eval(), torch.randn(16, 3, 32, 32)
    found = method_speeds(model, images, max_batch=64, seconds=seconds, methods=[name])
    if not found:
        return "a closed form, which asks the network nothing"
    return found[0].over_limit or found[0].why_not


def _cams(seconds: float) -> Repeats:
    """The eight share a forward pass and a backward pass that ends at the layer."""
    model, images = torchvision.models.resnet18(num_classes=10).eval(), torch.randn(4, 3, 224, 224)
    layer = choose_layer(model, (3, 224, 224))
    classes = torch.zeros(len(images), dtype=torch.long)
    names = ["gradcam", "gradcam++", "hirescam", "xgradcam", "layercam", "eigencam", "eigengradcam", "finercam"]

    def ours() -> float:
        start = now(CPU)
        attribute(model, images, classes, methods=names, layers=layer)
        return now(CPU) - start

    def bare() -> float:
        kept: list[Tensor] = []

        def cut(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
            kept.append(output.detach().requires_grad_())
            return kept[-1]

        handle = model.get_submodule(layer.name).register_forward_hook(cut)
        start = now(CPU)
        logits = forward(model, images)
        assert isinstance(logits, Tensor)
        torch.autograd.grad(logits[:, 0].sum(), kept[0])
        seconds = now(CPU) - start
        handle.remove()
        return seconds

    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return _ratio(ours, bare, seconds)


def _fields(seconds: float) -> Repeats:
    model, image = torchvision.models.resnet50().eval(), torch.randn(1, 3, 224, 224)

    def ours() -> float:
        start = now(CPU)
        receptive_fields(model, (3, 224, 224))
        return now(CPU) - start

    def bare() -> float:
        with torch.no_grad():
            start = now(CPU)
            model(image)
            return now(CPU) - start

    return _ratio(ours, bare, seconds)


if __name__ == "__main__":
    main()
