"""The config that is trained when none is named."""

from pathlib import Path

QUICKSTART = Path(__file__).parent / "quickstart.yaml"
