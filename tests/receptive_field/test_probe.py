"""The proof finds planted errors, says them in words, and does not claim what it could not compare."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import small
from torch import Tensor, nn
from walk.zoo import Function, numbers

from cnnlab.receptive_field.probe import SHOWN, Mismatch, Verification, verification
from cnnlab.walk.arrays import NOTHING
from cnnlab.walk.facts import Walk
from cnnlab.walk.reach import Plain
from cnnlab.walk.tag import Tag
from cnnlab.walk.walker import walk

SHAPE = (3, 12, 9)


def proof(model: nn.Module, walked: Walk, *, max_batch: int = 16) -> Verification:
    *_, last = verification(model, walked, max_batch=max_batch)
    return last


def tampered(walked: Walk, name: str, axis: int, unit: tuple[int, ...], end: int, value: int) -> Walk:
    """With one end of the interval of one unit of one output set to `value`: 0 is −first, 1 is last."""
    outputs = []
    for output in walked.outputs:
        if output.name == name:
            assert output.tag is not None
            axes = list(output.tag.axes)
            hull = np.broadcast_to(axes[axis].hull, (3, *output.shape)).copy()
            hull[(end, 0, *unit)] = value
            axes[axis] = Plain(hull, axes[axis].short, None)
            output = replace(output, tag=Tag(tuple(axes), output.tag.because))
        outputs.append(output)
    return replace(walked, outputs=tuple(outputs))


def test_what_is_right_is_proven() -> None:
    model = small()
    found = proof(model, walk(model, SHAPE))
    assert found.proven
    assert (found.mismatched, found.wide, found.mismatches, found.skipped) == (0, 0, (), ())
    assert found.outputs == len(list(model.modules()))
    with torch.no_grad():
        values = sum(layer[1].numel() for layer in _values(model))
    assert found.compared == 2 * values


def _values(model: nn.Module) -> list[tuple[str, Tensor]]:
    found: list[tuple[str, Tensor]] = []
    handles = [
        module.register_forward_hook(lambda m, a, o, name=name: found.append((name, o)))
        for name, module in model.named_modules()
    ]
    model.eval()(torch.zeros(1, *SHAPE))
    for handle in handles:
        handle.remove()
    return found


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1), st.integers(0, 1), st.integers(-2, 2).filter(bool), st.data())
def test_every_planted_error_is_found(axis: int, end: int, by: int, data: st.DataObject) -> None:
    """One end of one unit moved by a pixel or two, inside the image: that unit, and no other."""
    model = small()
    right = walk(model, SHAPE)
    output = next(output for output in right.outputs if output.name == "norm1")
    unit = tuple(data.draw(st.integers(0, size - 1)) for size in output.shape[1:])
    assert output.tag is not None
    hull = np.broadcast_to(output.tag.axes[axis].hull, (3, *output.shape))
    value = int(hull[(end, 0, *unit)]) + by
    place = -value if end == 0 else value
    if not 0 <= place < SHAPE[1 + axis]:
        return
    found = proof(model, tampered(right, "norm1", axis, unit, end, value))
    assert not found.proven
    assert found.mismatched == 1
    assert len(found.mismatches) == abs(by)
    for mismatch in found.mismatches:
        assert (mismatch.output, mismatch.unit, mismatch.axis) == ("norm1", unit, axis)
        assert mismatch.end == ("first", "last")[end]
        assert mismatch.reaches == (by > 0)


def test_an_interval_that_is_said_to_be_empty_is_found() -> None:
    model = small()
    found = proof(model, tampered(walk(model, SHAPE), "conv1", 0, (2, 5, 4), 1, NOTHING))
    assert found.mismatched == 1


def test_sentences() -> None:
    assert Mismatch("conv1", (2, 5, 4), 0, "first", 3, True).sentence == (
        "conv1 at (2, 5, 4): said that it depends on axis 0 up to 3; it does not"
    )
    assert Mismatch("conv1", (2, 5, 4), 1, "last", 3, False).sentence == (
        "conv1 at (2, 5, 4): said that it does not depend on axis 1 from 3; it does"
    )


def test_only_the_first_mismatches_are_kept() -> None:
    model, other = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 5, padding=2)
    found = proof(model, walk(other, SHAPE))
    assert len(found.mismatches) == SHOWN
    assert found.mismatched > 4 * 12 * 9
    assert "said that it depends" in found.mismatches[0].sentence


def test_progress_is_yielded_and_no_proof_before_the_end() -> None:
    model = small()
    steps = list(verification(model, walk(model, SHAPE), max_batch=4))
    assert [step.done for step in steps] == list(range(1, len(steps) + 1))
    assert {step.passes for step in steps} == {len(steps)} == {2 * 3 + 2 * 3}
    assert [step.proven for step in steps] == [False] * (len(steps) - 1) + [True]


@pytest.mark.parametrize("max_batch", [1, 5, 64])
def test_the_size_of_batches_does_not_matter(max_batch: int) -> None:
    model = small()
    right = walk(model, SHAPE)
    assert proof(model, right, max_batch=max_batch).proven
    assert proof(model, tampered(right, "conv2", 1, (0, 1, 1), 0, 0), max_batch=max_batch).mismatched == 1


class Mixing(nn.Module):
    """Rows 3 and on are joined over the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        return x + x[:, :, 3:].mean((0, 2), keepdim=True)


