"""Images by the features of the last layer: `visualize embedding`."""
