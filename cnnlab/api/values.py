"""Values that Python lets pass and a command's options would not: each is checked before anything is worked out."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from cnnlab.core.errors import RequestError
from cnnlab.core.limits import MOST_THREADS


def check_choice(parameter: str, value: Any, choices: Collection[Any]) -> None:
    """Check that `value` is one of `choices`, of which None need not be named.

    Raises: RequestError with the parameter, the value, and what is expected.

    Example:
        >>> check_choice("pairs", "first", ("all", "first"))
        >>> check_choice("pairs", "last", ("all", "first"))
        Traceback (most recent call last):
        cnnlab.core.errors.RequestError: `pairs` is 'last', expected all or first
    """
    if value not in choices:
        *others, last = [str(choice) for choice in choices if choice is not None]
        expected = f"{', '.join(others)} or {last}" if others else last
        raise RequestError(f"`{parameter}` is {value!r}, expected {expected}")


def check_number(parameter: str, value: Any, least: float, most: float | None = None) -> None:
    """Check that `value` is a number from `least` to `most`; only whole ones do where `least` is a whole one.

    Raises: RequestError with the parameter, the value, and what is expected.

    Example:
        >>> check_number("reject_below", 0.5, 0.0, 1.0)
        >>> check_number("count", 0, 1)
        Traceback (most recent call last):
        cnnlab.core.errors.RequestError: `count` is 0, expected a whole number from 1
    """
    whole = isinstance(least, int)
    try:
        known = int(value) == value if whole else float(value) == value
        if known and least <= value and (most is None or value <= most):
            return
    except (TypeError, ValueError, OverflowError):
        pass  # told below, as what is out of range
    expected = f"{'a whole' if whole else 'a'} number from {least:g}" + ("" if most is None else f" to {most:g}")
    raise RequestError(f"`{parameter}` is {value!r}, expected {expected}")


def check_threads(threads: Any) -> None:
    """Check that `threads` is a number of threads, or None.

    Raises: RequestError with the value, and what is expected.
    """
    if threads is not None:
        check_number("threads", threads, 1, MOST_THREADS)


def path_of(parameter: str, value: Any) -> Path:
    """The path that `value` is, with `~` for the home folder.

    Raises: RequestError with the parameter, the value, and what is expected.

    Example:
        >>> path_of("runs", "runs/mine").name
        'mine'
        >>> path_of("runs", 5)
        Traceback (most recent call last):
        cnnlab.core.errors.RequestError: `runs` is 5, expected text or a Path
    """
    if not isinstance(value, str | Path) or value == "":
        raise RequestError(f"`{parameter}` is {value!r}, expected text or a Path")
    return Path(value).expanduser()


def path_or_none(parameter: str, value: Any) -> Path | None:
    """The same, where None may be given, which stays None."""
    return None if value is None else path_of(parameter, value)
