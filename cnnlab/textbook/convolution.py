"""Section 19.2: convolution layers; channels, stride, padding, dilation, separable convolutions."""

import ast
import inspect
import time
from itertools import count
from statistics import median

import torch
from torch import nn

from cnnlab.core.arithmetic import Shape, Sliding
from cnnlab.layers_lab.kernel.implementations import by_loops, by_torch
from cnnlab.textbook.built import arithmetic_of, fields_of, layers
from cnnlab.textbook.statement import derived, misprinted, of_the_machine, printed, story

HERE = "19.2"
FRAGMENT = "conv channels=16 padding=1 + relu + conv channels=32 stride=2 padding=1 + relu + conv channels=32 kernel=1"
DILATED = "conv channels=1 dilation=1 + conv channels=1 dilation=2 + conv channels=1 dilation=4"
SEPARABLE = "depthwise_separable channels=64"


def _counts(text: str, shape: Shape) -> tuple[int, int, int]:
    found = arithmetic_of(text, shape)
    return found.weights, found.biases, found.weights + found.biases


def _shape(text: str, batch: tuple[int, int, int, int]) -> tuple[int, ...]:
    with torch.no_grad():
        return tuple(layers(text, batch[1:])(torch.zeros(batch)).shape)


@printed(HERE, "3 to 16 channels, 3 × 3: weights, biases, all", (432, 16, 448))
def _parameters() -> tuple[int, int, int]:
    return _counts("conv channels=16", (3, 32, 32))


@printed(HERE, "kernel 3, stride 2, padding 1 on 32 px", 16)
def _strided() -> int:
    return arithmetic_of("conv channels=16 stride=2 padding=1", (3, 32, 32)).output[1]


@printed(HERE, "fragment 1, 8 × 3 × 32 × 32: same, no padding, stride 2",
         ((8, 16, 32, 32), (8, 16, 30, 30), (8, 16, 16, 16)))  # fmt: skip
def _fragment_1() -> tuple[tuple[int, ...], ...]:
    texts = ("conv channels=16 padding=1", "conv channels=16 padding=0", "conv channels=16 stride=2 padding=1")
    return tuple(_shape(text, (8, 3, 32, 32)) for text in texts)


@printed(HERE, "padding that keeps the size, of kernels 3 and 5", (1, 2))
def _same() -> tuple[int, ...]:
    found = [layers(f"conv channels=1 kernel={k} padding=same", (1, 32, 32))[0] for k in (3, 5)]
    assert all(isinstance(one, nn.Conv2d) and one(torch.zeros(1, 1, 32, 32)).shape[2] == 32 for one in found)
    return tuple(int(one.padding[0]) for one in found if isinstance(one, nn.Conv2d))


@printed(HERE, "32 px after 15 and after 16 unpadded 3 × 3 layers", (2, 0))
def _unpadded() -> tuple[int, int]:
    sizes = [32]
    for _ in range(16):
        sizes.append(Sliding(sizes[-1], 3).outputs)
    return sizes[15], sizes[16]


@torch.no_grad()
def _tells_place(mode: str) -> bool:
    """Whether the global average of a convolution differs for a dot in a corner and in the middle."""
    torch.manual_seed(0)
    network = layers(f"conv channels=1 bias=false padding_mode={mode} + global_avg_pool", (1, 16, 16))
    images = torch.zeros(2, 1, 16, 16)
    images[0, 0, 0, 0] = images[1, 0, 8, 8] = 1
    corner, middle = map(float, network(images))
    return abs(corner - middle) > 1e-4


@derived(HERE, "a corner told from the middle after global pooling: zero padding, circular padding", (True, False),
         mistake=18)  # fmt: skip
def _leak() -> tuple[bool, bool]:
    return _tells_place("zero"), _tells_place("circular")


@printed(HERE, "parameters of that layer at 32 × 32 and at 4096 × 4096", (448, 448))
def _any_size() -> tuple[int, int]:
    return _counts("conv channels=16", (3, 32, 32))[2], _counts("conv channels=16", (3, 4096, 4096))[2]


def _dilated() -> tuple[int, int]:
    unit = arithmetic_of("conv channels=1 dilation=2", (1, 32, 32)).unit
    assert unit is not None
    assert unit.taps is not None
    return unit.size[0], unit.taps


@printed(HERE, "3 × 3 at dilation 2: side of what it covers, and weights", (5, 9))
def _footprint() -> tuple[int, int]:
    return _dilated()


@misprinted(HERE, "figure 19.2.2: times the side that it covers undilated", 2.0, 5 / 3, mistake=8, text="doubling")
def _doubling() -> float:
    return _dilated()[0] / 3


@printed(HERE, "receptive field after dilations 1, 2, 4", (3, 7, 15))
def _dilations() -> tuple[int, ...]:
    return fields_of(DILATED)


@printed(HERE, "plain 3 × 3 layers that see 15 px", 7)
def _plain_layers() -> int:
    return next(n for n in count(1) if fields_of(" + ".join(["conv channels=1"] * n))[-1] >= 15)


@printed(HERE, "fragment 2, 4 × 3 × 64 × 64: shapes after each convolution",
         ((4, 16, 64, 64), (4, 32, 32, 32), (4, 32, 32, 32)))  # fmt: skip
