"""Maps brought to another size, and to 0 … 1."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def upsampled(maps: Float[Tensor, "*n h w"], size: tuple[int, int]) -> Float[Tensor, "*n h2 w2"]:
    """Bilinear to `size` (height, width) in pixels, with pixel centres at half places (`align_corners=False`)."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    return F.interpolate(flat, size=size, mode="bilinear", align_corners=False).reshape(*maps.shape[:-2], *size)


def positive_scaled(maps: Float[Tensor, "*n h w"]) -> Float[Tensor, "*n h w"]:
    """What speaks for the target, each map divided by its largest value: 0 … 1, and no evidence stays 0.

    A minimum is not subtracted: a map that is positive everywhere has no place without evidence.
    """
    positive = maps.clamp(min=0)
    largest = positive.amax((-2, -1), keepdim=True)
    return positive / largest.where(largest > 0, 1)


def least_to_largest(values: Tensor, over: tuple[int, ...]) -> Tensor:
    """The values between the least (0) and the largest (1) over the dimensions `over`; all 0 where these are equal."""
    low, high = values.amin(over, keepdim=True), values.amax(over, keepdim=True)
    return (values - low) / (high - low).where(high > low, 1)


def fused(maps: list[Float[Tensor, "*n _ _"]]) -> Float[Tensor, "*n h w"]:
    """Maps of several layers as one: each `positive_scaled`, brought to the size of the largest, and averaged.

    Layers have values of different sizes, so that a mean of raw maps would be that of the layer with the largest.
    """
    size = max((tuple(one.shape[-2:]) for one in maps), key=lambda shape: shape[0] * shape[1])
    total: Tensor = sum(upsampled(positive_scaled(one), (size[0], size[1])) for one in maps)  # type: ignore[assignment]
    return total / len(maps)
