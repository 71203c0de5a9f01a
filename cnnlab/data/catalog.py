"""Importing this module registers every data set and every augmentation that cnnlab has."""

from cnnlab.data import archives, augmentations, folder, shapes

__all__ = ["archives", "augmentations", "folder", "shapes"]
