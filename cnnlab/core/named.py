"""Names with their options in one word, as on a command line: `NAME:OPTION=VALUE,OPTION=VALUE`."""

from typing import Any

from cnnlab.core.errors import RequestError

NONE = "null"
"""The word for no value, where an option may have none; `none` is read as well."""


def names_with_options(text: str, place: str = "methods", what: str = "method") -> list[tuple[str, dict[str, Any]]]:
    """Each name in `a,b:x=1,y=2,c` with its options as they are written: a word with `=` belongs to the name before it.

    `place` is what messages call the text, `what` is what it names.

    Raises: RequestError for a word that is empty or no option, and for an option before any name.

    Example:
        >>> names_with_options("gradcam,rise:masks=4000,keep=0.3")
        [('gradcam', {}), ('rise', {'masks': '4000', 'keep': '0.3'})]
    """
    found: list[tuple[str, dict[str, Any]]] = []
    for word in text.split(","):
        word = word.strip()
        name, colon, option = word.partition(":")
        if "=" in name:
            name, colon, option = "", "", word
        if not word or (colon and not name.strip()):
            raise RequestError(f"{place} is '{text}', expected names with commas between them")
        if name:
            found.append((name.strip(), {}))
        if not name or colon:
            key, equals, value = (part.strip() for part in option.partition("="))
            if not (key and equals):
                raise RequestError(
                    f"{place} is '{text}', expected NAME:OPTION=VALUE,OPTION=VALUE, and '{option}' is no option with "
                    "a value"
                )
            if not found:
                raise RequestError(f"{place} is '{text}', and the option '{option}' stands before any {what}")
            if key in found[-1][1]:
                raise RequestError(f"{place} is '{text}', which gives {key} of {found[-1][0]} twice")
            found[-1][1][key] = None if value.lower() in (NONE, "none") else value
    return found
