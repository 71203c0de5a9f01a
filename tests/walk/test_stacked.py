"""Parts side by side, each kept once, are what they are written out."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.receptive_field.reading import read
from cnnlab.walk.arrays import NOTHING
from cnnlab.walk.joining import chosen_channels
from cnnlab.walk.reach import Plain, Reach, union
from cnnlab.walk.stacked import Stacked, side_by_side
from cnnlab.walk.tag import Tag
from cnnlab.walk.walker import walk
from tests.walk import zoo

SIZE = 40
"""Pixels of the axis of the input."""


def part(start: int, width: int, step: int, rows: int) -> Reach:
    """Rows of units that read `width` pixels each; none at all where the width is 0."""
    first = np.minimum(start + step * np.arange(rows), SIZE - 1)
    last = np.minimum(first + width - 1, SIZE - 1)
    hull = np.stack([-first, last, first == 0]).astype(np.int32)
    if not width:
        hull[:2] = NOTHING
    words = np.zeros((1, rows), np.uint64)
    for row in range(rows if width else 0):
        words[0, row] = sum(np.uint64(1) << np.uint64(place) for place in range(first[row], last[row] + 1))
    arrays = (array.reshape(len(array), 1, 1, rows, 1) for array in (hull, hull[:2], words))
    return Plain(*arrays)


parts = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 7), st.integers(0, 3), st.integers(1, 4)), min_size=2, max_size=5
)


@given(parts)
@settings(max_examples=60, deadline=None)
def test_all_that_is_told_of_it_is_told_of_what_is_written_out(given_parts: list[tuple[int, int, int, int]]) -> None:
    pieces = [part(start, width, step, 6) for start, width, step, _ in given_parts]
    sizes = [size for *_, size in given_parts]
    made = side_by_side(pieces, sizes, 1)
    plain = Plain(
        *(
            np.concatenate(
                [
                    np.broadcast_to(getattr(p, name), (getattr(p, name).shape[0], 1, n, 6, 1))
                    for p, n in zip(pieces, sizes, strict=True)
                ],
                axis=2,
            )
            for name in ("hull", "short", "bits")
        )
    )
    if not isinstance(made, Stacked):
        assert all((piece.hull == pieces[0].hull).all() for piece in pieces)
        return
    assert made.shape == plain.shape
    assert (made.numbers, made.words) == (plain.numbers, plain.words)
    for name in ("hull", "short", "bits"):
        assert (getattr(made, name) == getattr(plain, name)).all()
    assert made.single == plain.single
    assert union([made]) == union([plain])
    for dims in ([1], [2], [1, 2], [3]):
        assert_same(made.joined_along(dims), plain.joined_along(dims))
    assert_same(chosen_channels(made, 1, 1, 7), chosen_channels(plain, 1, 1, 7))
    if sum(sizes) % 2 == 0:
        assert_same(chosen_channels(made, 1, 2, 4), chosen_channels(plain, 1, 2, 4))
    for reason in (None, "pool"):
        one, other = (read(Tag((reach,), (reason,)), (SIZE,)) for reach in (made, plain))
        assert one == other or [vars(axis) for axis in one] == [vars(axis) for axis in other]
    again = side_by_side([made, pieces[0], made], [sum(sizes), 2, sum(sizes)], 1)
    expected = np.concatenate([plain.hull, np.broadcast_to(pieces[0].hull, (3, 1, 2, 6, 1)), plain.hull], axis=2)
    assert (again.hull == expected).all()


def assert_same(one: Reach, other: Reach) -> None:
    for name in ("hull", "short", "bits"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.shape == b.shape
        assert (a == b).all()


class Dense(nn.Module):
    """Each layer reads all that went before, side by side along `dim`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.convs = nn.ModuleList(
            nn.Conv2d(4 * (1 + n if dim == 1 else 1), 4, k, padding=k // 2) for n, k in enumerate((3, 1, 5))
        )

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for conv in self.convs:
            features.append(torch.relu_(conv(torch.cat(features, self.dim))))
        x = torch.cat(features, self.dim)
        x[:, 1:3] *= 2
        return torch.cat([x, x.roll(1, self.dim)], 1)[:, ::3]


@pytest.mark.parametrize(("dim", "front"), product((1, 2), zoo.FRONTS))
def test_dense_networks_are_proven(dim: int, front: str) -> None:
    zoo.prove(nn.Sequential(zoo.FRONTS[front](), Dense(dim)))


def test_what_is_concatenated_is_not_written_out() -> None:
    run = walk(nn.Sequential(nn.Conv2d(4, 4, 3), Dense(1)), (4, 30, 30), bits=True)
    written = [output for output in run.outputs if output.tag is not None and output.name == "1.convs.2"]
    seen = [axis for output in written for tag in output.seen for axis in tag.axes]
    assert seen
    for axis in seen:
        assert isinstance(axis, Stacked)
        assert not {"hull", "short", "bits"} & set(vars(axis))
    assert receptive_fields(nn.Sequential(nn.Conv2d(4, 4, 3), Dense(1)), (4, 30, 30))["1.convs.2"].size == (9, 9)
