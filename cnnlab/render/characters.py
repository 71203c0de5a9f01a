"""Text from outside (class names, file names) made safe to show."""

import unicodedata


def printable(text: str, *, keep: str = "") -> str:
    """`text` with � for what moves a cursor, turns the direction of writing or is no character; `keep` stays as it is.

    A folder may be called `\\x1b[2J`, and a terminal would obey.
    """
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_unsafe(c) and c not in keep else c for c in text)


def shortened(text: str, length: int) -> str:
    """At most `length` characters, the middle left out: names that differ often differ at their ends."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return text[: length - 1 - tail] + "…" + (text[-tail:] if tail else "")


def _is_unsafe(character: str) -> bool:
    # Cc control, Cs half of a pair, Zl and Zp line ends; of Cf (format) only what turns the direction of writing.
    kind = unicodedata.category(character)
    return kind in ("Cc", "Cs", "Zl", "Zp") or character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
