"""The shape of a config file, its schema, overrides, and the built-in one."""

from pathlib import Path

QUICKSTART = Path(__file__).parent / "quickstart.yaml"
"""The config that is trained when none is named."""
