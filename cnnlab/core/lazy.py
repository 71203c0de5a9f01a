"""Names of a package that are imported when they are first asked for (PEP 562), so that the package itself is light."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, names: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the functions `__getattr__` and `__dir__` of a package.

    Arguments:
        package: its name.
        names: what it offers beside what it has, by where that is: `cnnlab.walk` or `cnnlab.walk.walker:walk`.

    Returns:
        The two functions. What was asked for once is kept in the package.

    Example:
        >>> find, names = lazily("cnnlab", {"error": "cnnlab.core.errors:RequestError"})
        >>> find("error").__name__, "error" in names()
        ('RequestError', True)
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        module, _, own = names[name].partition(":")
        found = import_module(module)
        value = getattr(found, own) if own else found
        setattr(sys.modules[package], name, value)
        return value

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *names})

    return find, listed
