"""The effective receptive field: how much each pixel of the input moves one unit of a layer."""
