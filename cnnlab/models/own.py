"""A user's own network by its place: `net.py:build`, `net.py:ResNet(depth=20)`, `package.module:NETWORK`.

Making one runs the user's code: whoever calls this has been asked for it, by the file's name or by `--allow-plugins`.
"""

import ast
import contextlib
import difflib
import importlib.machinery
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from cnnlab.core.characters import printable
from cnnlab.core.errors import RequestError, did_you_mean, unknown
from cnnlab.core.reading import read_file
from cnnlab.models.failure import OWN_MODULE, calls_from
from cnnlab.models.own_files import MAX_BYTES, own_files
from cnnlab.models.own_siblings import own_siblings
from cnnlab.models.undisturbed import settings_kept

FORM = "expected FILE.py:NAME or package.module:NAME, with arguments as literals, such as net.py:ResNet(depth=20)"


class OwnCodeError(RequestError):
    """A user's own code has raised an error; `details` are the calls from their file on, line by line."""

    def __init__(self, message: str, details: Sequence[str]) -> None:
        super().__init__(message)
        self.details = tuple(details)


@dataclass(frozen=True)
class OwnNetwork:
    """The place of a network and the arguments that it is made with."""

    place: str
    """`path/net.py`, or the dotted name of a module that can be imported."""
    name: str
    """Of a class, of a function that returns a module, or of a module; dotted where it stands inside another thing."""
    positional: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> Path | None:
        """The file, where a file is named."""
        return Path(self.place).expanduser() if self.place.endswith(".py") else None

    def __str__(self) -> str:
        given = ", ".join([*map(repr, self.positional), *(f"{key}={value!r}" for key, value in self.options.items())])
        return f"{self.place}:{self.name}" + (f"({given})" if given else "")


def is_own(text: str) -> bool:
    """Whether `text` names a network by its place: a Python file, or a dotted name before a colon."""
    place, colon, _ = text.partition(":")
    if place.endswith(".py") or ".py:" in text:
        return True
    return bool(colon) and all(part.isidentifier() for part in place.split("."))


def own_network(text: str) -> OwnNetwork:
    """The place and the arguments that `text` names.

    Raises:
        RequestError: where it has another form or gives a name twice, with the names that the file has.

    Example:
        >>> own_network("nets/mine.py:ResNet(depth=20, width=16)").options
        {'depth': 20, 'width': 16}
    """
    place, colon, called = _divided(text)
    if not colon or not called.strip():
        file = Path(place).expanduser()
        names = _networks_in(file) if place.endswith(".py") and file.is_file() else []
        has = f"; {file.name} has {', '.join(names[:12])}" if names else ""
        raise RequestError(f"'{printable(text)}' names no network in it: {FORM}{has}")
    try:
        tree = ast.parse(called.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise RequestError(f"'{printable(called)}' (of {printable(place)}) is no name with arguments: {FORM}") from None
    positional: tuple[Any, ...] = ()
    options: dict[str, Any] = {}
    if isinstance(tree, ast.Call):
        try:
            positional = tuple(ast.literal_eval(argument) for argument in tree.args)
            for keyword in tree.keywords:
                if keyword.arg is None:
                    raise ValueError
                if keyword.arg in options:
                    raise RequestError(f"'{printable(called)}' gives '{keyword.arg}' twice")
                options[keyword.arg] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError):
            raise RequestError(
                f"the arguments of '{printable(called)}' are no literals: numbers, 'text', True, None, and lists, "
                "tuples and dictionaries of those"
            ) from None
        tree = tree.func
    name = ast.unparse(tree)
    if not all(part.isidentifier() for part in name.split(".")):
        raise RequestError(f"'{printable(called)}' (of {printable(place)}) is no name with arguments: {FORM}")
    return OwnNetwork(place, name, positional, options)


def asks_for(own: OwnNetwork, parameter: str, *, base: Path | None = None) -> bool:
    """Whether what makes the network has such a parameter that it was not given."""
    target = found(own, base=base)
    return parameter in _open_parameters(target, own)


