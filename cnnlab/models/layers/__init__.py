"""The layers, one family per file; each file registers its own."""
