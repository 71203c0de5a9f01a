"""The lines and bars that a person sees while there is work."""

import io
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
import typer
from rich.cells import cell_len
from rich.text import Text

from cnnlab import main as commands
from cnnlab.cli.streams import with_bar
from cnnlab.fit.fit import StepDone
from cnnlab.training import progress
from cnnlab.training.events import Started
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


def test_the_bar_goes_by_the_clock_where_a_time_budget_ends_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.0)
    shown = TrainingProgress(Terminal(file=io.StringIO(), force_terminal=True, width=80))
    shown.show(Started("r", Path("runs/r"), 1, 9, 0, 100, 100, "cpu", 0, (), (), seconds_left=60.0))
    loss = torch.zeros(())
    shown.show(StepDone(10, 1, 10, 0.1, loss, loss, 500, done=0.25))
    (task,) = shown.bar.tasks
    assert (task.completed, task.total) == (10, 40)
    shown.show(StepDone(38, 1, 38, 0.1, loss, loss, 500, done=1.0))
    shown.show(replace(ROW, epoch=1))
    assert (task.completed, task.total, task.fields["facts"]) == (38, 38, "writing the report")


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
