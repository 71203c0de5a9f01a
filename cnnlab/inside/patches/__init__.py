"""The maximally activating patches of a layer's channels: `visualize patches`."""
