"""The lines and bars that a person sees while there is work."""

import io
import sys
from unittest.mock import patch

import pytest
import typer
from rich.cells import cell_len
from rich.text import Text

from cnnlab import main as commands
from cnnlab.cli.streams import with_bar
from cnnlab.training.progress import HEADER, TrainingProgress, epoch_line, header
from cnnlab.training.report import EpochRow
from cnnlab.view.bars import Bars
from cnnlab.view.terminal import Terminal

ROW = EpochRow(
    epoch=90,
    lr=0.00123,
    train_loss=2.3456,
    train_accuracy=0.9876,
    clean_train_accuracy=0.9912,
    val_loss=1.2345,
    val_accuracy=0.8765,
    seconds=1234.5,
    images_per_second=12_345,
)


@pytest.mark.parametrize(("width", "columns"), [(200, 9), (79, 9), (78, 8), (60, 6), (40, 4)])
def test_a_narrow_terminal_has_fewer_columns_and_whole_numbers(width: int, columns: int) -> None:
    line, names = epoch_line(ROW, 100, width), header(width)
    assert cell_len(line) == cell_len(names) <= width
    assert len(line.split()) == columns
    assert line.split()[0] == "90/100"
    assert ("87.65" in line) == ("val %" in names)
    assert header(79) == HEADER


class Teletype(io.StringIO):
    """A terminal's stream."""

    def isatty(self) -> bool:
        return True


def test_ctrl_c_leaves_a_clean_line(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer(cls=commands.Commands)

    @app.callback()
    def group() -> None:
        """So that the command has a name."""

    @app.command()
    def work() -> None:
        for _ in with_bar(range(9), "working", 9):
            raise KeyboardInterrupt

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(commands, "program", lambda: typer.main.get_command(app))
    with patch.object(sys, "stderr", Teletype()) as err, patch.object(sys, "stdout", io.StringIO()) as out:
        code = commands.answer(["work"])
    assert code == 130
    assert "working" in err.getvalue()
    *_, rest = err.getvalue().split("\x1b[2K")
    assert rest.replace("\x1b[1;31m", "").replace("\x1b[0m", "") == "error: interrupted\n"
    assert out.getvalue() == ""


@pytest.mark.parametrize("width", [20, 60, 80])
def test_a_bar_leaves_room_for_what_the_terminal_shows_of_ctrl_c(width: int) -> None:
    console = Terminal(file=io.StringIO(), force_terminal=True, width=width)
    for bars in (Bars(console), TrainingProgress(console).bar):
        bars.add_task("a training whose name is long, " * 4, total=2, facts="loss 2.3  0:00:01 left")
        with console.capture() as drawn:
            console.print(*bars.get_renderables())
        lines = Text.from_ansi(drawn.get()).plain.splitlines()
        assert 0 < max(map(cell_len, lines)) <= width - len("^C^C")
