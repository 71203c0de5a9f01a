"""Data sets in memory: reading, splits, augmentations, batches."""
