"""The training loop and its parts: optimizers, schedules, losses, checkpoints."""
