"""Imports follow cli → workflows → render, runs → config → reports → training, analysis → models, data → core.

A package imports from those to its right; packages on one level do not import each other.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cnnlab"
FILES = sorted(PACKAGE.rglob("*.py"))

LEVELS = (
    {"core"},
    {"models", "data"},
    {"training", "analysis"},
    {"reports"},
    {"config"},
    {"render", "runs"},
    {"workflows"},
    {"cli"},
    {"__main__"},
)
LEVEL = {package: level for level, packages in enumerate(LEVELS) for package in packages}
FORBIDDEN = {"analysis": {"data"}}
"""Beside the arrow: an analysis gets a model and tensors, whatever they come from."""

HEAVY = {"torch", "torchvision", "matplotlib", "tensorboard", "pydantic"}
LAZY = {"cli/training_progress.py"}
"""Imported inside a command only."""


def imports(tree: ast.AST, *, inside_functions: bool = True) -> Iterator[tuple[str, int]]:
    """(module, line) of each import; with `from a import b` both a and a.b, since b may be a module."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            yield node.module or "", node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif inside_functions or not runs_later(node):
            yield from imports(node, inside_functions=inside_functions)


def runs_later(node: ast.AST) -> bool:
    """Whether the inside of `node` is not run when its module is imported."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def package_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def problems(name: str, source: str) -> list[str]:
    """What is wrong with the imports of the file `name` (relative to the package)."""
    own = Path(name).with_suffix("").parts[0]
    tree, found = ast.parse(source), []
    for module, line in imports(tree):
        parts = module.split(".")
        if own == "core" and parts[0] in {"torch", "torchvision"}:
            found.append(f"{name}:{line}: core imports {module}")
        if parts[0] != "cnnlab" or len(parts) < 2 or parts[1] == own or parts[1] not in LEVEL:
            continue
        if LEVEL[parts[1]] >= LEVEL[own] or parts[1] in FORBIDDEN.get(own, ()):
            found.append(f"{name}:{line}: {own} imports {module}")
    if own == "cli" and name not in LAZY:
        for module, line in imports(tree, inside_functions=False):
            if module.split(".")[0] in HEAVY:
                found.append(f"{name}:{line}: {module} is imported before a command runs")
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_arrow(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        assert not list(imports(ast.parse(path.read_text())))
        return
    assert package_of(path) in LEVEL, f"{path}: a package that has no place in the arrow"
    assert problems(path.relative_to(PACKAGE).as_posix(), path.read_text()) == []


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("core/a.py", "import torch.nn", "core/a.py:1: core imports torch.nn"),
        ("data/a.py", "from cnnlab.models import build", "data/a.py:1: data imports cnnlab.models"),
        ("runs/a.py", "def f():\n    import cnnlab.render.png", "runs/a.py:2: runs imports cnnlab.render.png"),
        ("analysis/a.py", "from cnnlab import training", "analysis/a.py:1: analysis imports cnnlab.training"),
        ("analysis/a.py", "from cnnlab.data.dataset import D", "analysis/a.py:1: analysis imports cnnlab.data.dataset"),
        ("cli/a.py", "import torch", "cli/a.py:1: torch is imported before a command runs"),
        ("cli/a.py", "class A:\n  import torch", "cli/a.py:2: torch is imported before a command runs"),
        (
            "training/a.py",
            "from cnnlab.reports.blocks import R",
            "training/a.py:1: training imports cnnlab.reports.blocks",
        ),
    ],
)
def test_planted_violations_are_found(name: str, source: str, expected: str) -> None:
    assert expected in problems(name, source)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("training/a.py", "from cnnlab.data.batches import Batch\nfrom cnnlab.models.build import build"),
        ("reports/a.py", "from cnnlab.analysis.confusion import c\nfrom cnnlab.training.fit import fit"),
        ("cli/a.py", "def f():\n    import torch"),
        ("cli/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from torch import Tensor"),
        ("runs/a.py", "from cnnlab import __version__\nfrom cnnlab.config import Config"),
    ],
)
def test_what_is_allowed(name: str, source: str) -> None:
    assert problems(name, source) == []