def test_a_network_that_mixes_its_images_is_probed_one_by_one() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), Mixing(), nn.BatchNorm2d(4, track_running_stats=False))
    right = walk(model, SHAPE)
    assert proof(model, right).proven
    assert proof(model, tampered(right, "0", 0, (0, 4, 4), 0, -3)).mismatched == 1


def test_batches_that_are_no_first_dimension() -> None:
    """Words first, windows merged with the batch: compared all the same."""

    def windows(x: Tensor) -> Tensor:
        return x.unfold(2, 4, 4).permute(0, 2, 1, 3, 4).reshape(-1, 3, 9, 4)

    for code in (lambda x: x.flatten(2).permute(2, 0, 1), windows):
        model = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), Function(code))
        right = walk(model, SHAPE)
        found = proof(model, right)
        assert (found.proven, found.skipped) == (True, ())
    wrong = tampered(right, "1", 0, (0, 0, 0), 1, 0)
    assert [m.unit for m in proof(model, wrong).mismatches][:1] == [(0, 0, 0, 0)]


def test_what_cannot_be_compared_is_listed() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), Function(lambda x: (x, x.argmax(1), x.sum(0))))
    found = proof(model, walk(model, SHAPE))
    assert found.skipped == ("1[1]", "1[2]", "[1]", "[2]")
    assert found.outputs == 3
    assert found.proven


def test_wide_is_no_mistake_and_narrow_is() -> None:
    """Behind what no NaN passes, intervals may be wider than what was seen, and never narrower."""
    model = nn.Sequential(Function(lambda x: torch.where(x > 0, x, 0.0)), nn.Conv2d(3, 2, 3))
    right = walk(model, SHAPE)
    assert right.swallowed == (("gt", "0"), ("where", "0"))
    found = proof(model, right)
    assert found.proven
    assert found.wide > 0
    before = nn.Sequential(nn.Conv2d(3, 3, 3), *model)
    wrong = tampered(walk(before, SHAPE), "0", 0, (0, 4, 4), 1, 9)
    assert proof(before, wrong).mismatched == 1


def test_the_weights_do_not_matter() -> None:
    """0 · NaN is NaN: a filter of zeros still reads."""
    model = nn.Conv2d(3, 2, 3)
    nn.init.zeros_(model.weight)
    assert proof(model, walk(model, SHAPE)).proven
    model = nn.Sequential(Function(lambda x: x * 0 + numbers(9)), model)
    assert proof(model, walk(model, SHAPE)).proven
