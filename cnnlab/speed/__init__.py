"""How fast a training is on this machine, what limits it, and what would make it faster: `bench`."""
