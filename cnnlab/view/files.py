"""A report as the files of a folder: its figures as PNG, its tables as CSV, and a page that holds all of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cnnlab.core.files import write_whole
from cnnlab.view import csv, html, png
from cnnlab.view.blocks import Report, figures


@dataclass(frozen=True)
class Saved:
    """What was written."""

    page: Path
    figures: list[Path]
    drawn: Mapping[str, png.Drawn]
    """Each figure by its name, for whoever shows it elsewhere too."""


def save(report: Report, folder: Path) -> Saved:
    """`folder/index.html`, `folder/NAME.png` and `folder/NAME.csv`, each written whole; each figure is drawn once."""
    drawn = {figure.name: png.drawn(figure) for figure in figures(report)}
    paths = [folder / f"{name}.png" for name in drawn]
    for path, content in zip(paths, drawn.values(), strict=True):
        write_whole(path, content.light)
    csv.save(report, folder)
    page = folder / "index.html"
    write_whole(page, html.page(report, drawn))
    return Saved(page, paths, drawn)
