from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.core.errors import ShapeError
from cnnlab.models.build import parameter_count


def test_weights_of_the_chapters_table(one_layer: Any) -> None:
    """Table 19.1.1, 3×3 on 32×32: 9,216 weights, 9 when shared; exercise 19.1.1, 5×5 on 64×64: 102,400."""
    local, output = one_layer("locally_connected", (1, 32, 32), channels=1, bias=False)
    assert output == (1, 32, 32)
    assert parameter_count(local) == 9_216
    assert parameter_count(one_layer("conv", (1, 32, 32), channels=1, bias=False)[0]) == 9
    assert parameter_count(one_layer("locally_connected", (1, 64, 64), channels=1, kernel=5, bias=False)[0]) == 102_400


@settings(deadline=None, max_examples=25)
@given(
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_with_tied_weights_it_is_a_convolution(one_layer: Any, **window: Any) -> None:
    shape = (2, 6, 7)
    conv, output = one_layer("conv", shape, channels=3, **window)
    local, same = one_layer("locally_connected", shape, channels=3, **window)
    assert output == same
    with torch.no_grad():
        local.weight.copy_(conv.weight.expand_as(local.weight))
        local.bias.copy_(conv.bias[:, None, None].expand_as(local.bias))
    x = torch.randn(2, *shape)
    torch.testing.assert_close(local(x), conv(x), rtol=1e-4, atol=1e-5)


def test_another_image_size_is_refused(one_layer: Any) -> None:
    local, _ = one_layer("locally_connected", (1, 8, 8), channels=1)
    with pytest.raises(ShapeError, match="has weights for 8×8 images only, not 9×8"):
        local(torch.zeros(1, 1, 9, 8))
