"""Likely label errors of a training part, by networks that have not learned from the images: `data label-errors`."""
