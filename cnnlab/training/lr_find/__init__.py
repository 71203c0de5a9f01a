"""A learning rate from one short training: `lr-find`."""
