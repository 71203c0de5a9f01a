"""What a config can name: `list`."""
