"""Times as people write them: `90`, `90s`, `10m`, `1.5h`."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

UNITS = {"s": 1, "m": 60, "h": 3600}
"""Seconds of each."""

LONGEST = 366 * 24 * UNITS["h"]
"""Seconds; what is longer is a slip of the pen."""

SUCH_AS = "90s, 10m or 1.5h"

WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)?")


def seconds_of(text: str) -> float | None:
    """Seconds of a time that is written `90`, `90s`, `10m` or `1.5h`; None where it is none, or not within a year.

    Example:
        >>> seconds_of("90s"), seconds_of("1.5 h"), seconds_of("0m")
        (90.0, 5400.0, None)
    """
    found = WRITTEN.fullmatch(text.strip())
    seconds = float(found[1]) * UNITS[found[2] or "s"] if found else 0.0
    return seconds if 0 < seconds <= LONGEST else None


def _in_seconds(value: Any) -> Any:
    """`value` in seconds, where it is written as a time.

    Raises: ValueError where it is neither a time nor a number.
    """
    if not isinstance(value, str | int | float):
        raise ValueError(f"is no time, expected one such as {SUCH_AS}")
    if not isinstance(value, str):
        return value
    seconds = seconds_of(value)
    if seconds is None:
        raise ValueError(f"'{value[:40]}' is no time within a year, expected one such as {SUCH_AS}")
    return seconds


Duration = Annotated[
    float,
    BeforeValidator(_in_seconds),
    Field(gt=0, le=LONGEST),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST},
                {"type": "string", "pattern": f"^{WRITTEN.pattern}$"},
            ]
        }
    ),
]
"""Seconds."""
