"""Modules that lie beside a user's own network: each network imports those of its own folder, as they are now.

Python keeps one module of a name. Two networks may both have a `blocks.py` beside them, such as one that is being
worked on and the copy of it that a run keeps.
"""

import importlib
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from cnnlab.models.own_files import OwnFiles

_loaded: dict[tuple[Path, str], dict[str, ModuleType]] = {}
"""What each network has imported from its folder, by its file and the digest of all its files."""


@contextmanager
def own_siblings(files: OwnFiles) -> Iterator[None]:
    """Inside, the modules of `files` are imported from their own folder; a module of another folder is put back after.

    What is installed, and Python's own, is left as it is, and no compiled file is written.
    """
    key = (files.paths[0], files.digest)
    names = {name for name in files.module_names if not _is_installed(name)}
    ours = {id(module) for modules in _loaded.values() for module in modules.values()}
    foreign = {name: one for name, one in _of(names).items() if id(one) not in ours and not _is_of(one, files)}
    for name, module in _of(names).items():
        if id(module) in ours or name in foreign:
            del sys.modules[name]
    sys.modules.update(_loaded.get(key, {}))
    folders = [str(folder) for folder in dict.fromkeys((files.paths[0].parent, files.root))]
    writes = sys.dont_write_bytecode
    sys.path[:0], sys.dont_write_bytecode = folders, True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for folder in folders:
            if folder in sys.path:  # their code may have taken it off
                sys.path.remove(folder)
        sys.dont_write_bytecode = writes
        _loaded[key] = _of(names)
        for name in _loaded[key] if foreign else ():
            del sys.modules[name]
        sys.modules.update(foreign)


def _of(names: set[str]) -> dict[str, ModuleType]:
    """The modules that are imported now, of those names and inside of them."""
    return {name: module for name, module in list(sys.modules.items()) if name.partition(".")[0] in names}


def _is_of(module: ModuleType, files: OwnFiles) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve() in files.paths


def _is_installed(name: str) -> bool:
    """Whether the module of that name that is imported now is Python's own, cnnlab's or installed."""
    if name not in sys.modules:
        return False
    file = getattr(sys.modules[name], "__file__", None)
    if file is None:  # built in, or a folder without __init__.py
        return name in sys.stdlib_module_names
    libraries = [sysconfig.get_path(key) for key in ("stdlib", "purelib", "platlib")]
    return name == "cnnlab" or any(Path(file).is_relative_to(library) for library in libraries)
