"""Which images a data set has, and their labels: read from class folders or from a CSV; no image is opened."""

import csv
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from itertools import chain
from pathlib import Path

from cnnlab.core.characters import some
from cnnlab.core.errors import RequestError, did_you_mean
from cnnlab.core.patterns import captured
from cnnlab.core.reading import read_file, refusals_told
from cnnlab.data.decoding import SUFFIXES

SHOWN = 10
"""Mistakes that a message lists; it counts the others."""

MAX_BYTES = 500_000_000
"""Largest size of a CSV: some millions of lines."""

COLUMNS = ("path", "label", "group", "part")
"""Columns of a CSV; the last two need not be there."""

PART_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "eval"),
}
"""What parts are called, in folders and in a CSV's column, in any case of the letters."""

OF_SYSTEMS = {
    *("__macosx", "@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "system volume information"),
    *("lost+found", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
}
"""What operating systems, servers and programs put beside a person's own files, in lower case."""


def is_own(name: str) -> bool:
    """Whether a file or folder of this name is a person's own: neither hidden nor put there by a system."""
    return not name.startswith((".", "~$")) and name.lower() not in OF_SYSTEMS


def subfolders(folder: Path) -> list[Path]:
    """The folders in `folder` that are a person's own, sorted; links to folders among them."""
    return sorted(child for child in folder.iterdir() if child.is_dir() and is_own(child.name))


@dataclass(frozen=True)
class Listing:
    """One entry per image: `names` are relative to the folder or as in the CSV, with forward slashes."""

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

    @staticmethod
    def joined(listings: Iterable["Listing"]) -> "Listing":
        """One after the other.

        Raises: RequestError where some have groups and others have none.
        """
        parts = list(listings)
        if len({part.groups is None for part in parts}) > 1:
            raise RequestError("one part has a column 'group' and another has none; give both one, or none")
        groups = [part.groups for part in parts if part.groups is not None]
        return Listing(
            paths=tuple(chain.from_iterable(part.paths for part in parts)),
            names=tuple(chain.from_iterable(part.names for part in parts)),
            labels=tuple(chain.from_iterable(part.labels for part in parts)),
            groups=tuple(chain.from_iterable(groups)) if groups else None,
            left_out=tuple(chain.from_iterable(part.left_out for part in parts)),
        )


def list_images(path: Path, *, without: Sequence[Path] = (), part: str | None = None) -> Listing:
    """The images of a folder of class folders, or of a CSV `path,label[,group][,part]`.

    without: folders that are no classes, because they are other parts.
    part: which rows are meant, of a CSV with a column `part`; all without it.

    Raises: RequestError for a path that is missing or neither of the two, for folders without images, and for each
    line of a CSV that is wrong.
    """
    if path.is_dir():
        return _list_folder(path, {other.resolve() for other in without})
    if not path.exists():
        raise RequestError(f"{path}: no such folder or CSV file")
    if path.suffix.lower() != ".csv":
        raise RequestError(
            f"{path}: expected a folder of class folders, or a .csv file with the columns path and label"
        )
    return _list_csv(path, part)


def compare(training: Listing, other: Listing, path: Path, part: str) -> list[str]:
    """A sentence for each thing about the part `other`, which lies at `path`, that makes its figures worth less.

    Raises: RequestError for classes that the training part lacks: a network could never answer with them.
    """
    if strange := [label for label in other.classes if label not in training.classes]:
        kind = "class" if len(strange) == 1 else "classes"
        near = did_you_mean(strange[0], training.classes)
        raise RequestError(
            f"{path}: has the {kind} {some(strange)}, which the training part lacks; it has "
            f"{some(training.classes)}{near and '.' + near}"
        )
    remarks = []
    if absent := [label for label in training.classes if label not in other.classes]:
        kind = "class" if len(absent) == 1 else "classes"
        remarks.append(f"{path}: the {part} part has no images of the {kind} {some(absent)}")
    files = set(map(_identity, training.paths))
    if doubles := [name for name, file in zip(other.names, other.paths, strict=True) if _identity(file) in files]:
        remarks.append(f"{path}: {len(doubles):,} files of the {part} part are trained on as well: {some(doubles)}")
    if shared := sorted(set(training.groups or ()) & set(other.groups or ())):
        kind = "group is" if len(shared) == 1 else "groups are"
        remarks.append(f"{path}: {len(shared):,} {kind} in the training part and in the {part} part: {some(shared)}")
    return remarks


def _identity(path: Path) -> object:
    """A key that is the same for a file, a link to it, and another name of it."""
    try:
        status = path.stat()
    except OSError:  # a link that leads nowhere
        return os.path.abspath(path)
    return status.st_dev, status.st_ino


def group_by_pattern(listing: Listing, pattern: str) -> tuple[str, ...]:
    """What the pattern's only capture finds in each name.

    Raises: RequestError when a name does not match, or when searching does not end.
    """
    found = captured(pattern, listing.names)
    if wrong := [name for name, group in zip(listing.names, found, strict=True) if group is None]:
        raise RequestError(
            f"'groups': {pattern} does not match {len(wrong):,} of {len(found):,} paths, such as {wrong[0]}"
        )
    return tuple(group for group in found if group is not None)


def _list_folder(root: Path, without: set[Path]) -> Listing:
    folders = [folder for folder in subfolders(root) if folder.resolve() not in without]
    if not folders:
        tables = sorted(child.name for child in root.iterdir() if child.suffix.lower() == ".csv")
        hint = f". To use a CSV, name it itself: {some(tables)}" if tables else ""
        raise RequestError(f"{root}: has no class folders; expected one folder per class, with its images inside{hint}")
    for folder in folders:
        try:
            folder.name.encode()
        except UnicodeEncodeError:  # a class stands in files, pages and events, which are UTF-8
            shown = os.fsencode(folder.name).decode("utf-8", "backslashreplace")
            raise RequestError(f"{root}: the name of the class folder '{shown}' is no UTF-8 text; rename it") from None
    paths: list[Path] = []
    labels: list[str] = []
    others: list[str] = []
    links: list[str] = []
    for folder in folders:
        images, rest = files_below(folder)
        paths += images
        labels += [folder.name] * len(images)
        for file in rest:
            (links if file.is_dir() else others).append(file.relative_to(root).as_posix())
    if not paths:
        raise RequestError(f"{root}: no images in its class folders; their names should end in {', '.join(SUFFIXES)}")
    if empty := [folder.name for folder in folders if folder.name not in set(labels)]:
        raise RequestError(f"{root}: no images in the class folder {some(empty)}; fill it or remove it")
    loose = sorted(child.name for child in root.iterdir() if _is_image(child.name) and child.is_file())
    left_out = [
        f"{len(names)} left out, {reason}: {some(names)}"
        for names, reason in (
            (others, "no images by their names"),
            (links, "links to folders inside a class"),
            (loose, "in no class folder"),
        )
        if names
    ]
    names = tuple(path.relative_to(root).as_posix() for path in paths)
    return Listing(tuple(paths), names, tuple(labels), left_out=tuple(left_out))


def files_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """(Images, other files and links to folders) at any depth, sorted; what is hidden or a system's is left out.

    Raises: RequestError for a folder that cannot be opened.
    """
    images: list[Path] = []
    others: list[Path] = []

    def refuse(error: OSError) -> None:
        raise RequestError(f"{error.filename}: cannot be read: {error.strerror}") from None

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(filter(is_own, folders))
        others += [Path(parent, name) for name in folders if os.path.islink(Path(parent, name))]
        for name in sorted(filter(is_own, files)):
            (images if _is_image(name) else others).append(Path(parent, name))
    return images, others


def _is_image(name: str) -> bool:
    return is_own(name) and Path(name).suffix.lower() in SUFFIXES


def _list_csv(table: Path, part: str | None) -> Listing:
    header, rows = rows_of(table)
    _check_header(table, header)
    if not rows:
        raise RequestError(f"{table}: has a header and no rows")

    problems: list[str] = []
    first_lines: dict[Path, int] = {}
    chosen, names, labels, groups = [], [], [], []
    for line, row in rows:
        cells = dict(zip(header, map(str.strip, row), strict=False))
        missing = [column for column in COLUMNS if column in header and not cells.get(column)]
        path = table.parent / cells.get("path", "")
        if missing:
            problems.append(f"{table}:{line}: no {' and no '.join(missing)}")
        elif not path.is_file():
            problems.append(f"{table}:{line}: no such file: {path}")
        elif path in first_lines:
            problems.append(f"{table}:{line}: {cells['path']} is given twice; first on line {first_lines[path]}")
        else:
            first_lines[path] = line
            if part is None or part_called(cells["part"]) == part:
                chosen.append(path)
                names.append(cells["path"].replace("\\", "/"))
                labels.append(cells["label"])
                groups.append(cells.get("group", ""))
    if problems:
        more = [f"and {len(problems) - SHOWN:,} lines more"] if len(problems) > SHOWN else []
        raise RequestError(*problems[:SHOWN], *more)
    more = [column for column in header if column and column not in COLUMNS]
    used = "path, label, group and part"
    left_out = (f"{table}: of its columns only {used} are used, not {some(more)}",) if more else ()
    return Listing(tuple(chosen), tuple(names), tuple(labels), tuple(groups) if "group" in header else None, left_out)


def part_called(word: str) -> str | None:
    """The part that a person calls so: `train`, `validation` or `test`; None for any other word."""
    return next((part for part, words in PART_NAMES.items() if word.lower() in words), None)


def parts_in(table: Path) -> tuple[str, ...]:
    """The parts in a CSV's column `part`; none where it has no such column, or is no CSV.

    Raises: RequestError for a word that is no part's, and where no row is of the training part.
    """
    if table.suffix.lower() != ".csv" or not table.is_file():
        return ()
    header, rows = rows_of(table)
    if header.count("part") != 1:
        return ()
    place, found = header.index("part"), set()
    for line, row in rows:
        word = row[place].strip() if place < len(row) else ""
        part = part_called(word)
        if word and part is None:
            known = some([name for names in PART_NAMES.values() for name in names])
            raise RequestError(f"{table}:{line}: the part '{word}' is none; expected one of {known}")
        found.add(part or "train")  # a row without a part is told when the rows are listed
    if rows and "train" not in found:
        raise RequestError(f"{table}: no row is of the part train; a network has to learn from some")
    return tuple(part for part in PART_NAMES if part in found)


def rows_of(table: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header of a CSV, and its rows with their line numbers.

    Raises: RequestError where it is no CSV.
    """
    try:
        with refusals_told(table):
            content = BytesIO(read_file(table, at_most=MAX_BYTES))
        with TextIOWrapper(content, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [column.strip() for column in next(reader, [])]
            return header, [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except UnicodeDecodeError as error:
        raise RequestError(f"{table}: is not UTF-8 text (byte {error.start})") from None
    except csv.Error as error:
        raise RequestError(f"{table}: is not a CSV file: {error}") from None


def _check_header(table: Path, header: Sequence[str]) -> None:
    for column in ("path", "label"):
        if column not in header:
            found = ", ".join(header) or "nothing"
            hint = " Separate the columns with commas." if len(header) == 1 and re.search(r"[;\t|]", header[0]) else ""
            raise RequestError(
                f"{table}:1: no column '{column}'; the first line has {found}, expected path,label[,group]."
                f"{hint or did_you_mean(column, header)}"
            )
    if twice := [column for column in COLUMNS if header.count(column) > 1]:
        raise RequestError(f"{table}:1: the column '{twice[0]}' is given twice")
