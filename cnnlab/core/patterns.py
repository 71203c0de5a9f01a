"""A person's regular expressions: some take longer than the age of the universe for a name of thirty letters.

Python cannot stop a search that has begun, so it runs in a process of its own, which can be ended.
"""

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Sequence

from cnnlab.core.errors import RequestError

SECONDS = 10.0
"""Seconds for all names together; a sound expression searches some hundred thousand a second."""

LONGEST = 1000
"""Characters of an expression: compiling nested ones takes time as well."""

_SEARCH = """\
import json, re, sys
pattern, names = json.load(sys.stdin)
matches = map(re.compile(pattern).search, names)
json.dump([match and match[1] for match in matches], sys.stdout)
"""


def checked_pattern(text: str) -> str:
    """`text`, where it is a regular expression with one capture.

    Raises: ValueError, which says what is wrong with it.
    """
    if len(text) > LONGEST:
        raise ValueError(f"a regular expression of {len(text):,} characters, expected at most {LONGEST:,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python may read in another way
            captures = re.compile(text).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text} is not a regular expression: {error}") from None
    if captures != 1:
        raise ValueError(f"{text} captures {captures} parts, expected one, such as (patient\\d+)")
    return text


def captured(pattern: str, names: Sequence[str]) -> list[str | None]:
    """What the only capture of `pattern` finds in each of `names`; None where it finds nothing.

    Raises: RequestError where that takes longer than `SECONDS`.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _SEARCH],
            input=json.dumps([pattern, list(names)]),
            capture_output=True,
            text=True,
            encoding="ascii",
            timeout=SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise RequestError(
            f"the regular expression {pattern} has not searched {len(names):,} names in {SECONDS:.0f} seconds, such as "
            f"{names[0]}: it probably repeats a repetition, as (a+)+ does; write it without"
        ) from None
    found: list[str | None] = json.loads(done.stdout)
    return found
