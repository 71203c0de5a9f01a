"""What the entry point knows and a command may need: typer's `context.obj`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Invocation:
    """One call of `cnnlab`."""

    began: float
    """When the process started, by `time.perf_counter`."""