def made(own: OwnNetwork, *, base: Path | None = None, **handed: Any) -> nn.Module:
    """The network, newly made where a class or a function is named.

    Arguments:
        own: its place and arguments.
        base: where a relative file starts; the working folder by default.
        handed: values, such as `classes` and `shape`, for parameters of those names that `own` leaves open.

    Raises:
        RequestError: where the file, the name or a parameter is not there, with the nearest, and for what is no
            `torch.nn.Module`, with its type.
        OwnCodeError: for an error in the user's code, with their traceback.
    """
    target = found(own, base=base)
    if isinstance(target, nn.Module):
        if own.positional or own.options:
            raise RequestError(f"{own.place}:{own.name} is a module already, and takes no arguments")
        return target
    if not callable(target):
        raise RequestError(
            f"{own.place}:{own.name} is {_typed(target)}, expected a class or a function that makes a torch.nn.Module, "
            "or a module"
        )
    _check_arguments(target, own)
    open_ones = _open_parameters(target, own)
    given = {**own.options, **{name: value for name, value in handed.items() if name in open_ones}}
    needed = [p.name for p in (_parameters(target) or {}).values() if p.default is p.empty and p.name in open_ones]
    if lacking := [name for name in needed if name not in given]:
        form = ", ".join([*map(repr, own.positional), *(f"{key}={value!r}" for key, value in own.options.items())])
        form += ", " * bool(form) + ", ".join(f"{name}=…" for name in lacking)
        raise RequestError(f"{own.place}:{own.name} needs {', '.join(lacking)}: write {own.place}:{own.name}({form})")
    path = own_file(own, base)
    beside = contextlib.nullcontext() if path is None else own_siblings(own_files(path))
    with _theirs(f"{own} was called, to make the network", own, base), beside:
        result = target(*own.positional, **given)
    if not isinstance(result, nn.Module):
        raise RequestError(f"{own} returned {_typed(result)}, expected a torch.nn.Module")
    return result


def check_arguments(own: OwnNetwork, *, base: Path | None = None) -> None:
    """See that the network is there and has the parameters that it is given; it is not made.

    Raises: RequestError and OwnCodeError as `made`.
    """
    _check_arguments(found(own, base=base), own)


def found(own: OwnNetwork, *, base: Path | None = None) -> Any:
    """What stands at the place: a class, a function, a module or anything else.

    Raises: RequestError and OwnCodeError as `made`.
    """
    module = _module(own, base)
    target: Any = module
    for part in own.name.split("."):
        with _theirs(f"{own.place}:{own.name} was looked up", own, base):
            missing = not hasattr(target, part)
        if missing:
            names = _made_here(module) if target is module else [name for name in dir(target) if name[:1] != "_"]
            raise RequestError(f"{own.place}: " + unknown("class, function or module", part, names))
        target = getattr(target, part)
    return target


@contextlib.contextmanager
def _theirs(doing: str, own: OwnNetwork, base: Path | None) -> Iterator[None]:
    """What the user's code raises inside, told with their traceback; what it prints goes to stderr.

    Torch's settings and the working folder, which it may change, are as before afterwards.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr), settings_kept():
            yield
    except (RequestError, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit and others that are no Exception: the code is theirs
        raise own_code_error(error, doing, own_file(own, base)) from error


_OURS = str(Path(__file__).resolve().parents[1])
_WAYS_OUT = (
    (SystemExit, "", "; it ended itself: what it does as a program belongs under if __name__ == '__main__':"),
    (
        ImportError,
        "no known parent package",
        "; put an empty __init__.py beside the file, or write the import without its dots",
    ),
)
"""Ways out of what a user's file raises, by the kind of the error and words of its message."""


def own_code_error(error: BaseException, doing: str, file: Path | None) -> OwnCodeError:
    """`error` as a message: what was being done, and the calls from the user's file on, as Python shows them."""
    calls = traceback.extract_tb(error.__traceback__)
    first = next((n for n, call in enumerate(calls) if file is not None and call.filename == str(file)), None)
    if first is None:
        ours = (_OURS, "<frozen importlib", str(importlib.__file__), str(contextlib.__file__))
        first = next((n for n, call in enumerate(calls) if not call.filename.startswith(ours)), len(calls))
    lines = calls_from(error, len(calls) if isinstance(error, SyntaxError) else first)
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    way_out = next((way for kind, words, way in _WAYS_OUT if isinstance(error, kind) and words in str(error)), "")
    return OwnCodeError(f"{type(error).__name__} when {doing}: {said}{way_out}", lines)


def _divided(text: str) -> tuple[str, str, str]:
    """`net.py`, `:`, `build(path='a:b')`; a path may hold a colon itself."""
    before, ending, after = text.partition(".py:")
    if ending:
        return f"{before}.py", ":", after
    return text.partition(":") if not text.endswith(".py") else (text, "", "")


def own_file(own: OwnNetwork, base: Path | None) -> Path | None:
    """The file that `own` names, resolved; a relative one starts at `base`. None of an importable module.

    Raises: RequestError for links in a circle.
    """
    if own.file is None:
        return None
    try:
        return ((base or Path()) / own.file).resolve()
    except (OSError, RuntimeError):  # links that lead to one another
        raise RequestError(f"'{own.place}' cannot be read: it is a link that leads back to itself") from None


def _module(own: OwnNetwork, base: Path | None) -> ModuleType:
    path = own_file(own, base)
    if path is not None:
        return _of_file(path, own, base)
    _on_search_path(Path.cwd())
    try:
        there = importlib.util.find_spec(own.place)
    except ModuleNotFoundError:
        there = None
    except (Exception, SystemExit) as error:  # a parent package is imported
        raise own_code_error(error, f"the packages of {own.place} were imported", None) from error
    if there is None:
        near = did_you_mean(own.place, ("torchvision", "timm"))
        raise RequestError(
            f"{own}: no module '{own.place}' that Python can import from here ({Path.cwd()}); a file is written "
            f"FILE.py:NAME.{near}"
        )
    with _theirs(f"the module {own.place} was imported", own, base):
        return importlib.import_module(own.place)


