from math import comb
from typing import Any

import pytest
import torch

from cnnlab.core.errors import RequestError

FIGURE = torch.tensor([[1.0, 3, 2, 0], [4, 2, 1, 5], [0, 1, 6, 2], [2, 3, 1, 0]])[None, None]


def test_the_chapters_figure(one_layer: Any) -> None:
    """Figure 19.3.1: max 4 5 3 6, average 2.5 2.0 1.5 2.25."""
    assert one_layer("max_pool", (1, 4, 4))[0](FIGURE).flatten().tolist() == [4, 5, 3, 6]
    assert one_layer("avg_pool", (1, 4, 4))[0](FIGURE).flatten().tolist() == [2.5, 2.0, 1.5, 2.25]


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_blur_filter_is_binomial(kernel: int, one_layer: Any) -> None:
    """The response to a single bright pixel is the filter: the outer product of Pascal's row over 2^(kernel − 1)."""
    module, output = one_layer("blur_pool", (1, 15, 15), kernel=kernel, stride=1)
    assert output == (1, 15, 15)
    spike = torch.zeros(1, 1, 15, 15)
    spike[0, 0, 7, 7] = 1
    row = torch.tensor([comb(kernel - 1, i) for i in range(kernel)]) / 2 ** (kernel - 1)
    half = kernel // 2
    middle = module(spike)[0, 0, 7 - half : 8 + half, 7 - half : 8 + half]
    torch.testing.assert_close(middle, torch.outer(row, row))
    assert module(spike).sum() == pytest.approx(1)


def test_blur_pool_removes_the_checkerboard_that_subsampling_keeps(one_layer: Any) -> None:
    """The highest frequency, ±1 from pixel to pixel, aliases to a constant without the blur and is 0 with it."""
    board = (-1.0) ** (torch.arange(8)[:, None] + torch.arange(8)[None, :])
    blurred = one_layer("blur_pool", (1, 8, 8))[0](board[None, None])
    torch.testing.assert_close(blurred, torch.zeros(1, 1, 4, 4))
    assert board[::2, ::2].unique().tolist() == [1]


def test_blur_pool_has_nothing_to_save(one_layer: Any) -> None:
    assert one_layer("blur_pool", (3, 8, 8))[0].state_dict() == {}


def test_blur_pool_needs_pixels_to_mirror(one_layer: Any) -> None:
    with pytest.raises(RequestError, match="reflect padding of 2 needs a height of at least 3, its input has 2"):
        one_layer("blur_pool", (1, 2, 2), kernel=5)
    assert one_layer("blur_pool", (1, 1, 1), padding_mode="replicate")[1] == (1, 1, 1)


def test_global_pools_take_any_size_and_do_not_mind_circular_shifts(one_layer: Any) -> None:
    for name in ("global_avg_pool", "global_max_pool"):
        module, output = one_layer(name, (3, 8, 8))
        assert output == (3,)
        x = torch.randn(2, 3, 11, 5)
        torch.testing.assert_close(module(x), module(x.roll((3, 2), (2, 3))))


def test_global_max_pool_gives_the_gradient_to_one_of_equals(one_layer: Any) -> None:
    x = torch.zeros(1, 2, 3, 3, requires_grad=True)
    one_layer("global_max_pool", (2, 3, 3))[0](x).sum().backward()
    assert x.grad is not None
    assert x.grad.flatten(2).count_nonzero(dim=2).tolist() == [[1, 1]]
