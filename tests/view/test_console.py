import io
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from cnnlab.view.blocks import Column, Figure, Number, Numbers, Report, Section, Table, Text, shown
from cnnlab.view.console import show
from cnnlab.view.drawings import Lattice, Matrix, Span, Spans


def printed(report: Report, folder: Path | None = None, width: int = 72) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    show(report, console, folder=folder)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().replace("\N{NO-BREAK SPACE}", " ").split("\n"))


def test_a_report_reads_from_top_to_bottom() -> None:
    matrix = Matrix(np.array([[9, 1], [0, 10]]), ("cat", "dog"), ("cat", "dog"), "truth", "answer", "images")
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
            Section("Classes", (table, Figure("confusion", "Confusion matrix", matrix))),
        ),
        "20 images.",
    )  # fmt: skip
    assert (
        printed(report, Path("runs/run-1/reports"))
        == """\
Evaluation of run-1 on test
20 images.
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
    report = Report("r", (Figure("k", "Kernel", kernel), Figure("f", "Fields", field)))
    lines = printed(report, width=24).splitlines()
    assert lines[1:4] == ["", "Kernel", "● · ●"]
    assert "conv2 ████████████████ 4" in lines


def test_a_path_is_never_broken() -> None:
    matrix = Matrix(np.zeros((20, 20)), ("a",) * 20, ("a",) * 20, "r", "c", "n")
    folder = Path("/" + "long/" * 40)
    assert f"{folder}/m.png" in printed(Report("r", (Figure("m", "M", matrix),)), folder)


def test_without_a_folder_no_file_is_promised(report: Report) -> None:
    assert ".png" not in printed(report)


@settings(max_examples=20, deadline=None)
@given(st.data(), st.integers(36, 100))
def test_no_width_breaks_a_number(data: st.DataObject, width: int) -> None:
    count = data.draw(st.integers(1, 9))
    kinds = [data.draw(st.sampled_from(["words", "shape", "number"])) for _ in range(count)]
    columns = [Column(f"heading {i}", align="left" if kind != "number" else "right", form=",.2f" * (kind == "number"))
               for i, kind in enumerate(kinds)]  # fmt: skip
    cells = {"words": st.sampled_from(["BatchNorm2d", "a layer of many words", "features.0.conv.1", "猫"]),
             "shape": st.sampled_from(["64×112×112", "1,024×7×7", "16x4x4"]),
             "number": st.floats(-1e9, 1e9)}  # fmt: skip
    rows = tuple(tuple(data.draw(cells[kind]) for kind in kinds) for _ in range(3))
    lines = printed(Report("r", (Table("t", tuple(columns), rows),)), width=width).splitlines()
    assert max(map(cell_len, lines)) <= width
    for row in rows:
        for cell, column, kind in zip(row, columns, kinds, strict=True):
            assert kind == "words" or any(shown(cell, column.form) in line for line in lines)


def test_columns_without_room_stand_below_the_others() -> None:
    columns = (Column("layer"), *(Column(name, align="right", form=",d") for name in ("parameters", "MACs", "memory")))
    table = Table("Layers", columns, (("conv1", 123_456_789, 1_234_567, 10**9), ("fc", 1, 2, 3)))
    assert (
        printed(Report("r", (table,)), width=32)
        == """\
r

Layers
layer    parameters        MACs
───────────────────────────────
conv1   123,456,789   1,234,567
fc                1           2

layer          memory
─────────────────────
conv1   1,000,000,000
fc                  3
"""
    )


def test_a_matrix_without_room_for_its_numbers_is_left_to_its_file() -> None:
    matrix = Matrix(np.full((12, 12), 1234), ("a",) * 12, ("a",) * 12, "r", "c", "n")
    report = Report("r", (Figure("m", "M", matrix),))
    assert "1234  1234" in printed(report, width=100)
    assert "12" not in printed(report, width=60)
