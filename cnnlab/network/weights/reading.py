"""The content of a file of weights: tensors among whatever a training program put beside them, and no code run."""

import json
import pickle
import re
import struct
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file

from cnnlab.core.characters import printable, shortened
from cnnlab.core.errors import RequestError, first_line
from cnnlab.core.reading import named_in_utf8
from cnnlab.fit.checkpoints import DAMAGES
from cnnlab.network.weights.formats import AGAIN, SAVE_AGAIN, format_of

CLASSES = 200
"""Classes of foreign objects that are stood in for in one file, before it is given up."""

NAMED = re.compile(r"GLOBAL (\S+) was not an allowed global")
"""Where torch says which class it does not know."""

NO_DICT = re.compile(r"Can only SETITEMS? for dict.*got <class '([^']+)'>", re.DOTALL)
"""Where torch says that what it stored items in is no dict."""

HARMFUL = frozenset({"subprocess", "runpy", "importlib", "shutil", "socket", "pty", "ctypes", "webbrowser"})
"""Modules whose functions no file of weights has a use for; torch itself blocks os and sys."""

HARMFUL_FUNCTIONS = frozenset(f"builtins.{name}" for name in ("eval", "exec", "compile", "__import__", "open"))

REFUSED = f"refused: it is no plain file of weights, and could run code; {SAVE_AGAIN}"


class Foreign(list[Any]):
    """What stands in for an object of a class that reading weights has no business with; it does nothing."""

    name = ""
    """Of the object's own class."""

    def __new__(cls, *args: Any, **options: Any) -> "Foreign":
        """Leave out whatever the object was made of."""
        return super().__new__(cls)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        """Leave out what the object had inside."""


class _ForeignMapping(Foreign):
    """Of an object that is filled as a dict is: torch fills only real ones."""

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """An empty dict."""
        return OrderedDict()


@dataclass(frozen=True)
class Content:
    """What a file holds."""

    value: Any
    """Mappings, lists, tensors and plain values; `Foreign` for every object of another class."""
    foreign: tuple[str, ...] = ()
    """Classes of objects that were left unread, such as argparse.Namespace."""


def read_content(path: Path) -> Content:
    """The content of the file, on the CPU.

    Raises: RequestError for a file that is missing, damaged, of another kind, or could run code.
    """
    return READERS[format_of(path)](path)


def _read_safetensors(path: Path) -> Content:
    try:
        with named_in_utf8(path) as name:
            return Content(load_file(name))
    except (safetensors.SafetensorError, *DAMAGES) as error:
        raise RequestError(f"{path}: a damaged safetensors file ({_first(error)}); {AGAIN}") from None


def _read_index(path: Path) -> Content:
    """The tensors of every file that an index of shards, as Hugging Face writes it, names."""
    try:
        places = json.loads(path.read_bytes())["weight_map"]
        files = sorted(set(places.values()))
    except (ValueError, TypeError, LookupError, AttributeError):
        raise RequestError(
            f"{path}: a damaged index: its weight_map does not say which file holds which tensor"
        ) from None
    value: dict[str, Any] = {}
    for file in files:
        if not isinstance(file, str) or PurePosixPath(file).name != file:
            raise RequestError(f"{path}: its weight_map names '{printable(str(file))}', expected a file beside it")
        shard = read_content(path.parent / file)
        if not isinstance(shard.value, Mapping):
            raise RequestError(f"{path.parent / file}: holds no tensors by name, as the index says it does")
        value |= {name: tensor for name, tensor in shard.value.items() if places.get(name) == file}
    if absent := sorted(set(places) - set(value)):
        raise RequestError(f"{path}: {len(absent)} tensors are not in the files that it names (first {absent[0]})")
    return Content(value)


def _read_torch(path: Path) -> Content:
    """What torch.save wrote. Classes that torch does not know are stood in for, since many write their settings too."""
    stands_in: dict[str, type[Foreign]] = {}
    while True:
        allowed: list[Any] = [(one, name) for name, one in stands_in.items()]
        try:
            with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = torch.load(path, map_location="cpu", weights_only=True)
            break
        except pickle.UnpicklingError as error:
            if not _learnt(str(error), stands_in):
                raise RequestError(f"{path}: {_refusal(str(error))}") from None
        except (struct.error, *DAMAGES) as error:
            if isinstance(error, EOFError | struct.error) or "unexpected EOF" in str(error):
                raise RequestError(f"{path}: is cut off; {AGAIN}") from None
            raise RequestError(f"{path}: is no file of weights, or a damaged one ({_first(error)})") from None
    if isinstance(value, Foreign):
        raise RequestError(f"{path}: {whole_module(value.name)}")
    return Content(value, tuple(sorted(stands_in)))


READERS = {"safetensors": _read_safetensors, "torch": _read_torch, "index": _read_index}
"""By what `format_of` says."""


def whole_module(name: str) -> str:
    """What is said of an object of a class, where a state dict was looked for."""
    return (
        f"holds a whole object of the class {printable(name)}, not its weights, and reading it would run code; "
        f"{SAVE_AGAIN}"
    )


def _learnt(message: str, stands_in: dict[str, type[Foreign]]) -> bool:
    """Add to `stands_in` the class that torch's `message` speaks of; False where that helps no further."""
    if (dict_like := NO_DICT.search(message)) and dict_like[1] in stands_in:
        name, base = dict_like[1], _ForeignMapping
        known = issubclass(stands_in[name], _ForeignMapping)
    elif named := NAMED.search(message):
        name, base = named[1], Foreign
        name = name if "." in name else f"builtins.{name}"  # torch takes the module's name off
        known = name in stands_in
    else:
        return False
    harmful = name in HARMFUL_FUNCTIONS or name.partition(".")[0] in HARMFUL
    named_oddly = not all(step.isidentifier() for step in name.split("."))  # as in a damaged file
    if known or harmful or named_oddly or len(stands_in) >= CLASSES:
        return False
    module, _, own = name.rpartition(".")
    stands_in[name] = type(own, (base,), {"__module__": module, "__qualname__": own, "name": name})
    return True


def _refusal(message: str) -> str:
    """What is said of a file that torch refuses with `message`."""
    if "Unsupported operand" in message:
        return f"is pickled in a way that cannot be read without running code; {SAVE_AGAIN}"
    if "persistent_load" in message:
        return f"holds a whole module, not its weights, and reading it would run code; {SAVE_AGAIN}"
    return REFUSED


def _first(error: Exception) -> str:
    return printable(shortened(first_line(error), 200))
