"""The runs and how they went: `runs`."""
