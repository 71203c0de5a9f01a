"""What can be measured of a network and its answers: pure functions from tensors to facts."""
