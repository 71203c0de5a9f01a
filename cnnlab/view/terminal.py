"""The terminal: the one console through which words for people go, whatever they hold.

A string that is printed is never markup; what is to be bold or red is a template of `said`, whose values are not.
Control characters are shown and not sent, wherever a text came from.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Span, Text

from cnnlab.core.characters import printable

_KEPT = "\n\t"
"""What lays out a text and harms nobody."""

_PLACE = "{}"


class Terminal(Console):
    """A console of rich that takes nothing for markup or emoji, and sends no control character of a text.

    Where the environment has NO_COLOR (https://no-color.org) nothing is bold or dim either.
    """

    def __init__(self, **options: Any) -> None:
        if os.environ.get("NO_COLOR"):
            options["color_system"] = None
        super().__init__(**{"markup": False, "emoji": False, "highlight": False} | options)

    @property
    def encoding(self) -> str:
        """UTF-8, as if every letter could be said: the streams know better substitutes than rich has."""
        return "utf-8"

    def render_str(self, text: str, **options: Any) -> Text:
        """A string as text: what would be sent as a control is shown before the columns are measured."""
        return super().render_str(printable(text, keep=_KEPT), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The pieces of whatever is printed; the last look at each."""
        for segment in super().render(renderable, options):
            safe = segment.text if segment.control else printable(segment.text, keep=_KEPT)
            yield segment if safe == segment.text else Segment(safe, segment.style)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a remark that stderr does not take, on a full disk say, fails no work that is done."""
        try:
            super().print(*objects, **options)
        except OSError as error:
            if not self.stderr or isinstance(error, BrokenPipeError):
                raise

    def on_broken_pipe(self) -> None:
        """The reader left, as `head` does: the program ends as with any other stream."""
        raise  # rich calls this while it handles the error


def said(template: str, *values: object) -> Text:
    """The template's markup, with the values at its `{}` as they are: in them nothing is markup or sent to a terminal.

    Raises: ValueError unless there is a value for each `{}`.
    """
    drawn = Text.from_markup(template, emoji=False)
    pieces = drawn.plain.split(_PLACE)
    if len(pieces) != len(values) + 1:
        raise ValueError(f"{len(pieces) - 1} places for {len(values)} values in {template!r}")
    whole, ends, grown = pieces[0], [], 0
    for piece, value in zip(pieces[1:], map(str, values), strict=True):
        shown = printable(value)
        ends.append((len(whole) - grown, len(shown) - len(_PLACE)))
        grown += len(shown) - len(_PLACE)
        whole += shown + piece

    def moved(position: int) -> int:
        return position + sum(growth for place, growth in ends if place < position)

    spans = [Span(moved(span.start), moved(span.end), span.style) for span in drawn.spans]
    return Text(whole, spans=spans)


def fitting(columns: Mapping[str, int], least_first: Sequence[str], width: int) -> list[str]:
    """The columns that fit into `width` cells, with two between them, so that no terminal breaks a number.

    columns: their names and widths, in order. least_first: those that may go, what matters least first.
    """
    kept = list(columns)
    for name in least_first:
        if sum(columns[one] + 2 for one in kept) - 2 > width:
            kept.remove(name)
    return kept
