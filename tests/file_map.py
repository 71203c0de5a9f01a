"""The file map of README.md, made from the first sentence of each file: `python tests/file_map.py` rewrites it."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- file map: python tests/file_map.py -->", "<!-- end of the file map -->"

FOLDERS = (
    *("core", "stats", "data", "models", "walk", "fit", "config", "runs", "network", "view", "cli"),
    *("training", "evaluation", "receptive_field", "layers_lab", "attribution", "trust", "inside", "report", "project"),
)
"""The foundation in the order of its dependences, then the subjects."""


def file_map() -> str:
    """The whole map: the folders, then a table for each package, in the order of the dependences."""
    others = [
        ("configs/", "configs to start from; each opens with what it is, its command and what to expect"),
        ("benchmarks/", "scripts that print both sides of a comparison and their ratio"),
        ("tests/", "mirrors `cnnlab/`; torch and other libraries as oracles"),
        ("docs/", "pictures, and the table of bad requests"),
        ("runs/", "where runs go; not under version control"),
    ]
    rows = [f"| [`{name}`]({name}) | {sentence} |" for name, sentence in others]
    parts = ["\n".join(["| folder | what it is |", "| --- | --- |", *rows])]
    parts.append(_folded("cnnlab/", "the package", (ROOT / "cnnlab").glob("*.py")))
    for folder in FOLDERS:
        sentence = sentence_of(ROOT / "cnnlab" / folder / "__init__.py")
        parts.append(_folded(f"cnnlab/{folder}/", sentence, (ROOT / "cnnlab" / folder).rglob("*.py")))
    return "\n\n".join(parts)


def _folded(folder: str, sentence: str, paths: Iterable[Path]) -> str:
    """The files of a folder, behind a line that opens them."""
    told = sorted(path for path in paths if _is_told(path))
    rows = [f"| [`{_short(path)}`]({path.relative_to(ROOT)}) | {sentence_of(path)} |" for path in told]
    table = "\n".join(["| file | what it is |", "| --- | --- |", *rows])
    return f"<details><summary><code>{folder}</code> {sentence}</summary>\n\n{table}\n\n</details>"


def _is_told(path: Path) -> bool:
    """Packages that only hold a docstring are told by their folder."""
    return path.name != "__init__.py" or len(ast.parse(path.read_text()).body) > 1


def _short(path: Path) -> str:
    parts = path.relative_to(ROOT / "cnnlab").parts
    return "/".join(parts[1:]) if len(parts) > 1 else parts[0]


def sentence_of(path: Path) -> str:
    """The first sentence of a module's docstring, on one line."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(doc.split("\n\n", 1)[0].split())
    first = re.split(r"(?<=\.)\s+(?=[A-Z])", paragraph, maxsplit=1)[0]
    return first.rstrip(".:").replace("|", "\\|")


def with_map(readme: str) -> str:
    """The README with a current map."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{file_map()}\n\n{END}{after}"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_map(path.read_text(encoding="utf-8")), encoding="utf-8")
