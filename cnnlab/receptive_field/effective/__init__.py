"""How much each pixel of a receptive field counts, measured by gradients."""
