"""Labels that a person has decided on: images left out of the training part, and labels put right, by a CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

import torch

from cnnlab.core.characters import printable
from cnnlab.core.errors import RequestError, unknown
from cnnlab.data.dataset import Dataset
from cnnlab.data.listing import SHOWN, rows_of

NEEDED = ("index", "given", "likely", "decision")
"""Columns of the CSV; `file` is looked at as well, and the others are not."""

DECISIONS = ("", "keep", "relabel", "exclude")
"""An empty one decides nothing, as keep does; relabel gives the image the class in the column `likely`."""


def corrected(dataset: Dataset, table: Path) -> Dataset:
    """The training part without the images that a CSV leaves out, and with the labels that it puts right.

    Arguments:
        dataset: the training part, undivided.
        table: a CSV with a row for some of its images, as `cnnlab data label-errors` writes one. Images are told by
            their index, and each row's `given` must be the label that the image has, so that a table of other images
            is refused; where the data set has files, the name in `file` must agree, too.

    Returns:
        What is left; `numbers` has the index of each image.

    Raises:
        RequestError: for a table that cannot be read, with each line that is wrong, and where a class loses all of its
            images.

    Example:
        >>> from tempfile import mkdtemp
        >>> table = Path(mkdtemp()) / "labels.csv"
        >>> _ = table.write_text("index,given,likely,decision\\n0,a,b,relabel\\n2,a,b,exclude\\n3,b,a,\\n")
        >>> pixels, labels = torch.zeros(4, 1, 2, 2).byte(), torch.tensor([0, 0, 0, 1])
        >>> found = corrected(Dataset("four", "train", pixels, labels, ("a", "b")), table)
        >>> found.labels.tolist(), found.numbers.tolist()
        ([1, 0, 1], [0, 1, 3])
    """
    header, rows = rows_of(table)
    if missing := [column for column in NEEDED if column not in header]:
        raise RequestError(
            f"{table}:1: no column '{missing[0]}'; expected {', '.join(NEEDED)}, as `cnnlab data label-errors` writes "
            "them into label-errors.csv"
        )
    if twice := [column for column in (*NEEDED, "file") if header.count(column) > 1]:
        raise RequestError(f"{table}:1: the column '{twice[0]}' is given twice")
    labels, kept = dataset.labels.clone(), torch.ones(len(dataset), dtype=torch.bool)
    problems: list[str] = []
    seen: dict[int, int] = {}
    for line, row in rows:
        cells = dict(zip(header, map(str.strip, row), strict=False))
        index, fault = _image(cells, dataset)
        if not fault and index in seen:
            fault = f"image {index} is there twice; first on line {seen[index]}"
        seen.setdefault(index, line)
        label, fault = (0, fault) if fault else _decided(cells, dataset, index)
        if fault:
            problems.append(f"{table}:{line}: {fault}")
        elif label is None:
            kept[index] = False
        else:
            labels[index] = label
    if problems:
        more = [f"and {len(problems) - SHOWN:,} lines more"] if len(problems) > SHOWN else []
        raise RequestError(*problems[:SHOWN], *more)
    before, after = dataset.counts(), labels[kept].bincount(minlength=len(dataset.classes))
    if lost := [dataset.classes[k] for k in ((before > 0) & (after == 0)).nonzero()[:, 0].tolist()]:
        raise RequestError(f"{table}: leaves no image of the class '{lost[0]}'")
    out, other = int((~kept).sum()), int((labels != dataset.labels)[kept].sum())
    remark = f"{table}: leaves {out:,} image{'s' * (out != 1)} out, and gives {other:,} another label"
    whole = replace(dataset, labels=labels, numbers=torch.arange(len(dataset)), remarks=(*dataset.remarks, remark))
    return whole.take(kept.nonzero()[:, 0]) if out else whole


def _image(cells: Mapping[str, str], dataset: Dataset) -> tuple[int, str]:
    """The index of a row's image, and what is wrong with it."""
    text = cells.get("index", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        return -1, f"'index' is '{printable(text[:40])}', expected a whole number"
    index = int(text)
    if index >= len(dataset):
        return -1, f"image {index}, and there are {len(dataset):,} from 0 on; is this table of another data set?"
    own = dataset.classes[int(dataset.labels[index])]
    if not _same(cells.get("given", ""), own):
        said = printable(cells.get("given", "")[:60])
        return index, f"image {index} is labelled '{own}', not '{said}'; is this table of another data set?"
    file = cells.get("file", "")
    if file and dataset.paths is not None and not _same(PurePath(file).name, PurePath(dataset.paths[index]).name):
        return index, f"image {index} is {dataset.paths[index]}, not {printable(file[-80:])}; files have changed"
    return index, ""


def _decided(cells: Mapping[str, str], dataset: Dataset, index: int) -> tuple[int | None, str]:
    """The label that an image is to have, None where it is left out; and what is wrong with the row."""
    decision, likely = cells.get("decision", "").lower(), cells.get("likely", "")
    if decision not in DECISIONS:
        expected = ", ".join(DECISIONS[1:])
        return 0, f"'decision' is '{printable(decision[:40])}', expected {expected}, or nothing"
    if decision == "exclude":
        return None, ""
    if decision != "relabel":
        return int(dataset.labels[index]), ""
    if (number := _class(likely, dataset.classes)) is None:
        return 0, unknown("class", likely[:60], dataset.classes)
    return number, ""


def _class(text: str, classes: Sequence[str]) -> int | None:
    return next((number for number, name in enumerate(classes) if _same(text, name)), None)


def _same(written: str, name: str) -> bool:
    """Whether a cell says `name`; what a spreadsheet would calculate has an apostrophe in front."""
    return written in (name.strip(), "'" + name.strip())
