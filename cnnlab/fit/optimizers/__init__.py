"""The optimizers that a config can name, one a file; importing this package registers them."""

from cnnlab.fit.optimizers import adamw, muon, sgd

__all__ = ["adamw", "muon", "sgd"]
