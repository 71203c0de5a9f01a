import io
import re

import numpy as np
from PIL import Image

from cnnlab.view import excerpt
from cnnlab.view.blocks import Block, Column, Figure, Number, Numbers, Report, Section, SummaryLine, Table, Text
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


def test_what_a_summary_answers_stands_first() -> None:
    blocks = (NUMBERS, Section("More", (Text("Trust it.", "good", "verdict"),), "more"))
    lines = (SummaryLine("How good?", "of 40 are right.", "87 %", "more"), SummaryLine("How sure?", "Not here."))
    told = Report("Title", blocks, "Lead.", lines)
    assert excerpt.text(told).splitlines()[2:4] == [
        "How good? 87 % of 40 are right.",
        "accuracy: 87.5\N{NO-BREAK SPACE}%  of 40",
    ]
    page = excerpt.page(told)
    assert "<b>87 %</b> of 40 are right." in page
    assert "How sure?" not in page


def test_rare_colours_of_a_figure_stay() -> None:
    """A few pixels in colours of their own, beside thousands in other ones."""
    pixels = np.full((64, 64, 3), 200, np.uint8)
    pixels[:, :, 0] += np.arange(64, dtype=np.uint8)[None] % 50
    pixels[:, :, 1] += np.arange(64, dtype=np.uint8)[:, None] % 50
    pixels[5, 5], pixels[40, 20] = (255, 140, 0), (0, 60, 120)
    drawn = io.BytesIO()
    Image.fromarray(pixels).save(drawn, "PNG")
    kept = np.asarray(Image.open(io.BytesIO(excerpt._few_colours(drawn.getvalue()))).convert("RGB"))
    assert np.abs(kept.astype(int) - pixels).max() <= 8
