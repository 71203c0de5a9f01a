"""The house: subjects over a foundation.

A package imports from those on lower levels; packages on one level do not import each other, except along the written
edges. Files import each other in no circle.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from house import FOUNDATION, SUBJECTS

PACKAGE = Path(__file__).parent.parent / "cnnlab"
FILES = sorted(PACKAGE.rglob("*.py"))

LEVELS = (*FOUNDATION, set(SUBJECTS), {"report"}, {"textbook"}, {"wiring"}, {"api"}, {"main"}, {"__main__"})
LEVEL = {package: level for level, packages in enumerate(LEVELS) for package in packages}
EDGES = {
    ("check_model", "attribution"),
    ("check_model", "receptive_field"),
    ("deploy", "attribution"),
    ("deploy", "evaluation"),
    ("deploy", "rejection"),
    ("evaluation", "rejection"),
    ("evaluation", "training"),
    ("inside", "attribution"),
    ("inside", "receptive_field"),
    ("landscape", "evaluation"),
    ("layers_lab", "receptive_field"),
    ("probe", "layers_lab"),
    ("probe", "receptive_field"),
    ("probe", "training"),
    ("receptive_field", "training"),
    ("project", "training"),
    ("recipe", "training"),
    ("speed", "attribution"),
    ("speed", "training"),
    ("trust", "attribution"),
    ("trust", "evaluation"),
    ("trust", "training"),
}
"""From subject to subject; a new one is a decision."""

ROLES = {"run": 1, "report": 1, "contribution": 1, "command": 2}
"""Inside a subject: computation imports neither `run`, `report`, `contribution` nor `command`; these no `command`."""

RUNS = {
    "cnnlab.attribution.document",
    "cnnlab.attribution.files",
    "cnnlab.evaluation.compare",
    "cnnlab.probe.norm.parts",
    "cnnlab.probe.norm.training_report",
    "cnnlab.receptive_field.drawings",
    "cnnlab.report.contributors",
    "cnnlab.receptive_field.effective.views",
    "cnnlab.receptive_field.study",
    "cnnlab.training.continuation",
    "cnnlab.training.events",
    "cnnlab.training.progress",
    "cnnlab.training.proxy",
    "cnnlab.training.repeat",
    "cnnlab.training.report_files",
    "cnnlab.training.course",
    "cnnlab.training.loop",
    "cnnlab.training.trial_process",
    "cnnlab.training.trial_processes",
    "cnnlab.training.trials",
    "cnnlab.trust.sample",
    "cnnlab.trust.sanity.labels",
}
"""Of the same role as a `run`: they read and write, and put computations together."""

HEAVY = {"torch", "torchvision", "matplotlib", "tensorboard", "pydantic"}
LAZY: set[str] = set()
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


def role(module: str) -> int:
    """0 for computation, 1 for what runs it and reports on it, 2 for its command line."""
    leaf = module.rsplit(".", 1)[-1]
    if module in RUNS:
        return 1
    if leaf in ROLES:
        return ROLES[leaf]
    return next((ROLES[name] for name in ROLES if leaf.endswith(f"_{name}")), 0)


def is_command(name: str) -> bool:
    """Whether a file is imported whenever `cnnlab` starts."""
    return name.startswith("cli/") or name == "main.py" or role(Path(name).stem) == 2


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
        if (own, parts[1]) not in EDGES and LEVEL[parts[1]] >= LEVEL[own]:
            found.append(f"{name}:{line}: {own} imports {module}")
    if is_command(name) and name not in LAZY:
        for module, line in imports(tree, inside_functions=False):
            if module.split(".")[0] in HEAVY:
                found.append(f"{name}:{line}: {module} is imported before a command runs")
    return list(dict.fromkeys(found))


@cache
def modules() -> dict[str, Path]:
    """The files of the package by what Python calls them."""
    named = {}
    for path in FILES:
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


@cache
def graph() -> dict[str, set[str]]:
    """Which files each file imports, also inside functions and for types only."""
    known = modules()
    found = {}
    for name, path in known.items():
        targets = {module for module, _ in imports(ast.parse(path.read_text()))}
        found[name] = {target for target in targets if target in known and known[target].name != "__init__.py"} - {name}
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Files that import each other in a circle, the first one found; none where there is none."""
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> list[str]:
        if node in path:
            return path[path.index(node) :]
        if node in done:
            return []
        for target in sorted(graph.get(node, ())):
            if found := visit(target, [*path, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := visit(node, []))), [])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_arrow(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        at_once = {module for module, _ in imports(ast.parse(path.read_text()), inside_functions=False)}
        assert {module for module in at_once if module.split(".")[0] != "typing"} == {
            "cnnlab.core.lazy",
            "cnnlab.core.lazy.lazily",
        }
        return
    assert package_of(path) in LEVEL, f"{path}: a package that has no place in the arrow"
    assert problems(path.relative_to(PACKAGE).as_posix(), path.read_text()) == []


def test_every_written_edge_is_used() -> None:
    used = {(name.split(".")[1], target.split(".")[1]) for name, targets in graph().items() for target in targets
            if "." in name}  # fmt: skip
    assert used >= EDGES


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circle(graph()) == []


def test_inside_a_subject_computation_knows_neither_report_nor_command() -> None:
    found = [
        f"{name} imports {target}"
        for name, targets in graph().items()
        for target in targets
        if name.count(".")
        and name.split(".")[1] in {*SUBJECTS, "report", "textbook"}
        and name.split(".")[1] == target.split(".")[1]
        if role(target) > role(name) or (role(target) == 2 and role(name) == 1)
    ]
    assert sorted(found) == []


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("core/a.py", "import torch.nn", "core/a.py:1: core imports torch.nn"),
        ("data/a.py", "from cnnlab.models import build", "data/a.py:1: data imports cnnlab.models"),
        ("runs/a.py", "def f():\n    import cnnlab.network", "runs/a.py:2: runs imports cnnlab.network"),
        ("walk/a.py", "from cnnlab import fit", "walk/a.py:1: walk imports cnnlab.fit"),
        ("view/a.py", "from cnnlab.data.dataset import D", "view/a.py:1: view imports cnnlab.data.dataset"),
        ("cli/a.py", "import torch", "cli/a.py:1: torch is imported before a command runs"),
        ("trust/command.py", "class A:\n  import torch", "trust/command.py:2: torch is imported before a command runs"),
        ("network/a.py", "from cnnlab.trust.b import R", "network/a.py:1: network imports cnnlab.trust.b"),
        ("training/a.py", "from cnnlab.trust.b import R", "training/a.py:1: training imports cnnlab.trust.b"),
        ("inside/a.py", "from cnnlab.report.run import R", "inside/a.py:1: inside imports cnnlab.report.run"),
    ],
)  # fmt: skip
def test_planted_violations_are_found(name: str, source: str, expected: str) -> None:
    assert expected in problems(name, source)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("fit/a.py", "from cnnlab.data.batches import Batch\nfrom cnnlab.models.build import build"),
        ("trust/a.py", "from cnnlab.attribution.attribution import c\nfrom cnnlab.fit.fit import fit"),
        ("inside/a/command.py", "def f():\n    import torch"),
        ("cli/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from torch import Tensor"),
        ("runs/a.py", "from cnnlab import __version__\nfrom cnnlab.config.config import Config"),
        ("report/a.py", "from cnnlab.trust.sanity.run import sanity"),
    ],
)
def test_what_is_allowed(name: str, source: str) -> None:
    assert problems(name, source) == []


def test_a_planted_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
