"""Networks built from a config: layers, initialisation, plugins, and a context that leaves a network as it was."""
