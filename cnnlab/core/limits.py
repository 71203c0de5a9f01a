"""Limits of what may be asked for, for commands and their forms in Python; light, as `--help` reads them."""

MOST_THREADS = 1024
"""Threads of a processor that anything may ask for."""
