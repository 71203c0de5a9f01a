"""Telling images that are none of the classes from those that are: `reject`."""
