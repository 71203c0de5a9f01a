"""The tensors of a file, wherever they stand in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

COUNTED = re.compile(r"n_averaged|initted|epoch|step|global_step|iteration|best_\w+")
"""What programs count beside the weights, and some of them as tensors of one number."""

MEASURED = frozenset({"total_ops", "total_params"})
"""Numbers that thop leaves in every module that it has measured."""

EXTRA = "_extra_state"
"""What a module saves that is no tensor, by the name that torch gives it."""

DEPTH = 8
"""Dicts in dicts that are looked through."""


@dataclass(frozen=True)
class Tensors:
    """The tensors of a file by their whole names: the dicts' keys and the tensors' names, joined by dots."""

    by_name: dict[str, Any]
    dicts: dict[str, Any]
    """The dicts that they stand in, by the names of these; the file itself is ''."""
    twice: str = ""
    """A name that two tensors have; '' where none is."""

    def dict_of(self, name: str) -> str:
        """The innermost dict on the way to `name`, or `name` where that is one."""
        while name and name not in self.dicts:
            name = name.rpartition(".")[0]
        return name

    def below(self, prefix: str) -> dict[str, Any]:
        """Those whose names begin with `prefix`, a whole number of steps."""
        return {n: t for n, t in self.by_name.items() if not prefix or n.startswith(f"{prefix}.")}

    def beside_dicts(self) -> "Tensors":
        """Those that stand at the top of the file, in no dict inside."""
        return Tensors({n: t for n, t in self.by_name.items() if not self.dict_of(n)}, self.dicts)


def tensors_of(content: Any) -> Tensors:
    """Every tensor in `content`, dicts and lists looked through."""
    by_name: dict[str, Any] = {}
    dicts: dict[str, Any] = {}
    twice = ""

    def look(value: Any, name: str, inside: tuple[int, ...]) -> None:
        nonlocal twice
        if isinstance(value, Tensor) or (name.endswith(EXTRA) and value is not None):
            twice = name if name in by_name else twice
            by_name[name] = value
        elif isinstance(value, Mapping | list | tuple) and id(value) not in inside and len(inside) < DEPTH:
            dicts[name] = value
            for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
                look(part, f"{name}.{key}" if name else str(key), (*inside, id(value)))

    look(content, "", ())
    return Tensors(by_name, dicts, twice)


def is_count(name: str, tensor: Any) -> bool:
    """Whether a tensor is one number that a program counted: of epochs, of averaged steps, of operations."""
    single = isinstance(tensor, Tensor) and tensor.numel() == 1
    return single and (COUNTED.fullmatch(name) is not None or name.rpartition(".")[2] in MEASURED)
