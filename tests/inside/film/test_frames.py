import math

import pytest
import torch

from cnnlab.core.errors import RequestError
from cnnlab.inside.film.frames import FROZEN, film


def at(*degrees: float, scale: float = 1.0) -> dict[str, torch.Tensor]:
    """A filter for each angle: (cos, sin) in a window of 1×2."""
    angles = torch.tensor(degrees) * math.pi / 180
    return {"conv1.weight": scale * torch.stack([angles.cos(), angles.sin()], -1)[:, None, None]}


def test_cosines_by_hand() -> None:
    found = film([(0, at(90, 10)), (1, at(60, 0)), (5, at(0, 0, scale=3))], "conv1.weight")
    assert found.layer == "conv1"
    assert [frame.epoch for frame in found.frames] == [0, 1, 5]
    expected = [[0, math.cos(math.radians(10))], [0.5, 1], [1, 1]]
    assert [frame.similarity.tolist() for frame in found.frames] == [pytest.approx(row, abs=1e-6) for row in expected]
    assert found.settled == (5, 0)
    torch.testing.assert_close(found.frames[2].filters, at(0, 0, scale=3)["conv1.weight"])


def test_a_filter_that_leaves_again_has_not_settled() -> None:
    near, far = math.degrees(math.acos(FROZEN)) - 0.1, math.degrees(math.acos(FROZEN)) + 0.1
    found = film([(1, at(near, near)), (2, at(far, near)), (3, at(near, near)), (4, at(0, 0))], "conv1.weight")
    assert found.settled == (3, 1)


def test_filters_of_zeros_and_a_single_epoch() -> None:
    zeros = {"conv1.weight": torch.zeros(2, 1, 1, 2)}
    found = film([(0, zeros), (1, at(0, 90))], "conv1.weight")
    assert found.frames[0].similarity.tolist() == [0, 0]
    assert film([(7, at(0))], "conv1.weight").settled == (7,)
    assert film([(0, at(0, 90)), (1, zeros)], "conv1.weight").settled == (1, 1)


def test_the_weights_are_copied_from() -> None:
    weights = at(0)
    film([(0, weights)], "conv1.weight")
    assert torch.equal(weights["conv1.weight"], at(0)["conv1.weight"])


def test_what_makes_no_film() -> None:
    with pytest.raises(RequestError, match="no epochs"):
        film([], "conv1.weight")
    with pytest.raises(RequestError, match=r"epoch 0: no weight 'conv2.weight'; known: conv1.weight"):
        film([(0, at(0))], "conv2.weight")
    with pytest.raises(RequestError, match=r"of shape \(1, 1, 1, 2\), \(2, 1, 1, 2\)"):
        film([(0, at(0)), (1, at(0, 1))], "conv1.weight")
    with pytest.raises(RequestError, match=r"of shape \(3,\)"):
        film([(0, {"b": torch.zeros(3)})], "b")
    with pytest.raises(ValueError, match="rising order"):
        film([(1, at(0)), (1, at(0))], "conv1.weight")
