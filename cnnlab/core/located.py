"""Located values, into which YAML is read: text, lists and mappings that know their file, line and column.

Scalars stay text; pydantic turns them into the wanted type where they are used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mark:
    """A place: `source:line:column`, counted from 1; or the source alone (a command-line override) with line 0."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


class Text(str):
    """A scalar as it was written."""

    mark: Mark

    def __new__(cls, text: str, mark: Mark) -> "Text":
        """`text`, written at `mark`."""
        self = super().__new__(cls, text)
        self.mark = mark
        return self


class Items(list[Any]):
    """A YAML sequence."""

    def __init__(self, items: Sequence[Any], mark: Mark) -> None:
        super().__init__(items)
        self.mark = mark


class Table(dict[str, Any]):
    """A YAML mapping; `marks` has the place of each key."""

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.marks: dict[str, Mark] = {}

    def put(self, key: str, value: Any, mark: Mark) -> None:
        """Set `key` and the place where it is written."""
        self[key] = value
        self.marks[key] = mark


Value = Text | Items | Table | None


def mark_at(value: object, path: Sequence[str | int]) -> Mark | None:
    """The place of what `path` leads to, or of the nearest thing above it that has one."""
    mark: Mark | None = getattr(value, "mark", None)
    for step in path:
        if isinstance(value, Table) and isinstance(step, str) and step in value:
            mark, value = value.marks[step], value[step]
        elif isinstance(value, Items) and isinstance(step, int) and step < len(value):
            value = value[step]
            mark = getattr(value, "mark", None) or mark
        else:
            break
    return mark
