"""The tensors in what a module puts out, whatever holds them."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor


def parts_of(output: Any) -> list[tuple[str, Tensor]]:
    """Tensors with their places in the output, such as `.aux` or `[1]`; "" where there is only one.

    Dictionaries, sequences, named tuples and dataclasses are opened.
    """
    found = list(_parts(output, ""))
    return [("", found[0][1])] if len(found) == 1 else found


def _parts(value: Any, place: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield place, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _parts(one, f"{place}[{key}]" if isinstance(key, int) else f"{place}.{key}")
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for name in value._fields:
            yield from _parts(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield from _parts(one, f"{place}[{number}]")
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _parts(getattr(value, field.name), f"{place}.{field.name}")
