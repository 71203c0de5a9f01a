"""The augmentations that a config can name, one family per file; importing this package registers them."""

from cnnlab.data.augmentations import affine, color, crop, erase, mix

__all__ = ["affine", "color", "crop", "erase", "mix"]
