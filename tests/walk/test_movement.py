"""Moves on compressed arrays against torch on full ones."""

from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.walk import movement
from cnnlab.walk.arrays import Move
from cnnlab.walk.stacked import concatenated

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def compressed(draw: DataObject, shape: Sequence[int]) -> tuple[NDArray[np.int64], Tensor]:
    """An array that is constant along some dimensions, and written out in full, both with two components in front."""
    kept = [size if draw.draw(st.booleans()) else 1 for size in shape]
    array = np.arange(2 * int(np.prod(kept))).reshape(2, *kept) * 7 % 31
    return array, torch.from_numpy(np.broadcast_to(array, (2, *shape)).copy())


def same(move: Move, array: NDArray[np.int64], expected: Tensor) -> None:
    """The move of the compressed array, written out, is what torch does to the full one."""
    moved = move(array)
    assert moved.ndim == expected.dim()
    assert all(have in (1, want) for have, want in zip(moved.shape, expected.shape, strict=True))
    np.testing.assert_array_equal(np.broadcast_to(moved, tuple(expected.shape)), expected.numpy())


@settings(deadline=None, max_examples=60)
@given(st.data(), shapes)
def test_permuted_flipped_rolled(data: DataObject, shape: list[int]) -> None:
    array, full = compressed(data, shape)
    rank = len(shape)
    order = data.draw(st.permutations(range(rank)))
    same(movement.permuted(order), array, full.permute(0, *(o + 1 for o in order)))
    dims = data.draw(st.lists(st.integers(0, rank - 1), unique=True, max_size=rank))
    same(movement.flipped(dims), array, full.flip([d + 1 for d in dims]))
    shifts = [data.draw(st.integers(-5, 5)) for _ in dims]
    expected = full.roll(shifts, [d + 1 for d in dims]) if dims else full
    same(movement.rolled(dims, shifts), array, expected)
    same(movement.same(), array, full)


@settings(deadline=None, max_examples=100)
@given(st.data(), shapes)
def test_sliced_selected_unsqueezed_expanded(data: DataObject, shape: list[int]) -> None:
    array, full = compressed(data, shape)
    dim = data.draw(st.integers(0, len(shape) - 1))
    size = shape[dim]
    start, stop = data.draw(st.integers(-size, size)), data.draw(st.none() | st.integers(-size, size))
    part = slice(start, stop, data.draw(st.integers(1, 3)))
    if len(range(size)[part]):
        expected = full.movedim(dim + 1, 0)[part.start if start >= 0 else start + size : stop : part.step]
        same(movement.sliced(dim, size, part), array, expected.movedim(0, dim + 1))
    place = data.draw(st.integers(-size, size - 1))
    same(movement.selected(dim, place), array, full.select(dim + 1, place))
    same(movement.unsqueezed(dim), array, full.unsqueeze(dim + 1))
    more = data.draw(st.integers(0, 2))
    same(movement.expanded(len(shape) + more), array, full[:, *[None] * more].expand(2, *[3] * more, *shape))


@settings(deadline=None, max_examples=60)
@given(st.data(), shapes)
def test_repeated_and_unfolded(data: DataObject, shape: list[int]) -> None:
    array, full = compressed(data, shape)
    times = [data.draw(st.integers(1, 3)) for _ in range(len(shape) + data.draw(st.integers(0, 1)))]
    same(movement.repeated(shape, times), array, torch.stack([part.repeat(times) for part in full]))
    dim = data.draw(st.integers(0, len(shape) - 1))
    size, step = data.draw(st.integers(1, shape[dim])), data.draw(st.integers(1, 3))
    same(movement.unfolded(dim, size, step), array, full.unfold(dim + 1, size, step))


def factors(data: DataObject, total: int) -> list[int]:
    """A shape of `total` elements."""
    found = []
    while total > 1 and len(found) < 4:
        factor = data.draw(st.sampled_from([f for f in range(1, total + 1) if total % f == 0]))
        found.append(factor)
        total //= factor
    return [*found, total] if total > 1 or not found or data.draw(st.booleans()) else found


@settings(deadline=None, max_examples=300)
@given(st.data(), shapes)
def test_reshaped(data: DataObject, shape: list[int]) -> None:
    array, full = compressed(data, shape)
    target = factors(data, int(np.prod(shape)))
    same(movement.reshaped(shape, target), array, full.reshape(2, *target))


@settings(deadline=None, max_examples=60)
@given(st.data(), st.lists(st.integers(2, 4), min_size=2, max_size=4), st.integers(-3, 3))
def test_diagonal(data: DataObject, shape: list[int], offset: int) -> None:
    array, full = compressed(data, shape)
    one, other = data.draw(st.permutations(range(len(shape))))[:2]
    expected = full.diagonal(offset, one + 1, other + 1)
    assume(expected.numel())
    same(movement.diagonal(one, other, (shape[one], shape[other]), offset), array, expected)


@settings(deadline=None, max_examples=60)
@given(st.data(), shapes)
def test_gathered(data: DataObject, shape: list[int]) -> None:
    array, full = compressed(data, shape)
    total = int(np.prod(shape))
    index = np.array(data.draw(st.lists(st.integers(0, total - 1), min_size=4, max_size=4))).reshape(2, 2)
    same(movement.gathered(shape, index), array, full.reshape(2, -1)[:, torch.from_numpy(index)])


@settings(deadline=None, max_examples=60)
@given(st.data(), shapes, st.integers(1, 3))
def test_concatenated(data: DataObject, shape: list[int], parts: int) -> None:
    dim = data.draw(st.integers(0, len(shape) - 1))
    sizes = [data.draw(st.integers(1, 3)) for _ in range(parts)]
    pairs = [compressed(data, [*shape[:dim], size, *shape[dim + 1 :]]) for size in sizes]
    expected = torch.cat([full for _, full in pairs], dim + 1)
    same(lambda _: concatenated([array for array, _ in pairs], sizes, dim), pairs[0][0], expected)
