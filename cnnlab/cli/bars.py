"""Bars on stderr for work that says how far it is."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from cnnlab.cli.options import err_console
from cnnlab.core.advance import Advance

T = TypeVar("T")


def with_bars(steps: Iterable[Advance | T]) -> T:
    """The result, which comes last; until then a bar for each kind of step, where stderr is a terminal."""
    from cnnlab.view.bars import Bars

    with Bars(err_console()) as progress:
        bars = {}
        for step in steps:
            if not isinstance(step, Advance):
                return step
            if step.what not in bars:
                bars[step.what] = progress.add_task(step.what)
            progress.update(bars[step.what], completed=step.done, total=step.total)
    raise AssertionError("the steps end with the result")


def with_bar(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """`items`, with a bar that shows rate and time left where stderr is a terminal."""
    from cnnlab.view.bars import Bars

    with Bars(err_console()) as progress:
        yield from progress.track(items, total=total, description=what)
