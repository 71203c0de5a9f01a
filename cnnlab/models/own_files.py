"""The Python files that a user's own network needs: its own, and those beside it that it imports."""

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from cnnlab.core.reading import read_file, refusals_told

MAX_BYTES = 4_000_000
"""Largest size of a Python file: no file that a person wrote is larger."""
KNOWN = {"torch", "torchvision", "numpy", "PIL", "cnnlab"}
"""Packages that are there wherever a run is opened, beside Python's own."""


@dataclass(frozen=True)
class OwnFiles:
    """A network's file with those that it imports from its own folder or package, from file to file."""

    root: Path
    """The folder at which their names start: the network's own, or the one that its package lies in."""
    paths: tuple[Path, ...]
    """The network's file first."""
    elsewhere: tuple[str, ...]
    """Names of packages that they import besides: not Python's own, and not `KNOWN`."""

    @property
    def names(self) -> tuple[str, ...]:
        """The files by their names from `root` on."""
        return tuple(path.relative_to(self.root).as_posix() for path in self.paths)

    @property
    def module_names(self) -> frozenset[str]:
        """The first part of each module's name, as it is imported."""
        starts = {self.root, self.paths[0].parent}
        inside = [path.relative_to(start) for start in starts for path in self.paths if path.is_relative_to(start)]
        return frozenset(path.parts[0].removesuffix(".py") for path in inside) - {"__init__"}

    @cached_property
    def digest(self) -> str:
        """Of what is in all of them, as they are now."""
        state = blake2b(digest_size=8)
        for name, content in self.contents().items():
            state.update(f"{name} {len(content)} ".encode() + content)
        return state.hexdigest()

    def contents(self) -> dict[str, bytes]:
        """What is in each file, by its name."""
        found = {}
        for name, path in zip(self.names, self.paths, strict=True):
            with refusals_told(path):
                found[name] = read_file(path, at_most=MAX_BYTES)
        return found


def own_files(path: Path) -> OwnFiles:
    """The files that the network in the file `path` is made of, found without running them.

    Raises: RequestError where one cannot be read.
    """
    root = _root(path)
    found, elsewhere = [path], set[str]()
    folder = path.parent
    while folder != root:
        found.append(folder / "__init__.py")
        folder = folder.parent
    for file in found:  # which grows
        for level, module, names in _imports(file):
            start = list(file.parents[level - 1 : level]) if level else [path.parent, root]
            # `from a import b` may import the module a.b
            inside = [inner for folder in start for inner in _modules(folder, module, names)]
            found += [one for one in dict.fromkeys(inside) if one not in found and one.is_relative_to(root)]
            if not level and not inside:
                elsewhere.add(module.partition(".")[0])
    return OwnFiles(root, tuple(found), tuple(sorted(elsewhere - KNOWN - sys.stdlib_module_names)))


def installed(module: str) -> str:
    """The version and the file of a module that can be imported, as far as they are told: `1.2.0, /…/nets.py`."""
    names = metadata.packages_distributions().get(module.partition(".")[0], [])
    spec = find_spec(module)
    facts = [metadata.version(names[0]) if names else "", (spec.origin or "") if spec else ""]
    return ", ".join(fact for fact in facts if fact) or "of unknown version"


def _root(path: Path) -> Path:
    """The folder of `path`; of a file with relative imports, the one that its outermost package lies in."""
    folder = path.parent
    if any(level for level, _, _ in _imports(path)):
        while (folder / "__init__.py").is_file():
            folder = folder.parent
    return folder


def _imports(path: Path) -> Iterator[tuple[int, str, Sequence[str]]]:
    """(level, module, names) of each import in a file, wherever it stands; nothing of one that is no Python."""
    try:
        tree = ast.parse(read_file(path, at_most=MAX_BYTES))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", [alias.name for alias in node.names]


def _modules(folder: Path, module: str, names: Sequence[str]) -> list[Path]:
    """The files in `folder` of a dotted module, its packages before it, and of `names` in it that are modules."""
    found, place = [], folder
    parts = [part for part in module.split(".") if part]
    for number, part in enumerate(parts):
        if (place / part / "__init__.py").is_file():
            found.append(place / part / "__init__.py")
        elif not (place / part).is_dir():
            file = place / f"{part}.py"
            return [*found, file] if file.is_file() and number == len(parts) - 1 else found
        place /= part
    if not parts and (place / "__init__.py").is_file():
        found.append(place / "__init__.py")
    for name in names:
        found += [one for one in (place / f"{name}.py", place / name / "__init__.py") if one.is_file()]
    return found
