"""Importing this fills the registries of losses, optimizers, schedules and clippings."""

from cnnlab.fit import losses, optimizers, schedules

__all__ = ["losses", "optimizers", "schedules"]
