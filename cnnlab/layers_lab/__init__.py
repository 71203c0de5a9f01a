"""The arithmetic of layers: `layer`, `compare-layers`, `summary`."""
