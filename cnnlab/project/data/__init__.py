"""A data set looked through: `data`."""
