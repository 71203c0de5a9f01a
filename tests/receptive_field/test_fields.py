"""Sizes, strides, padding and borders of random chains against the closed forms; other nets by hand."""

from itertools import product
from math import prod

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from walk.zoo import Function, numbers

from cnnlab.receptive_field.fields import Field, receptive_fields
from cnnlab.receptive_field.reading import boxes
from cnnlab.walk.walker import walk

pairs = st.tuples(st.integers(1, 5), st.integers(1, 5))


@st.composite
def layers(draw) -> nn.Module:  # type: ignore[no-untyped-def]
    kernel, stride = draw(pairs), draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    if draw(st.booleans()):
        padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
        return nn.MaxPool2d(kernel, stride, padding)
    dilation = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = tuple(draw(st.integers(0, d * (k - 1))) for k, d in zip(kernel, dilation, strict=True))
    return nn.Conv2d(1, 1, kernel, stride, padding, dilation)


def clear_of(unit: tuple[int, int], side: int) -> bool:
    """Whether the field lies inside the image."""
    return unit[0] >= 0 and unit[1] < side


def pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else value


@settings(deadline=None, max_examples=60)
@given(st.lists(layers(), min_size=1, max_size=5), st.integers(12, 40), st.integers(12, 40))
def test_chains_follow_the_recurrences(chain: list[nn.Module], height: int, width: int) -> None:
    """r ← r + (K − 1)·S, P ← P + p·S, S ← s·S (Araujo et al. 2019), and unit u sees u·S − P … u·S − P + r − 1."""
    model = nn.Sequential(*chain)
    try:
        model(torch.zeros(1, 1, height, width))
    except RuntimeError:
        assume(False)
    fields = receptive_fields(model, (1, height, width))
    r, S, P = [1, 1], [1, 1], [0, 0]  # noqa: N806
    reads: list[set[int]] = [{0}, {0}]
    for number, layer in enumerate(chain):
        for a in (0, 1):
            k, s, p, d = (pair(getattr(layer, n))[a] for n in ("kernel_size", "stride", "padding", "dilation"))
            reads[a] = {i + j * d * S[a] for i in reads[a] for j in range(k)}
            r[a] += d * (k - 1) * S[a]
            P[a] += p * S[a]
            S[a] *= s
        field = fields[str(number)]
        assert field.exact
        assert not field.is_global
        assert field.because is None
        assert field.size == tuple(r)
        assert field.stride == tuple(S)
        assert field.padding == tuple(P)
        assert field.centre == tuple((r[a] - 1) / 2 - P[a] for a in (0, 1))
        assert field.sizes == field.channels == ((r[0], r[0]), (r[1], r[1]))
        assert field.misaligned is None
        sides = (height, width)
        units = [[(u * S[a] - P[a], u * S[a] - P[a] + r[a] - 1) for u in range(field.output[1 + a])] for a in (0, 1)]
        clear = [sum(clear_of(unit, sides[a]) for unit in units[a]) / len(units[a]) for a in (0, 1)]
        if all(1 not in fields[str(before)].output[1:] for before in range(number)):
            assert field.padded == pytest.approx(1 - clear[0] * clear[1])
        tag = fields.walk.outputs[number].tag
        assert tag is not None
        placed = boxes(tag, 2, 3)
        for a, found in enumerate((placed.rows, placed.columns)):
            if len(found) == len(units[a]):
                assert all(list(u) == f for u, f in zip(units[a], found.tolist(), strict=True) if clear_of(u, sides[a]))
            if not P[a]:
                read = {i + first for first, _ in units[a] for i in reads[a]}
                assert field.unread[a] == sides[a] - len(read)
        first, last = zip(*field.box, strict=True)
        inside = prod(max(0, b - a + 1) for a, b in zip(first, last, strict=True)) / (height * width)
        assert field.coverage == pytest.approx(inside)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4))
def test_density_is_the_share_of_the_sums_of_taps(chain: list[tuple[int, int]]) -> None:
    model = nn.Sequential(*[nn.Conv2d(1, 1, k, dilation=d) for k, d in chain])
    reads = {0}
    for k, d in chain:
        reads = {i + j * d for i in reads for j in range(k)}
    field = receptive_fields(model, (1, 64, 64))[""]
    assert field.density == pytest.approx((len(reads) / (max(reads) + 1)) ** 2)


def field(model: nn.Module, shape: tuple[int, ...] = (3, 40, 40), name: str = "") -> Field:
    return receptive_fields(model, shape)[name]


def test_branches_that_lie_apart() -> None:
    """A shifted branch: 3 pixels to the right, so that the hull is wider and the centres lie 3 apart."""
    found = field(Function(lambda x: x + F.pad(x, (3, 0))[..., : x.shape[3]]))
    assert found.misaligned == (0.0, 3.0)
    assert found.size == (1, 4)
    assert "misaligned" in found.flags
    aligned = field(nn.Sequential(Function(lambda x: x + F.conv2d(x, numbers(3, 3, 3, 3), padding=1))))
    assert aligned.size == (3, 3)
    assert "misaligned" not in aligned.flags


def test_channels_of_a_concatenation() -> None:
    def code(x: Tensor) -> Tensor:
        return torch.cat([x, F.max_pool2d(x, 3, 1, 1), F.avg_pool2d(x, 7, 1, 3)], 1)

    found = field(Function(code))
    assert found.channels == ((1, 7), (1, 7))
    assert found.shortest == (1, 1)
    assert found.size == (7, 7)
    assert "channels" in found.flags


