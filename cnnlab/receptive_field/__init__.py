"""What each layer of a network sees: `receptive-field`."""
