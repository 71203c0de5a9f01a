"""Pixels that a person names: `1,2,4`."""

import re

from cnnlab.core.errors import RequestError


def pixels_of(text: str) -> tuple[int, ...]:
    """Read `1,2,4`.

    Raises: RequestError for anything else.
    """
    if not re.fullmatch(r"\s*\d{1,6}\s*(,\s*\d{1,6}\s*)*", text):
        raise RequestError(f"`shifts` is '{text}', expected whole pixels such as 1,2,4")
    return tuple(int(part) for part in text.split(","))
