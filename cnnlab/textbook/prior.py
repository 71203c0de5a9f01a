"""Section 19.1: why convolution; dense, locally connected and shared weights counted, and what a shift does."""

from math import log10

import torch
from scipy.signal import convolve2d
from torch import Tensor

from cnnlab.layers_lab.alternatives import alternatives
from cnnlab.layers_lab.kernel.direction import both_directions, turned
from cnnlab.layers_lab.toeplitz import convolution_matrix
from cnnlab.probe.equivariance.movement import entering_zeros, shifted
from cnnlab.textbook.built import arithmetic_of, layers
from cnnlab.textbook.statement import derived, misprinted, printed, story

HERE = "19.1"


def _weights(side: int, kernel: int) -> tuple[int, int, int]:
    """Weights from side × side to side × side, one channel: dense, locally connected, convolution."""
    found = alternatives(arithmetic_of(f"conv channels=1 kernel={kernel} bias=false", (1, side, side)))
    dense, local, shared = (one.weights for one in found)
    return dense, local, shared


@printed(HERE, "inputs of a flattened 224 × 224 colour image", 150_528)
def _flattened() -> int:
    return arithmetic_of("linear features=1000", (3, 224, 224)).input[0]


@printed(HERE, "weights from there to 1,000 hidden units", 150_528_000, "> 150 million")
def _dense_weights() -> int:
    return arithmetic_of("linear features=1000", (3, 224, 224)).weights


@printed(HERE, "inputs that one output of a 3 × 3 window reads", 9)
def _fan_in() -> int:
    unit = arithmetic_of("conv channels=1", (1, 32, 32)).unit
    assert unit is not None
    assert unit.taps is not None
    return unit.taps


@printed(HERE, "32 × 32 to 32 × 32: weights of a dense layer", 1_048_576)
def _dense() -> int:
    return _weights(32, 3)[0]


@printed(HERE, "likewise, locally connected, 3 × 3", 9_216)
def _local() -> int:
    return _weights(32, 3)[1]


@printed(HERE, "likewise, convolution, 3 × 3: weights, and with its bias", (9, 10))
def _shared() -> tuple[int, int]:
    found = arithmetic_of("conv channels=1", (1, 32, 32))
    return found.weights, found.weights + found.biases


@derived(HERE, "Linear(1024, 1024) with its biases", 1_049_600)
def _library_linear() -> int:
    found = arithmetic_of("linear features=1024", (1, 32, 32))
    return found.weights + found.biases


@printed(HERE, "locally connected against convolution: times as many weights", 1_024, "three orders of magnitude")
def _local_ratio() -> int:
    _, local, shared = _weights(32, 3)
    return local // shared


@misprinted(HERE, "dense against convolution: orders of magnitude", 3, 5, mistake=6, text="three orders of magnitude")
def _dense_orders() -> int:
    dense, _, shared = _weights(32, 3)
    return int(log10(dense / shared))


@derived(HERE, "dense against convolution: times as many weights", 116_508, tolerance=0.5)
def _dense_ratio() -> float:
    dense, _, shared = _weights(32, 3)
    return dense / shared


@printed(HERE, "figure 19.1.1: weights of the dense layer; connections and weights of the convolution", (10, 6, 3))
def _figure() -> tuple[int, int, int]:
    made = convolution_matrix(torch.randn(1, 1, 1, 3), (1, 5), stride=(1, 2))
    return made.entries, made.connections, made.weights


@printed(HERE, "true convolution less correlation with the kernel turned by 180°", 0.0, "equal", tolerance=1e-5)
def _flip() -> float:
    image, kernel = torch.randn(1, 16, 16), torch.randn(1, 3, 3)
    textbook = torch.from_numpy(convolve2d(image[0].numpy(), kernel[0].numpy(), mode="valid"))
    return float((both_directions(image, turned(kernel), "valid").correlation - textbook).abs().max())


def _shifted(shift: int, mode: str = "zero") -> tuple[Tensor, Tensor]:
    """Shift, then convolve; and the other way round. 16 × 16 normal values, to the right; by zeros or around."""
    torch.manual_seed(0)
    image = torch.randn(1, 1, 16, 16)
    convolution = layers(f"conv channels=1 bias=false padding_mode={mode}", (1, 16, 16))
    with torch.no_grad():
        for weight in convolution.parameters():
            weight.normal_()
        moved = entering_zeros(image, shift, 1) if mode == "zero" else shifted(image, shift, 1)
        return convolution(moved)[0, 0], shifted(convolution(image), shift, 1)[0, 0]


def _equal_columns(shift: int) -> list[bool]:
    before, after = _shifted(shift)
    return [bool(torch.allclose(one, other, atol=1e-5)) for one, other in zip(before.T, after.T, strict=True)]


@printed(HERE, "shift 2, columns 3:-1: shift then convolve is convolve then shift (to 1e-5)", right=True)
def _fragment() -> bool:
    return all(_equal_columns(2)[3:-1])


@printed(HERE, "likewise over the full width", right=False)
def _fragment_full() -> bool:
    return all(_equal_columns(2))


@printed(HERE, "shift 1, columns 3:-1", right=True)
def _fragment_one() -> bool:
    return all(_equal_columns(1)[3:-1])


@misprinted(HERE, "shift 4, columns 3:-1", misprint=True, right=False, mistake=3)
def _fragment_four() -> bool:
    return all(_equal_columns(4)[3:-1])


@derived(HERE, "shift 4, columns 4:-1", right=True, mistake=3)
def _fragment_four_right() -> bool:
    return all(_equal_columns(4)[4:-1])


@derived(HERE, "columns spoiled by a shift of 1, 2, 3, 4, 5 px: s + 1", (2, 3, 4, 5, 6))
def _spoiled() -> tuple[int, ...]:
    return tuple(_equal_columns(shift).count(False) for shift in range(1, 6))


@derived(HERE, "which ones at a shift of 4: the first four and the last", (0, 1, 2, 3, 15))
def _which_spoiled() -> tuple[int, ...]:
    return tuple(number for number, equal in enumerate(_equal_columns(4)) if not equal)


@derived(HERE, "circular shift and circular padding: largest error, and change of the global average", (0.0, 0.0),
         tolerance=1e-6)  # fmt: skip
def _circular() -> tuple[float, float]:
    before, after = _shifted(4, "circular")
    image_average = _shifted(0, "circular")[0].mean()
    return float((before - after).abs().max()), float((before.mean() - image_average).abs())


@derived(HERE, "a shift by zeros changes the global average of noise by more than 0.001", right=True, mistake=16)
def _noise_average() -> bool:
    return float((_shifted(2)[0].mean() - _shifted(0)[0].mean()).abs()) > 1e-3


story(HERE, "solder joints: dense in the lab, dense on the line, small CNN on the line, parameters",
      "94 %, low 70s, 96 %, 40 × fewer", "cnnlab probe shift measures the like on one's own data")  # fmt: skip


@derived(HERE, "exercise 19.1.1, 64 × 64, 5 × 5: dense, locally connected, convolution", (16_777_216, 102_400, 25))
def _exercise() -> tuple[int, int, int]:
    return _weights(64, 5)


@derived(HERE, "exercise 19.1.1 at 128 × 128", (268_435_456, 409_600, 25))
def _exercise_larger() -> tuple[int, int, int]:
    return _weights(128, 5)


@misprinted(HERE, "exercise 19.1.1: how many of the three counts change with the size", 1, 2, mistake=7, text="one")
def _exercise_changes() -> int:
    return sum(one != other for one, other in zip(_weights(64, 5), _weights(128, 5), strict=True))
