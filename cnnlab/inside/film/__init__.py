"""A training as a film of its checkpoints: `visualize training`."""
