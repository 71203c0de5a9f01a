"""Inside a trained network: `visualize`."""