def _fragment_2() -> tuple[tuple[int, ...], ...]:
    network, image, found = layers(FRAGMENT, (3, 64, 64)), torch.zeros(4, 3, 64, 64), []
    for layer in network:
        image = layer(image)
        if isinstance(layer, nn.Conv2d):
            found.append(tuple(image.shape))
    return tuple(found)


@misprinted(HERE, "fragment 2: parameters", 6_432, 6_144, mistake=1)
def _fragment_2_parameters() -> int:
    return _counts(FRAGMENT, (3, 64, 64))[2]


@derived(HERE, "fragment 2: parameters of each convolution", (448, 4_640, 1_056), mistake=1)
def _fragment_2_parts() -> tuple[int, ...]:
    parts = arithmetic_of(FRAGMENT, (3, 64, 64)).parts
    return tuple(part.weights + part.biases for part in parts if part.weights)


def _macs_per_pixel(text: str) -> int:
    found = arithmetic_of(text, (64, 32, 32)).macs_per_pixel
    assert found is not None
    return round(found)


@printed(HERE, "64 to 64 channels, 3 × 3: multiplications for each output pixel", 36_864)
def _plain() -> int:
    return _macs_per_pixel("conv channels=64")


@printed(HERE, "likewise depthwise separable", 4_672)
def _separable() -> int:
    return _macs_per_pixel(SEPARABLE)


@misprinted(HERE, "their ratio", 8.5, 7.89, mistake=5, text="eight- to nine-fold", tolerance=0.005)
def _reduction() -> float:
    return _plain() / _separable()


story(HERE, "doorbell: frames per second, battery, accuracy", "2 to 15, a day to a week, −1.5 points",
      "cnnlab cost MODEL --swap depthwise_separable measures it here")  # fmt: skip


@of_the_machine(HERE, "gesture switch: frames/s of six separable blocks on 3 × 128 × 128, on the CPU", "> 20", least=20)
def _webcam() -> float:
    channels = (32, 64, 64, 128, 128, 128)
    text = " + ".join(f"depthwise_separable channels={c} stride={1 + n % 2} + relu" for n, c in enumerate(channels))
    network = layers(f"{text} + global_avg_pool + linear features=4", (3, 128, 128)).eval()
    return 1 / _seconds(lambda: network(torch.zeros(1, 3, 128, 128)), 3)


def _seconds(work: object, times: int) -> float:
    """The median of `times` runs, after one that warms up."""
    assert callable(work)
    found = []
    with torch.no_grad():
        for _ in range(times + 1):
            began = time.perf_counter()
            work()
            found.append(time.perf_counter() - began)
    return median(found[1:])


EXERCISE_1 = (
    "conv channels=64 kernel=7 stride=2 padding=3 bias=false",
    "conv channels=64 dilation=2 padding=1 bias=false",
    "conv channels=64 kernel=5 stride=2 padding=0 bias=false",
)


@derived(HERE, "exercise 19.2.1, 224 px: sizes of a, b, c", (112, 222, 110))
def _exercise_sizes() -> tuple[int, ...]:
    return tuple(arithmetic_of(text, (1, 224, 224)).output[1] for text in EXERCISE_1)


@derived(HERE, "exercise 19.2.1: weights of a, b, c", (3_136, 576, 1_600))
def _exercise_weights() -> tuple[int, ...]:
    return tuple(arithmetic_of(text, (1, 224, 224)).weights for text in EXERCISE_1)


@derived(HERE, "exercise 19.2.2, 32 to 64 channels: standard, separable, ratio", (18_496, 2_432, 7.605), tolerance=5e-4)
def _exercise_separable() -> tuple[int, int, float]:
    plain, apart = (_counts(text, (32, 64, 64))[2] for text in ("conv channels=64", SEPARABLE))
    return plain, apart, plain / apart


@derived(HERE, "exercise 19.2.3, kernel 3, stride 2 on 32 px: padding 0, padding 1", (15, 16))
def _exercise_stride() -> tuple[int, ...]:
    return tuple(arithmetic_of(f"conv channels=1 stride=2 padding={p}", (1, 32, 32)).output[1] for p in (0, 1))


@misprinted(HERE, "nested loops of the naive convolution", 6, 7, mistake=9, text="six")
def _loops() -> int:
    def depth(node: ast.AST) -> int:
        inner = max((depth(child) for child in ast.iter_child_nodes(node)), default=0)
        return inner + isinstance(node, ast.For)

    return depth(ast.parse(inspect.getsource(by_loops)))


@of_the_machine(HERE, "nested loops in Python: times the time of torch (32 to 32 channels, 32 × 32 px)", "thousands",
                least=1000)  # fmt: skip
def _naive() -> float:
    few, filters = torch.randn(1, 8, 10, 10), torch.randn(8, 8, 3, 3)
    each = _seconds(lambda: by_loops(few, filters), 1) / (8 * 8 * 8 * 8 * 9)
    many, more = torch.randn(1, 32, 34, 34), torch.randn(32, 32, 3, 3)
    return each * 32 * 32 * 32 * 32 * 9 / _seconds(lambda: by_torch(many, more), 9)
