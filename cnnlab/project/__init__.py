"""The workplace: `doctor`, `list`, `schema`, `config`, `data`, `runs`."""