def _of_file(path: Path, own: OwnNetwork, base: Path | None) -> ModuleType:
    """The module of a file, loaded anew where the file has changed."""
    try:
        content = read_file(path, at_most=MAX_BYTES)
    except FileNotFoundError:
        beside = [one.name for one in path.parent.glob("*.py")] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, beside, n=1)
        there = f"; there is {near[0]}" if near else ""
        raise RequestError(f"no file '{own.place}' (looked at {path}){there}") from None
    except OSError as error:
        raise RequestError(f"'{own.place}' cannot be read: {error.strerror} ({path})") from None
    files = own_files(path)
    name = f"{OWN_MODULE}{path.stem}_{blake2b(f'{path} {files.digest}'.encode(), digest_size=6).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    _on_search_path(path.parent)
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    with _theirs(f"the file {own.place} was run", own, base), own_siblings(files):
        if package := _package_of(path, content):
            importlib.import_module(package)
            module.__package__ = package
        code = loader.source_to_code(content, str(path))
        sys.modules[name] = module  # dataclasses and pickle look a class's module up there
        try:
            exec(code, module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
    return module


def _package_of(path: Path, content: bytes) -> str:
    """The package that a file with relative imports belongs to, whose root folder is then searched, too."""
    folder, names = path.parent, list[str]()
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    if not names or not any(isinstance(n, ast.ImportFrom) and n.level for n in ast.walk(ast.parse(content))):
        return ""
    _on_search_path(folder)
    return ".".join(names)


def _on_search_path(folder: Path) -> None:
    """Put `folder` first where Python looks for modules, as for a file that it runs; said once."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        for tell in _listeners:
            tell(f"{folder} is now on Python's search path (sys.path)")


_listeners: list[Callable[[str], None]] = []


@contextlib.contextmanager
def said_to(tell: Callable[[str], None]) -> Iterator[None]:
    """Inside, `tell` hears a sentence of each folder that goes on Python's search path."""
    _listeners.append(tell)
    try:
        yield
    finally:
        _listeners.remove(tell)


def _parameters(target: Any) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(target).parameters
    except (TypeError, ValueError):
        return None


def _open_parameters(target: Any, own: OwnNetwork) -> set[str]:
    """The parameters of `target` by name that `own` gives no value."""
    parameters = {} if isinstance(target, nn.Module) else _parameters(target) or {}
    by_name = [p for p in parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return {p.name for p in by_name[len(own.positional) :] if p.name not in own.options} | {
        p.name for p in by_name[: len(own.positional)] if p.kind is p.KEYWORD_ONLY and p.name not in own.options
    }


def _check_arguments(target: Any, own: OwnNetwork) -> None:
    """Raises: RequestError for an argument that there is not, with the nearest, or of which there are too many."""
    parameters = None if isinstance(target, nn.Module) else _parameters(target)
    if parameters is None:
        return
    kinds = [p.kind for p in parameters.values()]
    names = [p.name for p in parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        for option in own.options:
            if option not in names:
                raise RequestError(f"{own.place}:{own.name} has " + unknown("parameter", option, names))
    by_place = [p.name for p in parameters.values() if p.kind is not p.KEYWORD_ONLY][: len(own.positional)]
    if twice := [name for name in by_place if name in own.options]:
        raise RequestError(f"{own} gives '{twice[0]}' twice, by its place and by its name")
    places = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters.values())
    if inspect.Parameter.VAR_POSITIONAL not in kinds and len(own.positional) > places:
        raise RequestError(f"{own} is given {len(own.positional)} arguments, and takes {places}")


def _typed(thing: Any) -> str:
    """`a list`, `None`, `the class dict`: what a thing is, in words."""
    if thing is None:
        return "None"
    if isinstance(thing, type):
        return f"the class {thing.__name__}"
    if isinstance(thing, ModuleType):
        return f"the Python module {thing.__name__}"
    name = type(thing).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _made_here(module: ModuleType) -> list[str]:
    """What in a module may be or make a network: its own classes and functions, and modules of torch.nn."""
    return [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (
            isinstance(thing, nn.Module)
            or ((inspect.isclass(thing) or inspect.isfunction(thing)) and thing.__module__ == module.__name__)
        )
    ]


def _networks_in(path: Path) -> list[str]:
    """Classes and functions of a file, read without running it."""
    try:
        tree = ast.parse(read_file(path, at_most=MAX_BYTES))
    except (OSError, SyntaxError, ValueError, RequestError):
        return []
    return [n.name for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef)) and n.name[:1] != "_"]
