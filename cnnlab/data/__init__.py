"""Pictures and labels: data sets, splits, augmentation, batches."""
