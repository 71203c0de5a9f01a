"""Bars for long work on the last lines of a terminal; none where there is no terminal, nothing left when it is done."""

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

ECHO = len("^C^C")
"""Cells of the terminal."""


class Bars(Progress):
    """A bar for each task, with what it is, how far and how long still, or with `columns`.

    A terminal shows Ctrl-C as `^C` at the cursor. Behind a bar that fills the width that would begin a line, and what
    takes the bar away would begin there, too.
    """

    def __init__(self, console: Console, *columns: ProgressColumn, expand: bool = False) -> None:
        usual = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._terminal = console  # the parent looks at what is drawn before it has one
        super().__init__(
            *(columns or usual), console=console, transient=True, expand=expand, disable=not console.is_terminal
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """What is drawn."""
        for bars in super().get_renderables():
            yield Constrain(bars, max(1, self._terminal.width - ECHO))
