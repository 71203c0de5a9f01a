"""Whole numbers that a person lists: `1,2,4`."""

import re

from cnnlab.core.errors import RequestError


def listed_numbers(text: str, option: str, *, what: str, example: str) -> tuple[int, ...]:
    """Read `1,2,4`.

    Arguments:
        text: what was written.
        option: names it in errors.
        what, example: what was expected, in words.

    Raises: RequestError for anything else.

    Example:
        >>> listed_numbers("100, 300", "`sizes`", what="numbers of images", example="100,300")
        (100, 300)
    """
    if not re.fullmatch(r"\s*\d{1,9}\s*(,\s*\d{1,9}\s*)*", text):
        raise RequestError(f"{option} is '{text}', expected {what} such as {example}")
    return tuple(int(part) for part in text.split(","))
