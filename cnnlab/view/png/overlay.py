"""A scene as bare pixels: the image enlarged by a whole number, its heat over it, no axes and no words."""

import numpy as np
from numpy.typing import NDArray

from cnnlab.view.png import heat
from cnnlab.view.scenes import Scene

LONGER_SIDE = 224
"""Pixels that the longer side comes near to; a larger image stays as large as it is."""


def overlay(scene: Scene) -> NDArray[np.uint8]:
    """uint8 [h, w, 3]; where there is no heat, the image alone, or white paper."""
    times = max(1, round(LONGER_SIDE / max(scene.size)))
    height, width = (side * times for side in scene.size)
    if scene.image is None:
        ground = np.full((height, width, 3), 255.0)
    else:
        colours = np.repeat(scene.image, 3, axis=2) if scene.image.shape[2] == 1 else scene.image
        ground = colours.repeat(times, axis=0).repeat(times, axis=1).astype(float)
    if scene.heat is None or not scene.has_heat:
        return ground.astype(np.uint8)
    values = heat.enlarged(scene.heat, height, width, smooth=scene.is_smoothed)
    shades = heat.colours(scene.heat_scale, scene.alpha, over_image=scene.image is not None)(
        heat.norm([scene])(np.ma.masked_invalid(values))
    )
    strength = shades[..., 3:]
    mixed = ground * (1 - strength) + 255 * shades[..., :3] * strength
    return np.asarray(mixed.round().clip(0, 255), dtype=np.uint8)
