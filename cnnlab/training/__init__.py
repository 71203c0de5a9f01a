"""Training as a stream of facts: a loop, and the parts that a config can name."""
