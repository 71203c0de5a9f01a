"""A run's folder: written by one, read by all."""
