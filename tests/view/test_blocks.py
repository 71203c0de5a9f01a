import math

import numpy as np
import pytest

from cnnlab.view.blocks import (
    Column,
    Figure,
    Report,
    Section,
    SummaryLine,
    Table,
    Text,
    figures,
    sections,
    shown,
    tables,
)
from cnnlab.view.drawings import Bars, Curves, Gallery, Matrix, Series

BARS = Bars(("a",), (1.0,), "x")


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.8451, ".1%", "84.5\N{NO-BREAK SPACE}%"),
        (0.002, ".0%", "0.2\N{NO-BREAK SPACE}%"),
        (0.0, ".0%", "0\N{NO-BREAK SPACE}%"),
        (288746, ",d", "288,746"),
        (-1.5, ".1f", "−1.5"),
        (None, ".1%", "–"),
        (math.nan, ".1%", "–"),
        (math.inf, ".1f", "∞"),
        (-math.inf, "", "−∞"),
        ("cat", ".1%", "cat"),
        ("-cat", "", "-cat"),
    ],
)
def test_cells_are_written_alike_everywhere(value: str | float | None, form: str, text: str) -> None:
    assert shown(value, form) == text


def test_figures_and_tables_are_found_in_sections() -> None:
    table = Table("t", (Column("a"),), (("x",),))
    report = Report("r", (Figure("one", "1", BARS), Section("s", (table, Section("u", (Figure("two", "2", BARS),))))))
    assert [figure.name for figure in figures(report)] == ["one", "two"]
    assert tables(report) == (table,)


def test_two_figures_of_one_file_are_refused() -> None:
    with pytest.raises(ValueError, match="more than one block is called one"):
        Report("r", (Figure("one", "1", BARS), Section("s", (Figure("one", "2", BARS),))))


@pytest.mark.parametrize("name", ["", "../up", "a b", "Upper", ".hidden", "a/b", "a\n"])
def test_names_that_are_no_file_stems_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected lower-case letters"):
        Figure(name, "title", BARS)


def test_rows_have_the_columns_length() -> None:
    with pytest.raises(ValueError, match="row of 2 cells under 1 columns"):
        Table("t", (Column("a"),), (("x", "y"),))


def test_a_columns_heading_has_its_unit() -> None:
    assert Column("time", "s").heading == "time (s)"


def test_drawings_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="series 'a': 1 values at 2 places"):
        Curves((Series("a", (1, 2), (1,)),), "x", "y")
    with pytest.raises(ValueError, match="labels for"):
        Matrix(np.zeros((2, 2)), ("a",), ("a", "b"), "r", "c", "n")
    with pytest.raises(ValueError, match="without images"):
        Gallery(())
    with pytest.raises(ValueError, match="float64"):
        Gallery((np.zeros((2, 2, 3)),))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="2 values for 1 bars"):
        Bars(("a",), (1.0, 2.0), "x")


def test_blocks_are_equal_by_content() -> None:
    assert Text("a", "good") == Text("a", "good")


def test_a_line_of_a_summary_leads_to_a_section_by_its_key() -> None:
    inner = Section("b", (), "inner")
    blocks = (Section("a", (inner,), "outer"),)
    assert sections(Report("r", blocks)) == (*blocks, inner)
    Report("r", blocks, summary=(SummaryLine("How?", "of it", "1 %", "inner"),))
    with pytest.raises(ValueError, match=r"no section for How\?"):
        Report("r", blocks, summary=(SummaryLine("How?", "of it", "1 %", "other"),))
    with pytest.raises(ValueError, match="has no figure"):
        SummaryLine("How?", "of it", section="inner")
    with pytest.raises(ValueError, match="more than one block is called inner"):
        Report("r", (inner, inner))
