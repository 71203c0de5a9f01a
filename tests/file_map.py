"""The file map of README.md, made from the first sentence of each file: `python tests/file_map.py` rewrites it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- file map: python tests/file_map.py -->", "<!-- end of the file map -->"

FOLDERS = {
    "cli": "one file per command; imports torch only inside commands",
    "workflows": "what a command does, from config objects to facts and reports",
    "render": "draws a report: terminal, PNG, HTML, TensorBoard, JSON, CSV",
    "runs": "a run's folder",
    "reports": "facts arranged as text, numbers, tables and pictures",
    "training": "the loop, and what a config can name about it",
    "analysis": "pure functions from tensors to facts",
    "models": "layers by name, built from a list",
    "data": "pictures and labels",
    "core": "errors, located YAML, the registry, arithmetic; knows no torch",
}


def file_map() -> str:
    """The whole map: a table for each package, in the order of the dependences."""
    parts = [_table("", [path for path in _files("cnnlab") if path.name not in ("__main__.py", "py.typed")])]
    for folder, sentence in FOLDERS.items():
        inside = sorted(p for p in (ROOT / "cnnlab" / folder).rglob("*.py"))
        parts.append(_table(f"**`cnnlab/{folder}/`**: {sentence}", [p for p in inside if _is_told(p)]))
    others = [
        ("configs/", "configs to start from; each opens with what it is, its command and what to expect"),
        ("benchmarks/", "scripts that print both sides of a comparison and their ratio"),
        ("tests/", "mirrors `cnnlab/`; torch and other libraries as oracles"),
        ("docs/", "pictures, and the table of bad requests"),
        ("runs/", "where runs go; not under version control"),
    ]
    rows = "\n".join(f"| [`{name}`]({name}) | {sentence} |" for name, sentence in others)
    return "\n\n".join([*parts, f"**Beside the package**\n\n| path | what it is |\n| --- | --- |\n{rows}"])


def _files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).glob("*.py"))


def _is_told(path: Path) -> bool:
    """Packages that only hold a docstring are told by their folder."""
    return path.name != "__init__.py" or len(ast.parse(path.read_text()).body) > 1


def _table(heading: str, paths: list[Path]) -> str:
    rows = [
        f"| [`{_short(path)}`]({path.relative_to(ROOT)}) | {sentence_of(path)} |" for path in paths if _is_told(path)
    ]
    return "\n".join([*([heading, ""] if heading else []), "| file | what it is |", "| --- | --- |", *rows])


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
