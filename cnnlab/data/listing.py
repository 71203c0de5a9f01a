"""Which pictures a data set has, and their labels: read from class folders or from a CSV; no picture is opened."""

import csv
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnlab.core.errors import RequestError, did_you_mean
from cnnlab.data.decoding import SUFFIXES

SHOWN = 10
"""Mistakes that a message lists; it counts the others."""


@dataclass(frozen=True)
class Listing:
    """One entry per picture: `names` are relative to the folder or as in the CSV, with forward slashes."""

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    left_out: tuple[str, ...] = ()
    """A sentence for each kind of file that is there and not used."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels that occur, in alphabetical order."""
        return tuple(sorted(set(self.labels)))


def list_pictures(path: Path) -> Listing:
    """The pictures of a folder of class folders, or of a CSV `path,label[,group]`.

    Raises: RequestError for a path that is missing or neither of the two, for folders without pictures, and for each
    line of a CSV that is wrong.
    """
    if path.is_dir():
        return _list_folder(path)
    if not path.exists():
        raise RequestError(f"{path}: no such folder or CSV file")
    if path.suffix.lower() != ".csv":
        raise RequestError(
            f"{path}: expected a folder of class folders, or a .csv file with the columns path and label"
        )
    return _list_csv(path)


def group_by_pattern(listing: Listing, pattern: re.Pattern[str]) -> tuple[str, ...]:
    """What the pattern's only capture finds in each name.

    Raises: RequestError when a name does not match.
    """
    found = [pattern.search(name) for name in listing.names]
    wrong = [name for name, match in zip(listing.names, found, strict=True) if match is None or match[1] is None]
    if wrong:
        raise RequestError(
            f"'groups': {pattern.pattern} does not match {len(wrong):,} of {len(found):,} paths, such as {wrong[0]}"
        )
    return tuple(match[1] for match in found if match)


def _list_folder(root: Path) -> Listing:
    folders = sorted(child for child in root.iterdir() if child.is_dir() and not child.name.startswith("."))
    if not folders:
        raise RequestError(f"{root}: has no class folders; expected one folder per class, with its pictures inside")
    paths: list[Path] = []
    labels: list[str] = []
    others: list[str] = []
    for folder in folders:
        pictures, rest = _files_below(folder)
        paths += pictures
        labels += [folder.name] * len(pictures)
        others += [file.relative_to(root).as_posix() for file in rest]
    if not paths:
        raise RequestError(f"{root}: no pictures in its class folders; their names should end in {', '.join(SUFFIXES)}")
    if empty := [folder.name for folder in folders if folder.name not in set(labels)]:
        raise RequestError(f"{root}: no pictures in the class folder {_some(empty)}; fill it or remove it")
    loose = sorted(child.name for child in root.iterdir() if child.suffix.lower() in SUFFIXES and child.is_file())
    left_out = [
        f"{len(names)} left out, {reason}: {_some(names)}"
        for names, reason in ((others, "no pictures by their names"), (loose, "in no class folder"))
        if names
    ]
    names = tuple(path.relative_to(root).as_posix() for path in paths)
    return Listing(tuple(paths), names, tuple(labels), left_out=tuple(left_out))


def _files_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """(Pictures, other files) at any depth, sorted; hidden ones and links to folders are passed over."""
    pictures: list[Path] = []
    others: list[Path] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.startswith(".") or name in ("Thumbs.db", "desktop.ini"):
                continue
            path = Path(parent, name)
            (pictures if path.suffix.lower() in SUFFIXES else others).append(path)
    return pictures, others


def _list_csv(table: Path) -> Listing:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [column.strip() for column in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except UnicodeDecodeError as error:
        raise RequestError(f"{table}: is not UTF-8 text (byte {error.start})") from None
    except csv.Error as error:
        raise RequestError(f"{table}: is not a CSV file: {error}") from None
    except OSError as error:
        raise RequestError(f"{table}: cannot be read: {error.strerror}") from None
    _check_header(table, header)
    if not rows:
        raise RequestError(f"{table}: has a header and no rows")

    problems: list[str] = []
    first_lines: dict[Path, int] = {}
    names, labels, groups = [], [], []
    for line, row in rows:
        cells = dict(zip(header, map(str.strip, row), strict=False))
        missing = [column for column in ("path", "label", "group") if column in header and not cells.get(column)]
        path = table.parent / cells.get("path", "")
        if missing:
            problems.append(f"{table}:{line}: no {' and no '.join(missing)}")
        elif not path.is_file():
            problems.append(f"{table}:{line}: no such file: {path}")
        elif path in first_lines:
            problems.append(f"{table}:{line}: {cells['path']} is given twice; first on line {first_lines[path]}")
        else:
            first_lines[path] = line
            names.append(cells["path"].replace("\\", "/"))
            labels.append(cells["label"])
            groups.append(cells.get("group", ""))
    if problems:
        more = [f"and {len(problems) - SHOWN:,} lines more"] if len(problems) > SHOWN else []
        raise RequestError("\n".join(problems[:SHOWN] + more))
    return Listing(tuple(first_lines), tuple(names), tuple(labels), tuple(groups) if "group" in header else None)


def _check_header(table: Path, header: Sequence[str]) -> None:
    for column in ("path", "label"):
        if column not in header:
            found = ", ".join(header) or "nothing"
            hint = " Separate the columns with commas." if len(header) == 1 and re.search(r"[;\t|]", header[0]) else ""
            raise RequestError(
                f"{table}:1: no column '{column}'; the first line has {found}, expected path,label[,group]."
                f"{hint or did_you_mean(column, header)}"
            )
    if twice := [column for column in ("path", "label", "group") if header.count(column) > 1]:
        raise RequestError(f"{table}:1: the column '{twice[0]}' is given twice")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