def test_phases_of_a_transposed_convolution() -> None:
    """Kernel 3 with stride 2: units see 1 and 2 inputs in turn, and S is a half."""
    found = field(nn.ConvTranspose2d(3, 2, 3, 2, 1))
    assert found.sizes == ((1, 2), (1, 2))
    assert found.stride == (0.5, 0.5)
    assert "varies" in found.flags


@pytest.mark.parametrize(
    ("model", "because"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Conv2d(4, 4, 3)), "1"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4)), "1"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(2)), "2"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), Function(lambda x: x.flatten(2).softmax(-1))), "1"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 2, 1)), "0"),
    ],
    ids=["group norm", "instance norm", "linear", "softmax over space", "pool"],
)
def test_what_makes_a_layer_global(model: nn.Module, because: str) -> None:
    with torch.no_grad():
        model(torch.zeros(1, 3, 40, 40))
    found = field(model)
    assert found.is_global
    assert found.because == because
    assert found.size == (40, 40)
    assert found.coverage == 1.0
    assert found.flags[0] == "global"


def test_only_one_axis_is_global() -> None:
    found = field(Function(lambda x: x.mean(3, keepdim=True) + x))
    assert not found.is_global
    assert found.size == (1, 40)
    assert found.stride == (1.0, None)


def test_gates_may_be_left_out() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 3), Function(lambda x: x * x.mean((2, 3), keepdim=True).sigmoid()))
    assert receptive_fields(model, (3, 40, 40))[""].is_global
    local = receptive_fields(model, (3, 40, 40), ignore_gates=True)[""]
    assert not local.is_global
    assert local.size == (3, 3)


def test_layer_norm_over_channels_stays_local() -> None:
    norm = nn.LayerNorm(3)
    found = field(
        nn.Sequential(Function(lambda x: norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)), nn.Conv2d(3, 2, 5))
    )
    assert found.size == (5, 5)


def test_a_field_larger_than_the_image() -> None:
    """The canvas grows until the field fits: r does not depend on the image."""
    model = nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1), *[nn.Conv2d(1, 1, 3, 1, 1) for _ in range(40)])
    for side in (16, 64):
        found = field(model, (1, side, side))
        assert (found.size, found.stride, found.exact) == ((163, 163), (2, 2), True)
        assert found.coverage == 1.0
        assert not found.is_global


def test_tokens() -> None:
    """Places in a row, as a vision transformer has them: patches of 4 are 4 apart; attention makes them global."""
    patches = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.Flatten(2), Function(lambda x: x.transpose(1, 2)))
    encoder = nn.TransformerEncoderLayer(8, 2, 8, batch_first=True)
    fields = receptive_fields(nn.Sequential(patches, encoder), (3, 32, 24))
    assert fields["0.2"].size == (4, 4)
    assert fields["0.2"].stride == (4, 4)
    assert fields["0.2"].padding == (0, 0)
    assert fields["1"].is_global
    assert fields["1"].because is not None
    assert fields["1"].because.startswith("1.self_attn")


def test_a_network_that_looks_at_its_values_has_fields() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), Function(lambda x: x * 2 if x.mean() > 0 else x), nn.Conv2d(4, 2, 3, 2))
    fields = receptive_fields(model, (3, 24, 24))
    assert fields.walk.on_values
    assert fields[""].size == (5, 5)
    assert fields[""].stride == (2, 2)


def test_signals_and_volumes() -> None:
    signal = receptive_fields(nn.Sequential(nn.Conv1d(2, 3, 5, 2, 2), nn.Conv1d(3, 2, 3)), (2, 50))[""]
    assert (signal.size, signal.stride, signal.padding) == ((9,), (2,), (2,))
    volume = field(nn.Sequential(nn.Conv3d(1, 1, (1, 3, 5)), nn.MaxPool3d(2)), (1, 12, 12, 12))
    assert (volume.size, volume.stride) == ((2, 4, 6), (2, 2, 2))


def test_a_unit_that_sees_nothing() -> None:
    found = walk(nn.Conv2d(1, 1, 1, padding=1), (1, 5, 5)).outputs[-1]
    assert found.tag is not None
    placed = boxes(found.tag, 2, 3)
    assert placed.rows.tolist() == [[0, -1], *[[i, i] for i in range(5)], [0, -1]]


def test_adaptive_windows_depend_on_the_image() -> None:
    """From 7 to 3 the windows are 0–2, 2–4, 4–6."""
    found = walk(nn.AdaptiveAvgPool2d(3), (1, 7, 7)).outputs[-1]
    assert found.tag is not None
    placed = boxes(found.tag, 2, 3)
    assert placed.rows.tolist() == [[0, 2], [2, 4], [4, 6]]
    assert field(nn.Sequential(nn.AdaptiveAvgPool2d(3)), (1, 7, 7)).size == (3, 3)


@pytest.mark.parametrize(("rows", "columns"), product((1, 2), (1, 3)))
def test_rows_and_columns_are_not_mixed_up(rows: int, columns: int) -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, (2 * rows + 1, 2 * columns + 1), (rows, columns)), nn.Conv2d(1, 1, (1, 2)))
    found = field(model, (1, 60, 30))
    assert found.size == (2 * rows + 1, 3 * columns + 1)
    assert found.stride == (rows, columns)


def test_a_network_that_stops_has_fields_up_to_there() -> None:
    fields = receptive_fields(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 50)), (3, 20, 20))
    assert [layer.name for layer in fields.layers] == ["0"]
    assert fields.walk.failure is not None
    assert fields.walk.failure.layer == "1"
