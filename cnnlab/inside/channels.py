"""The channels of a layer that a person names: `3,7,12-15`."""

import re

from cnnlab.core.errors import RequestError


def channels_of(text: str) -> tuple[int, ...]:
    """The numbers in `3,7,12-15`, each once, in the order in which they are named.

    Raises: RequestError for anything else.
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,7})(?:\s*-\s*(\d{1,7}))?\s*", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise RequestError(f"channels are '{text}', expected numbers from 0 such as 3,7 or 12-15")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(dict.fromkeys(found))


def checked_channels(channels: tuple[int, ...], count: int, layer: str) -> tuple[int, ...]:
    """`channels`, where `layer` has them all.

    Raises: RequestError for one that is out of range.
    """
    for channel in channels:
        if channel >= count:
            raise RequestError(f"no channel {channel} in layer '{layer}': it has {count}, from 0 to {count - 1}")
    return channels
