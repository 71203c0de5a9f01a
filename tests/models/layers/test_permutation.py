"""Pixels in another order."""

import torch

from cnnlab.models.layers.permutation import PermutePixels, permute_pixels

SHAPE = (3, 5, 7)


def test_pixels_change_places_with_all_their_channels_and_come_back() -> None:
    layer = permute_pixels(SHAPE, seed=3)
    images = torch.arange(2 * 3 * 35.0).reshape(2, *SHAPE)
    moved = layer(images)
    assert not torch.equal(moved, images)
    assert torch.equal(layer.inverse(moved), images)
    assert torch.equal(moved.flatten(2).sort(2).values, images.flatten(2))
    assert torch.equal(moved[:, 1] - moved[:, 0], torch.full((2, 5, 7), 35.0)), "channels stay together"


def test_the_order_is_of_the_seed_alone_and_no_part_of_the_weights() -> None:
    one, again, other = PermutePixels((5, 7), 0), PermutePixels((5, 7), 0), PermutePixels((5, 7), 1)
    assert torch.equal(one.order, again.order)
    assert not torch.equal(one.order, other.order)
    assert not one.state_dict()


def test_a_dense_layer_undoes_it() -> None:
    """The weights in the same order give the same answers: a dense network loses nothing."""
    layer, images = PermutePixels((5, 7), 0), torch.randn(4, *SHAPE)
    weight = torch.randn(2, *SHAPE)
    plain = torch.einsum("nchw,ochw->no", images, weight)
    torch.testing.assert_close(torch.einsum("nchw,ochw->no", layer(images), layer(weight)), plain)
