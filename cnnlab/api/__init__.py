"""cnnlab from Python: `cnnlab.open`, what can be asked of a network, and `cnnlab.train`."""
