"""Experiments on one network, or on the same task with several: `probe`."""
