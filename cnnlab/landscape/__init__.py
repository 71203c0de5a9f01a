"""The loss around a network's weights, as a surface over a plane of weight space."""
