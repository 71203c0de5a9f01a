"""What a training's recipe is worth: `ablate`, one switch at a time, and `sweep`, a search over many."""
