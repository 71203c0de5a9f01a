"""Importing this fills the registries of losses, optimizers, schedules and clippings."""

from cnnlab.fit import clipping, losses, optimizers, schedules

__all__ = ["clipping", "losses", "optimizers", "schedules"]
