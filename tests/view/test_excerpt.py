import re

import numpy as np

from cnnlab.view import excerpt
from cnnlab.view.blocks import Block, Column, Figure, Number, Numbers, Report, Section, Table, Text
from cnnlab.view.drawings import Gallery

NUMBERS = Numbers((Number("accuracy", 0.875, ".1%", detail="of 40"), Number("loss", None)))
ROWS = tuple((f"row {number}", number / 3) for number in range(11))
TABLE = Table("All", (Column("name"), Column("share", form=".2f")), ROWS)


def figure(name: str) -> Figure:
    return Figure(name, name, Gallery((np.zeros((4, 4, 3), np.uint8),)))


def report(*blocks: Block) -> Report:
    return Report("Title <b>", blocks, "Lead.")


def test_text_has_numbers_verdicts_and_no_table_beside_them() -> None:
    blocks = (NUMBERS, Section("More", (Text("Trust it.", "good", "verdict"), Text("An aside.", "note"), TABLE)))
    assert excerpt.text(report(*blocks)).splitlines() == [
        "Title <b>", "Lead.", "accuracy: 87.5\N{NO-BREAK SPACE}%  of 40", "loss: –", "verdict: Trust it.",
    ]  # fmt: skip


def test_a_table_stands_in_for_numbers_and_is_cut() -> None:
    lines = excerpt.text(report(TABLE)).splitlines()
    assert lines[2:4] == ["name  share", "row 0  0.00"]
    assert lines[-1] == "and 3 rows more"
    assert len(lines) == 2 + 1 + excerpt.ROWS + 1


def test_a_page_has_at_most_two_figures_inside_and_nothing_from_elsewhere() -> None:
    page = excerpt.page(report(NUMBERS, *map(figure, "abc")))
    assert page.count("data:image/png;base64,") == 2
    assert "1 more figure" in page
    assert "Title &lt;b&gt;" in page
    assert not re.search(r"<script|https?://|<style|<link", page)
    assert excerpt.page(report(*map(figure, "abc")), most=3).count("data:image/png") == 3
