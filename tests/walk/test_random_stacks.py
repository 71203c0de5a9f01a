"""Networks that nobody thought of: random stacks of layers, branches and joins, each against rows of NaN."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from walk.zoo import Function, prove

CHANNELS = 2
Draw = Callable[[st.SearchStrategy[Any]], Any]


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


def convolution(draw: Draw) -> nn.Module:
    mode = draw(st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]))
    padding = draw(pairs(0, 2))
    return nn.Conv2d(
        CHANNELS, CHANNELS, draw(pairs(1, 4)), draw(pairs(1, 3)), padding, draw(pairs(1, 3)),
        draw(st.sampled_from([1, CHANNELS])), padding_mode=mode,
    )  # fmt: skip


def pool(draw: Draw) -> nn.Module:
    kernel = draw(st.integers(1, 4))
    options = {
        "stride": draw(st.integers(1, 3)),
        "padding": draw(st.integers(0, kernel // 2)),
        "ceil_mode": draw(st.booleans()),
    }
    if draw(st.booleans()):
        return nn.MaxPool2d(kernel, dilation=draw(st.integers(1, 2)), **options)
    return nn.AvgPool2d(kernel, count_include_pad=draw(st.booleans()), **options)


def transposed(draw: Draw) -> nn.Module:
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    output_padding = draw(st.integers(0, max(stride, dilation) - 1))
    return nn.ConvTranspose2d(
        CHANNELS, CHANNELS, draw(pairs(1, 4)), stride, draw(pairs(0, 2)), output_padding, dilation=dilation,
        groups=draw(st.sampled_from([1, CHANNELS])),
    )  # fmt: skip


def interpolation(draw: Draw) -> nn.Module:
    mode = draw(st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic", "area"]))
    options: dict[str, Any] = {"mode": mode}
    if mode in ("bilinear", "bicubic"):
        options["align_corners"] = draw(st.booleans())
        options["antialias"] = not options["align_corners"] and draw(st.booleans())
    if draw(st.booleans()):
        options["scale_factor"] = draw(st.floats(0.4, 2.2))
    else:
        options["size"] = draw(pairs(1, 20))
    return Function(lambda x: F.interpolate(x, **options))


def padding(draw: Draw) -> nn.Module:
    mode = draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
    sides = tuple(draw(st.integers(-2 if mode == "constant" else 0, 3)) for _ in range(4))
    return Function(lambda x: F.pad(x, sides, mode))


def adaptive(draw: Draw) -> nn.Module:
    kind = nn.AdaptiveAvgPool2d if draw(st.booleans()) else nn.AdaptiveMaxPool2d
    return kind(draw(pairs(1, 9)))


class Branches(nn.Module):
    """Two ways, cropped to their common size, added or put side by side."""

    def __init__(self, one: nn.Module, other: nn.Module, *, add: bool, dim: int) -> None:
        super().__init__()
        self.one, self.other, self.add, self.dim = one, other, add, dim

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.one(x), self.other(x)
        height, width = min(a.shape[2], b.shape[2]), min(a.shape[3], b.shape[3])
        a, b = a[:, :, :height, :width], b[:, :, -height:, -width:]
        return a + b if self.add else torch.cat([a, b], self.dim)[:, :CHANNELS]


def branches(draw: Draw) -> nn.Module:
    return Branches(stack(draw, 2), stack(draw, 2), add=draw(st.booleans()), dim=draw(st.sampled_from([1, 2, 3])))


def moved(draw: Draw) -> nn.Module:
    return Function(
        draw(
            st.sampled_from(
                [
                    lambda x: x.flip(2),
                    lambda x: x.transpose(2, 3),
                    lambda x: x.roll((1, -2), (2, 3)),
                    lambda x: x[:, :, ::2],
                    lambda x: F.pixel_unshuffle(F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2)), 2)[:, 1::4],
                    lambda x: F.pixel_shuffle(x.repeat(1, 4, 1, 1), 2),
                    lambda x: x.reshape(len(x), CHANNELS, x.shape[3], x.shape[2]),
                    lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
                ]
            )
        )
    )


LAYERS = (convolution, convolution, pool, transposed, interpolation, padding, adaptive, branches, moved)


def stack(draw: Draw, most: int) -> nn.Sequential:
    return nn.Sequential(*[draw(st.sampled_from(LAYERS))(draw) for _ in range(draw(st.integers(1, most)))])


@st.composite
def networks(draw: Draw) -> nn.Module:
    return stack(draw, 4)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(networks(), pairs(3, 14), st.integers(0, 2**31 - 1))
def test_random_stacks(model: nn.Module, size: tuple[int, int], seed: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            result = model.eval()(torch.zeros(1, CHANNELS, *size))
        except (RuntimeError, ValueError):
            assume(False)  # too small for it
    assume(0 < result.numel() < 5000)
    prove(model, (CHANNELS, *size))
