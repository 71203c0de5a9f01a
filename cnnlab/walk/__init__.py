"""What each element of a network depends on, from one forward pass."""
