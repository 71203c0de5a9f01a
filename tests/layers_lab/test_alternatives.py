"""A convolution as the matrix that it is: its entries are the dense layer's weights, those that are not 0 the local
one's, and the different ones among them its own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cnnlab.layers_lab.alternatives import Alternative, alternatives
from cnnlab.layers_lab.stack import arithmetic
from cnnlab.models.layers.convolution import LocallyConnected2d


def matrix_of(module: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """(outputs, inputs) of the linear map that `module` is."""
    jacobian = torch.autograd.functional.jacobian(lambda x: module(x[None])[0], torch.zeros(shape, dtype=torch.float64))
    return jacobian.reshape(-1, torch.Size(shape).numel())


def of(module: nn.Module, shape: tuple[int, ...]) -> dict[str, Alternative]:
    return {a.means: a for a in alternatives(arithmetic(nn.Sequential(module), shape))}


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from((1, 3)), st.sampled_from((1, 2, 3)), st.integers(1, 2), st.integers(1, 2), st.sampled_from((1, 2))
)
def test_the_three_are_in_one_matrix(kernel, outputs, stride, dilation, groups) -> None:
    shape = (2, 7, 6)
    torch.manual_seed(0)
    module = nn.Conv2d(
        2, outputs * groups, kernel, stride=stride, dilation=dilation, groups=groups, bias=False
    ).double()
    matrix, found = matrix_of(module, shape), of(module, shape)
    assert found["dense"].weights == found["dense"].macs == matrix.numel()
    assert found["locally connected"].weights == found["locally connected"].macs == int((matrix != 0).sum())
    assert found["convolution"].weights == len(matrix[matrix != 0].unique()) == module.weight.numel()
    assert [a.is_this for a in found.values()] == [False, False, True]


def test_the_table_of_the_chapter() -> None:
    found = of(nn.Conv2d(1, 1, 3, padding=1, bias=False), (1, 32, 32))
    assert [(a.means, a.weights) for a in found.values()] == [
        ("dense", 1_048_576),
        ("locally connected", 9_216),
        ("convolution", 9),
    ]


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 5, 9)])
def test_the_multiplications_are_those_that_torch_counts(shape) -> None:
    found = of(nn.Conv2d(3, 4, 3, padding=1), shape)
    modules = {
        "dense": nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(shape).numel(), 4 * shape[1] * shape[2])),
        "locally connected": LocallyConnected2d(shape, 4, (3, 3), padding=(1, 1)),
        "convolution": nn.Conv2d(3, 4, 3, padding=1),
    }
    for means, module in modules.items():
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(torch.zeros(1, *shape))
        assert found[means].macs == counter.get_total_flops() // 2


def test_with_biases_all_have_them() -> None:
    found = of(nn.Conv2d(3, 16, 3, padding=1), (3, 8, 8))
    assert [a.biases for a in found.values()] == [1024, 1024, 16]


def test_a_local_layer_is_itself() -> None:
    found = of(LocallyConnected2d((2, 5, 5), 3, (3, 3)), (2, 5, 5))
    assert [(a.means, a.is_this) for a in found.values()] == [
        ("dense", False),
        ("locally connected", True),
        ("convolution", False),
    ]
    assert found["convolution"].weights == 3 * 2 * 9


def test_a_dense_layer_has_no_windows() -> None:
    (found,) = alternatives(arithmetic(nn.Sequential(nn.Linear(12, 5)), (12,)))
    assert (found.means, found.weights, found.biases, found.is_this) == ("dense", 60, 5, True)


def test_two_windows_have_a_dense_layer_beside_them() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Conv2d(2, 4, 3))
    (found,) = alternatives(arithmetic(model, (2, 8, 8)))
    assert (found.means, found.weights, found.is_this) == ("dense", 2 * 64 * 4 * 16, False)


@pytest.mark.parametrize("module", [nn.MaxPool2d(2), nn.BatchNorm2d(2), nn.ReLU()])
def test_what_multiplies_nothing_with_weights_is_beside_nothing(module: nn.Module) -> None:
    assert of(module, (2, 8, 8)) == {}


def test_what_torch_cannot_count_is_left_out() -> None:
    with torch.device("meta"):
        module = nn.Conv2d(1, 2**45, 1)
    assert of(module, (1, 16, 16)) == {}
