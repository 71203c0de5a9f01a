"""The feature maps of one image: `visualize features`."""
