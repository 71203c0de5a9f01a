"""The layers of a network with shapes, parameters, operations and memory: `summary`."""
