"""Training a network: `train` and `lr-find`."""
