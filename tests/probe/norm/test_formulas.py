"""The formulas against torch's own modules, finite differences and the closed forms of running averages."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cnnlab.probe.norm.formulas import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    running_statistics,
)

OURS = {
    "batch": batch_norm,
    "layer": layer_norm,
    "instance": instance_norm,
    "group": lambda *given, eps=1e-5: group_norm(*given, groups=2, eps=eps),
}


def torchs(kind: str, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    match kind:
        case "batch":
            return F.batch_norm(x, None, None, scale, shift, training=True)
        case "layer":
            return F.group_norm(x, 1, scale, shift)
        case "instance":
            return F.instance_norm(x, weight=scale, bias=shift)
    return F.group_norm(x, 2, scale, shift)


def drawn(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=dtype)


@pytest.mark.parametrize("kind", OURS)
def test_forward_and_backward_are_torchs_to_a_millionth(kind: str) -> None:
    """Exercise 19.4.2 asks for 1e-5, of values about 5 with a deviation of 3."""
    given = [5 + 3 * drawn(16, 4, 8, 8), 1 + drawn(4) / 4, drawn(4)]
    answers = []
    for function in (OURS[kind], lambda *values: torchs(kind, *values)):
        values = [one.clone().requires_grad_() for one in given]
        y = function(*values)
        (y * drawn(16, 4, 8, 8)).sum().backward()
        answers.append([y.detach(), *(one.grad for one in values)])
    for ours, theirs in zip(*answers, strict=True):
        assert (ours - theirs).abs().max() < 1e-6 * max(1.0, float(theirs.abs().max()))


@pytest.mark.parametrize("kind", OURS)
def test_the_backward_formula_passes_the_gradient_check(kind: str) -> None:
    x, scale, shift = (drawn(*shape, dtype=torch.float64).requires_grad_() for shape in ((3, 4, 2, 3), (4,), (4,)))
    assert torch.autograd.gradcheck(OURS[kind], (x, scale, shift))


@given(st.floats(-50, 50), st.floats(0.1, 20))
@settings(max_examples=20, deadline=None)
def test_no_gradient_goes_along_a_shift_or_a_scale_of_a_channel(shift: float, scale: float) -> None:
    x = (shift + scale * drawn(6, 3, 4, 4, dtype=torch.float64)).requires_grad_()
    y = batch_norm(x, torch.ones(3).double(), torch.zeros(3).double(), eps=0.0)
    (gradient,) = torch.autograd.grad((y * drawn(6, 3, 4, 4, dtype=torch.float64)).sum(), x)
    assert torch.allclose(gradient.sum((0, 2, 3)), torch.zeros(3).double(), atol=1e-8)
    assert torch.allclose((gradient * x).sum((0, 2, 3)), torch.zeros(3).double(), atol=1e-7)


def test_two_groups_lie_between_one_and_as_many_as_channels() -> None:
    x, scale, shift = drawn(2, 4, 3, 3), 1 + drawn(4), drawn(4)
    assert torch.allclose(group_norm(x, scale, shift, groups=1), layer_norm(x, scale, shift), atol=1e-6)
    assert torch.allclose(group_norm(x, scale, shift, groups=4), instance_norm(x, scale, shift), atol=1e-6)


def test_running_statistics_are_torchs_over_several_batches_of_rows_and_of_images() -> None:
    for shape in ((5, 3, 4, 4), (7, 3)):
        mean, variance = torch.zeros(3), torch.ones(3)
        theirs = (torch.zeros(3), torch.ones(3))
        for number in range(3):
            x = number + 2 * drawn(*shape)
            mean, variance = running_statistics(mean, variance, x, momentum=0.3)
            F.batch_norm(x, *theirs, training=True, momentum=0.3)
        assert torch.allclose(mean, theirs[0], atol=1e-6)
        assert torch.allclose(variance, theirs[1], atol=1e-6)
