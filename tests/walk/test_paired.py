"""Pairs that are not written out are what they are written out."""

from itertools import product
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cnnlab.walk import movement
from cnnlab.walk.paired import Paired, paired
from cnnlab.walk.reach import Plain, Reach, union
from cnnlab.walk.tag import Tag, compact
from cnnlab.walk.walker import walk
from tests.walk import zoo
from tests.walk.test_stacked import assert_same, part

tokens = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4)), min_size=12, max_size=12)


def rows(places: list[tuple[int, int]], shape: tuple[int, ...]) -> Reach:
    """Tokens of a `shape` of 12 elements that read a few pixels each, or none."""
    pieces = [part(start, width, 0, 1) for start, width in places]
    arrays = (np.concatenate([getattr(piece, name) for piece in pieces], 3) for name in ("hull", "short", "bits"))
    return Plain(*(array.reshape(len(array), *shape) for array in arrays))


def written(reach: Paired) -> Reach:
    return Plain(reach.hull, reach.short, reach.bits)


@given(tokens, tokens)
@settings(max_examples=60, deadline=None)
def test_all_that_is_told_of_it_is_told_of_what_is_written_out(
    here: list[tuple[int, int]], there: list[tuple[int, int]]
) -> None:
    made = Paired(rows(here, (2, 1, 6, 1)), rows(there, (2, 1, 1, 6)))
    plain = written(Paired(made.one, made.other))
    assert made.shape == plain.shape == (2, 1, 6, 6)
    assert (made.numbers, made.words) == (plain.numbers, plain.words)
    assert made.single == plain.single
    assert union([made]) == union([plain])
    for dims in ([3], [2], [0], [2, 3], [0, 3], [0, 1, 2, 3]):
        assert_same(made.joined_along(dims), plain.joined_along(dims))
    for move in (movement.permuted([0, 3, 1, 2]), movement.reshaped((2, 1, 6, 6), (1, 2, 1, 2, 3, 6))):
        assert_same(made.moved(move), plain.moved(move))
        assert_same(made.moved(move).joined_along([3]), plain.moved(move).joined_along([3]))
    one, other = (compact(Tag((reach,), (None,))).axes[0] for reach in (made, plain))
    assert (np.broadcast_to(one.hull, (3, *made.shape)) == np.broadcast_to(other.hull, (3, *made.shape))).all()


def test_few_pairs_are_written_out() -> None:
    many = paired(rows([(n, 1) for n in range(12)], (12, 1)), rows([(n, 2) for n in range(12)], (1, 12)))
    assert isinstance(many, Paired)
    assert prod(many.shape) == 144
    assert type(paired(many.one, many.one)) is Plain


class Scores(nn.Module):
    """Attention of tokens, which stand in windows of `window` × `window` places, to those of their window."""

    def __init__(self, window: int, heads: int, *, turned: bool) -> None:
        super().__init__()
        self.window, self.heads, self.turned = window, heads, turned
        self.qkv = nn.Conv2d(4, 12, 1)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        x = nn.functional.pad(x, (0, -w % self.window, 0, -h % self.window))
        high, wide = x.shape[2] // self.window, x.shape[3] // self.window
        parts = self.qkv(x).view(n, 3, self.heads, c // self.heads, high, self.window, wide, self.window)
        q, k, v = parts.permute(1, 0, 4, 6, 2, 5, 7, 3).reshape(3, n * high * wide, self.heads, self.window**2, -1)
        scores = q @ k.transpose(-2, -1) * 0.5 + torch.arange(self.window**2)
        scores = scores.transpose(-2, -1).softmax(-2) if self.turned else scores.softmax(-1)
        y = (scores.transpose(-2, -1) if self.turned else scores) @ v
        y = y.view(n, high, wide, self.heads, self.window, self.window, -1).permute(0, 3, 6, 1, 4, 2, 5)
        return y.reshape(n, c, high * self.window, wide * self.window)[:, :, :h, :w]


@pytest.mark.parametrize(("turned", "front"), product((False, True), zoo.FRONTS))
def test_attention_in_windows_is_proven(turned: bool, front: str) -> None:
    zoo.prove(nn.Sequential(zoo.FRONTS[front](), Scores(3, 2, turned=turned), nn.Conv2d(4, 4, 3, padding=1)))


def test_scores_of_attention_are_not_written_out() -> None:
    run = walk(nn.Sequential(nn.Conv2d(4, 4, 3, stride=2), Scores(4, 2, turned=False)), (4, 65, 65), bits=True)
    scores = next(op for op in run.operations if op.name == "bmm")
    assert scores.tag is not None
    for axis in scores.tag.axes:
        assert isinstance(axis, Paired)
        assert not {"hull", "short", "bits"} & set(vars(axis))
