"""Where configs differ, option by option."""

from typing import Any


def dotted(value: Any, path: str = "") -> dict[str, Any]:
    """Nested mappings and lists as dotted keys, such as `model.0.conv_bn_act.channels`."""
    if isinstance(value, dict):
        items = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list):
        items = [(str(index), inner) for index, inner in enumerate(value)]
    else:
        return {path: value}
    return {k: v for key, inner in items for k, v in dotted(inner, f"{path}.{key}" if path else key).items()}


def first_difference(ours: Any, theirs: Any) -> tuple[str, Any, Any] | None:
    """The first dotted key with another value, and both values (None where it is absent); None where all are equal."""
    here, there = dotted(ours), dotted(theirs)
    for key in dict.fromkeys([*here, *there]):
        if here.get(key) != there.get(key):
            return key, here.get(key), there.get(key)
    return None
