"""A report as the files of a folder: nothing is lost on the way, and the page is the one that is drawn anew."""

from pathlib import Path

from cnnlab.view import csv, files, html, png
from cnnlab.view.blocks import Column, Figure, Report, Section, Table
from cnnlab.view.drawings import Bars


def test_figures_tables_and_a_page_that_holds_them(tmp_path: Path) -> None:
    figure = Figure("shares", "Shares", Bars(("a", "b"), (0.25, 0.75), "share"))
    table = Table("Each", (Column("é"), Column("share")), (("a", 0.25), ("b", 0.75)), name="each")
    report = Report("ünïcode", (Section("inside", (figure, table)),))
    saved = files.save(report, tmp_path / "deep")
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"index.html", "shares.png", "each.csv"}
    assert (saved.page.name, [path.name for path in saved.figures]) == ("index.html", ["shares.png"])
    assert saved.page.read_text(encoding="utf-8") == html.page(report)
    assert saved.figures[0].read_bytes() == png.encode(figure)
    assert (tmp_path / "deep" / "each.csv").read_text(encoding="utf-8") == csv.table_text(table)
