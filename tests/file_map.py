"""Where things are, from the first sentence of each file: docs/files.md, and the table of folders in README.md.

`python tests/file_map.py` rewrites these two; `make docs` writes every page that is made from the code.
"""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from house import FOUNDATION, SUBJECTS

ROOT = Path(__file__).parent.parent
README, PAGE = ROOT / "README.md", ROOT / "docs" / "files.md"
BEGIN, END = "<!-- folders: python tests/file_map.py -->", "<!-- end of the folders -->"

OTHERS = {
    "configs/": "configs to start from; each opens with what it is, its command and what to expect",
    "tests/": "mirrors `cnnlab/`; torch and other libraries as oracles",
    "docs/": "how to do things, references made from the code, figures",
    "benchmarks/": "scripts that print both sides of a comparison and their ratio",
    "runs/": "where runs go; not under version control",
}
"""The folders beside the package."""

TOGETHER = ("core", "stats"), ("data", "models", "walk", "view"), ("fit", "config", "runs"), ("network", "cli")
"""Packages of the foundation that share a row of the README, in the order of their levels."""

BESIDE = {"training": ("speed",)}
"""Subjects that share a row with another."""

ABOVE = ("report", "textbook", "api")
"""Packages above the subjects."""

HEAD = """\
# The files

Every file of the package by the first sentence of its docstring: the foundation in the order in which its packages may
import each other, then the subjects. [architecture.md](architecture.md) walks one command through them.
"""


def packages() -> tuple[str, ...]:
    """The packages of `cnnlab` in the order of the dependences."""
    foundation = [name for row in TOGETHER for name in row]
    known = set().union(*FOUNDATION)
    assert set(foundation) == known, f"TOGETHER and FOUNDATION differ in {set(foundation) ^ known}"
    return (*foundation, *SUBJECTS, *ABOVE)


def folders() -> str:
    """The table of the README: a row for a few packages of the foundation, for each subject and beside the package."""
    rows = [_row([f"cnnlab/{name}/" for name in row], _together(row)) for row in TOGETHER]
    second = {name for names in BESIDE.values() for name in names}
    for name in (*SUBJECTS, *ABOVE):
        if name not in second:
            row = (name, *BESIDE.get(name, ()))
            rows.append(_row([f"cnnlab/{one}/" for one in row], _together(row) if row[1:] else _sentence(name)))
    beside = list(OTHERS)[:-1]
    rows += [_row(pair, "; ".join(OTHERS[name] for name in pair)) for pair in (beside[:2], beside[2:])]
    return "\n".join(["| folder | what it is |", "| --- | --- |", *rows])


def _row(paths: Iterable[str], sentence: str) -> str:
    return f"| {', '.join(f'[`{path}`]({path})' for path in paths)} | {sentence} |"


def _together(names: Iterable[str]) -> str:
    """The sentences of several packages in one, each up to its colon."""
    first, *more = (_sentence(name).split(":")[0].split(",")[0] for name in names)
    return "; ".join([first, *(sentence[0].lower() + sentence[1:] for sentence in more)])


def _sentence(package: str) -> str:
    return sentence_of(ROOT / "cnnlab" / package / "__init__.py")


def file_map() -> str:
    """The page: the folders beside the package, then a table for each package of it."""
    parts = [HEAD, _table("folder", {f"../{name}": (name, sentence) for name, sentence in OTHERS.items()})]
    parts.append(_part("cnnlab", "the package", (ROOT / "cnnlab").glob("*.py")))
    for name in packages():
        parts.append(_part(f"cnnlab/{name}", _sentence(name), (ROOT / "cnnlab" / name).rglob("*.py")))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _part(folder: str, sentence: str, paths: Iterable[Path]) -> str:
    told = sorted(path for path in paths if _is_told(path))
    rows = {f"../{path.relative_to(ROOT)}": (_short(path), sentence_of(path)) for path in told}
    return f"## {folder}\n\n{sentence}.\n\n{_table('file', rows)}"


def _table(head: str, rows: dict[str, tuple[str, str]]) -> str:
    lines = [f"| [`{name}`]({link}) | {sentence} |" for link, (name, sentence) in rows.items()]
    return "\n".join([f"| {head} | what it is |", "| --- | --- |", *lines])


def _is_told(path: Path) -> bool:
    """Packages that only hold a docstring are told by their folder."""
    return path.name != "__init__.py" or len(ast.parse(path.read_text(encoding="utf-8")).body) > 1


def _short(path: Path) -> str:
    parts = path.relative_to(ROOT / "cnnlab").parts
    return "/".join(parts[1:]) if len(parts) > 1 else parts[0]


def sentence_of(path: Path) -> str:
    """The first sentence of a module's docstring, on one line."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(doc.split("\n\n", 1)[0].split())
    first = re.split(r"(?<=\.)\s+(?=[A-Z])", paragraph, maxsplit=1)[0]
    return first.rstrip(".:").replace("|", "\\|")


def with_folders(readme: str) -> str:
    """The README with a current table of folders."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{folders()}\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_folders(README.read_text(encoding="utf-8")), encoding="utf-8")
    PAGE.write_text(file_map(), encoding="utf-8")
