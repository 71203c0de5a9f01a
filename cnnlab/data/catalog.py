"""Importing this module registers every data set and every augmentation that cnnlab has."""

from cnnlab.data import archives, augmentations, folder, pairs, shapes

__all__ = ["archives", "augmentations", "folder", "pairs", "shapes"]
