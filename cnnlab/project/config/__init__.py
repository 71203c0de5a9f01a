"""A config checked and shown: `config`, `schema`."""
