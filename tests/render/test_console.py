import io
from pathlib import Path

import numpy as np
from rich.console import Console

from cnnlab.render.console import show
from cnnlab.reports.blocks import Column, Number, Numbers, Picture, Report, Section, Table, Text
from cnnlab.reports.drawings import Lattice, Matrix, Span, Spans


def printed(report: Report, folder: Path | None = None, width: int = 72) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    show(report, console, folder=folder)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().replace("\N{NO-BREAK SPACE}", " ").split("\n"))


def test_a_report_reads_from_top_to_bottom() -> None:
    matrix = Matrix(np.array([[9, 1], [0, 10]]), ("cat", "dog"), ("cat", "dog"), "truth", "answer", "pictures")
    table = Table(
        "Each class",
        (Column("class"), Column("F1", align="right", form=".1%")),
        (("cat", 0.947), ("dog", None)),
        "A note.",
    )
    accuracy = Number("accuracy", 0.95, ".2%", detail="95 % interval 76.4 to 99.1 %")
    report = Report(
        "Evaluation of run-1 on test",
        (
            Numbers((accuracy, Number("loss", 0.2, ".3f", "nats"))),
            Text("both are high.", "good", "good"),
            Section("Classes", (table, Picture("confusion", "Confusion matrix", matrix))),
        ),
        "20 pictures.",
    )  # fmt: skip
    assert (
        printed(report, Path("runs/run-1/reports"))
        == """\
Evaluation of run-1 on test
20 pictures.
accuracy     95.00 %  95 % interval 76.4 to 99.1 %
loss      0.200 nats
good: both are high.

Classes

Each class
class       F1
──────────────
cat     94.7 %
dog          –
A note.

Confusion matrix (rows truth, columns answer)
     cat  dog
─────────────
cat    9    1
dog    ·   10
Confusion matrix: runs/run-1/reports/confusion.png
"""
    )


def test_names_are_shown_and_not_obeyed(report: Report, nasty: tuple[str, ...]) -> None:
    text = printed(report, width=400)
    assert "[bold red]cat[/]" in text
    assert "\x1b" not in text


def test_long_tables_are_cut_in_the_middle() -> None:
    table = Table("Epochs", (Column("epoch", form="d"),), tuple((i,) for i in range(1, 101)))
    text = printed(Report("r", (table,)))
    assert "60 more rows." in text
    assert "\n20\n⋮\n81\n" in text


def test_small_drawings_are_shown_in_letters() -> None:
    kernel = Lattice(np.array([[0, np.nan, 1]]), (0, 1))
    field = Spans((Span("conv1", 1, 3), Span("conv2", 0, 4)), "column (px)", "field")
    report = Report("r", (Picture("k", "Kernel", kernel), Picture("f", "Fields", field)))
    lines = printed(report, width=24).splitlines()
    assert lines[1:4] == ["", "Kernel", "● · ●"]
    assert "conv2 ████████████████ 4" in lines


def test_a_path_is_never_broken() -> None:
    matrix = Matrix(np.zeros((20, 20)), ("a",) * 20, ("a",) * 20, "r", "c", "n")
    folder = Path("/" + "long/" * 40)
    assert f"{folder}/m.png" in printed(Report("r", (Picture("m", "M", matrix),)), folder)


def test_without_a_folder_no_file_is_promised(report: Report) -> None:
    assert ".png" not in printed(report)
