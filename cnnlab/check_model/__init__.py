"""What was understood of a network from elsewhere, and which commands will work with it: `check-model`."""
