"""How good a network is: `eval`, `predict`, `compare`."""
