"""The dense matrix of a convolution, against torch's own convolution and by counting."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.core.errors import RequestError
from cnnlab.layers_lab import convolution_matrix
from cnnlab.layers_lab.report import layer_document
from cnnlab.layers_lab.run import examine_on
from cnnlab.layers_lab.toeplitz_report import matrix_section
from cnnlab.view.blocks import Figure
from cnnlab.view.drawings import Lattice


@given(
    size=st.tuples(st.integers(3, 7), st.integers(3, 7)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.integers(1, 2),
    groups=st.integers(1, 2),
    each=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
@settings(deadline=None, max_examples=40)
def test_the_matrix_times_the_image_is_the_convolution(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], dilation: int,
    groups: int, each: tuple[int, int],
) -> None:  # fmt: skip
    if any(s + 2 * p < dilation * (k - 1) + 1 for s, k, p in zip(size, kernel, padding, strict=True)):
        return
    weight = torch.randn(groups * each[0], each[1], *kernel, dtype=torch.float64)
    image = torch.randn(groups * each[1], *size, dtype=torch.float64)
    numbers = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    made = convolution_matrix(weight, size, **numbers)
    expected = F.conv2d(image[None], weight, **numbers)[0]
    assert torch.allclose(made(image), expected, atol=1e-12)
    assert torch.equal(made.matrix != 0, made.which >= 0)  # no drawn weight is 0
    assert int(made.uses.sum()) == made.connections == made.entries - made.zeros


def test_zeros_and_shared_weights_of_table_19_1_1() -> None:
    """32 × 32 to 32 × 32 with a 3 × 3 kernel: inside every weight is used once an output, at the border less."""
    made = convolution_matrix(torch.ones(1, 1, 3, 3), (32, 32), padding=1)
    assert (made.entries, made.weights) == (1_048_576, 9)
    assert made.connections == (3 * 32 - 2) ** 2  # 9,216 windows' taps, less those that lie in the padding
    corner, edge, all_of_them = 31 * 31, 31 * 32, 32 * 32
    outer = [corner, edge, corner]
    assert made.uses.reshape(3, 3).tolist() == [outer, [edge, all_of_them, edge], outer]


def test_one_channel_and_stride_1_make_a_toeplitz_matrix() -> None:
    made = convolution_matrix(torch.tensor([[[[1.0, 2.0, 3.0]]]]), (1, 6), padding=(0, 1)).matrix
    assert all(len(set(made.diagonal(offset).tolist())) == 1 for offset in range(-5, 6))


@pytest.mark.parametrize(
    ("shape", "size", "more", "said"),
    [
        ((1, 1, 5, 5), (4, 9), {}, "the height of its input, 4, is too small for a kernel of 5"),
        ((3, 1, 1, 1), (4, 4), {"groups": 2}, "`groups` is 2, which does not divide the 3 filters"),
        ((1, 1, 3, 3), (256, 256), {"padding": 1}, "65,536 × 65,536 entries, 67,108,864 at most"),
    ],
)
def test_what_makes_no_matrix(shape: tuple[int, ...], size: tuple[int, int], more: dict[str, int], said: str) -> None:
    with pytest.raises(RequestError, match=said.replace("(", r"\(")):
        convolution_matrix(torch.ones(shape), size, **more)


def test_a_layer_on_a_matrix_is_shown_as_the_dense_layer_that_it_is() -> None:
    rows = torch.arange(30.0).reshape(5, 6)
    found = examine_on("conv", ["channels=2", "stride=2", "padding=1"], rows, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert found.dense is not None
    assert found.dense.output == found.arithmetic.output
    assert found.dense_error < 1e-12
    section = matrix_section(found.dense, found.dense_error)
    (drawing,) = [block.drawing for block in section.blocks if isinstance(block, Figure)]
    assert isinstance(drawing, Lattice)
    assert int(drawing.read.sum()) == found.dense.connections
    assert set(drawing.values[drawing.read].tolist()) == set(range(1, 9))
    assert layer_document(found)["dense"]["weights"] == 8


@pytest.mark.parametrize(
    ("kind", "options", "side"),
    [("max_pool", [], 6), ("conv", ["channels=1", "padding_mode=reflect"], 6), ("conv", ["channels=1"], 13)],
)
def test_what_is_no_such_layer_or_too_large_to_be_looked_at_has_none(kind: str, options: list[str], side: int) -> None:
    weights = torch.ones(3, 3) if kind == "conv" else None
    assert examine_on(kind, options, torch.ones(side, side), weights).dense is None
