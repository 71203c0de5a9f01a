"""Train a convolutional network and understand it."""

__version__ = "0.1.0"
