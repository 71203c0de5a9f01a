"""A user's own Python files that register layers.

Loading one runs its code: whoever calls this has asked for permission (`--allow-plugins`).
"""

import sys
import traceback
from collections.abc import Sequence
from hashlib import blake2b
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

from cnnlab.core.errors import RequestError
from cnnlab.core.reading import read_file
from cnnlab.core.registry import Entry, Registry
from cnnlab.models.catalog import INITIALIZATIONS, LAYERS

REGISTRIES = (LAYERS, INITIALIZATIONS)
IMPORT_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError, NameError, OSError,
    RuntimeError, SyntaxError, SystemExit, TypeError, ValueError,
)  # fmt: skip
"""What importing a file may raise; SystemExit, because one that calls `exit()` must not end the program."""

MAX_BYTES = 4_000_000
"""Largest size of a plugin: no Python that a person wrote is larger."""

_loaded: dict[Path, str] = {}
"""The module name of each file that is loaded: it follows from the content."""


def load_plugins(paths: Sequence[str], base: Path) -> None:
    """Import each of `paths` (relative ones from `base`), so that the layers which they register are known.

    A file that is loaded already is left alone; one that has changed since is loaded anew, its earlier layers
    forgotten.

    Raises: RequestError for a file that is missing or not Python text, and, with its line, for one whose import
    fails; nothing that it registered stays then.
    """
    for given in paths:
        _load((base / given).resolve(), given)


def forget_plugins() -> None:
    """Take every layer and initialisation that a plugin registered out again, as in a process that has loaded none."""
    for name in list(_loaded.values()):
        _forget(name)
    _loaded.clear()


def _load(path: Path, given: str) -> None:
    try:
        content = read_file(path, at_most=MAX_BYTES)
    except FileNotFoundError:
        raise RequestError(f"no plugin file '{given}' (looked at {path})") from None
    except OSError as error:
        raise RequestError(f"the plugin '{given}' cannot be read: {error.strerror} ({path})") from None
    name = f"cnnlab_plugin_{path.stem}_{blake2b(content, digest_size=6).hexdigest()}"
    if name in _loaded.values():
        _loaded[path] = name
        return
    if path in _loaded:
        _forget(_loaded.pop(path))
    loader = SourceFileLoader(name, str(path))
    spec = spec_from_loader(name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up there
    try:
        exec(loader.source_to_code(content, str(path)), module.__dict__)
        for entry in _entries(name):
            _ = entry.options  # an option whose type cannot be checked is the file's mistake, too
    except IMPORT_FAILURES as error:
        _forget(name)
        raise RequestError(f"{_place(error, path)}: the plugin '{given}' cannot be loaded: {_reason(error)}") from error
    _loaded[path] = name


def _entries(module: str) -> list[Entry]:
    return [entry for registry in REGISTRIES for entry in registry if entry.factory.__module__ == module]


def _forget(module: str) -> None:
    sys.modules.pop(module, None)
    for entry in _entries(module):
        Registry.of(entry.kind).forget(entry.name)


def _place(error: BaseException, path: Path) -> str:
    """`mine.py:7`: the last line of the file itself on the way to the error."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}:{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}:{lines[-1]}" if lines else str(path)


def _reason(error: BaseException) -> str:
    message = error.msg if isinstance(error, SyntaxError) else str(error).strip().split("\n", 1)[0]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
