"""The augmentations that a config can name, one family per file; importing this package registers them."""

from cnnlab.data.augmentations import affine, color, crop, erase, flip, mix, quality

__all__ = ["affine", "color", "crop", "erase", "flip", "mix", "quality"]
