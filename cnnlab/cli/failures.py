"""What a command that fails says: words on stderr, a JSON document on stdout where JSON was asked for, an exit code.

What lies below the command line speaks of parameters; whoever typed the command is told of its options.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, ClassVar, cast

import typer
from typer.core import TyperCommand

from cnnlab.cli.together import first_tells, refuse_several
from cnnlab.core.characters import printable, shortened
from cnnlab.core.errors import CnnlabError, ConfigError, RequestError

UsageError = cast(type[Exception], typer.BadParameter.__base__)
"""What typer raises for a command line that is wrong; its own name for it is private."""

EXPECTED = (
    CnnlabError, UsageError, OSError, UnicodeEncodeError, MemoryError,
    ArithmeticError, AssertionError, AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What a command may end with; of the second row what a network's own code raised, the rest is raised again."""

LONGEST_SHOWN = 120
"""Letters of a name in a message, such as that of a network with a thousand numbers as its arguments."""

LONG = re.compile(r"[^\s/]{161,}")
"""Words that are shown without their middle; of a path each name is one."""

PIPE_CLOSED = 141
"""What shells tell of a program whose reader left: 128 and the number of SIGPIPE."""


class StoppedError(CnnlabError):
    """Ctrl-C."""

    exit_code: ClassVar[int] = 130


def blamed(error: Exception) -> Exception:
    """`error`, as a request that cannot be met where a network's own code raised it; as long as frames have locals."""
    if "torch" not in sys.modules:
        return error
    from cnnlab.models.failure import failure_of

    return failure_of(error) or error


def failed(error: Exception, *, as_json: bool, **more: Any) -> int:
    """Say what went wrong, in JSON with what the command has to say besides; the exit code.

    Raises: `error` itself where it is a mistake of the program.
    """
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    message, code = _told(error)
    if isinstance(error, UsageError) and first_tells():
        return code
    message = LONG.sub(lambda word: shortened(word[0], LONGEST_SHOWN), with_options(message))
    with suppress(OSError):  # of a stream that takes nothing more
        if isinstance(error, UsageError):
            _show_usage(error)
        else:
            _complain(message, getattr(error, "details", ()))
        if as_json:
            from cnnlab.cli.options import print_json

            print_json(more | _document(error, message, code))
    return code


def _document(error: Exception, message: str, code: int) -> dict[str, Any]:
    """The document of `--json`: the words, the exit code, and of a config every mistake with its place."""
    document: dict[str, Any] = {"error": message, "code": code}
    if isinstance(error, CnnlabError) and error.details:
        document["details"] = list(error.details)
    if isinstance(error, ConfigError):
        document["problems"] = [{"place": one.place, "message": with_options(one.message)} for one in error.problems]
    return document


def _told(error: Exception) -> tuple[str, int]:
    if isinstance(error, CnnlabError):
        return str(error), error.exit_code
    if isinstance(error, UsageError):
        return cast(Any, error).format_message(), 2
    if isinstance(error, OSError):
        return f"{printable(str(error.filename2 or error.filename or 'standard output'))}: {_reason(error)}", 1
    return _advice(error), 1


def _reason(error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "is a file, and a folder is needed there"
    return error.strerror or str(error)


def _advice(error: Exception) -> str:
    """What to do about an error of torch's or Python's that is no mistake of the program.

    Raises: `error` itself when it is any other.
    """
    message = str(error)
    if isinstance(error, UnicodeEncodeError):
        name = printable(shortened(error.object, 200))
        if error.encoding == "utf-8":
            return f"'{name}': is no UTF-8 text, which is needed here; rename it"
        if error.encoding == sys.getfilesystemencoding():
            return f"'{name}': no name of a file in this locale ({error.encoding}); PYTHONUTF8=1 makes it one"
    if "torchvision::nms" in message:
        return "torch and torchvision do not fit each other; `cnnlab doctor` says what to install"
    if isinstance(error, MemoryError) or "out of memory" in message or "allocate memory" in message:
        return "out of memory; a smaller training.batch_size, smaller images or a smaller network needs less"
    raise error


def _show_usage(error: Exception) -> None:
    """Show the usage as typer does, through our own console."""
    from typer import rich_utils

    from cnnlab.view.terminal import Terminal

    vars(rich_utils)["Console"] = partial(Terminal, markup=True)
    rich_utils.rich_format_error(cast(Any, error))


def _complain(message: str, details: Sequence[str] = ()) -> None:
    from cnnlab.cli.options import err_console
    from cnnlab.view.terminal import said

    for line in message.split("\n"):
        err_console().print(said("[bold red]error:[/] {}", line), soft_wrap=True)
    for line in details:
        err_console().print(said("{}", line), soft_wrap=True)


class Command(TyperCommand):
    """A command; what is told while it runs names its options, see `with_options`."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Read the command line.

        Raises: RequestError for an empty word, for a name that begins like an option, and with the way out for one that
            has its place elsewhere (`ways` of the function).
        """
        words = list(args)
        try:
            self._refuse_empty(ctx, words)
            return super().parse_args(ctx, args)
        except UsageError as error:
            ways = getattr(getattr(self.callback, "__wrapped__", None), "ways", {})
            if (way := ways.get(getattr(error, "option_name", None))) is not None:
                raise RequestError(way) from None
            name = next((word for word in words if re.match("-[^-].*[:./]", word)), None)
            if name is None or "--" in words or "No such option" not in str(error):
                raise
            raise RequestError(f"'{name}' is taken for options; put -- before it, behind all options") from None

    def _refuse_empty(self, ctx: Any, words: Sequence[str]) -> None:
        """Raises: RequestError for a value that is empty: as a path it would be the working folder."""
        if not any(word == "" or word.endswith("=") for word in words):
            return
        given, _, _ = self.make_parser(ctx).parse_args(args=list(words))
        for parameter in self.params:
            value = given.get(str(parameter.name))
            values = value if isinstance(value, list | tuple) else [value]
            if "" in values:
                name = max(parameter.opts, key=len)
                if not name.startswith("-"):  # of several words, each may have a name of its own
                    names = re.findall(r"[^\s{}\[\]….]+", parameter.metavar or name.upper())
                    name = names[min(values.index(""), len(names) - 1)]
                leave = "" if parameter.required else ", or leave it out"
                raise RequestError(
                    f"{name} is an empty word (of a variable that is not set?); say what is meant{leave}"
                )

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises: RequestError where it is for one process and several have been started.
        """
        if not getattr(getattr(self.callback, "__wrapped__", None), "several", False):
            refuse_several(ctx.command_path.partition(" ")[2])
        _options.set({str(one.name): max(one.opts, key=len) for one in self.params if one.opts[0].startswith("-")})
        return super().invoke(ctx)


class Application(typer.Typer):
    """A group of commands of that kind."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """The decorator that gives a function a name on the command line."""
        return super().command(name, **{"cls": Command, **options})


_options: ContextVar[Mapping[str, str] | None] = ContextVar("options", default=None)
"""The options of the command that runs, or that ran last, by their parameters' names."""


def forget_options() -> None:
    """No command runs: what is told names parameters."""
    _options.set(None)


def with_options(message: str) -> str:
    """`message` for whoever typed the command that runs: of parameters in backticks, its options.

    A parameter may have a value, such as `activation=softmax`, which is --activation softmax; `=True` is left out.
    """
    options = _options.get() or {}

    def typed(found: re.Match[str]) -> str:
        if (option := options.get(found[1])) is None:
            return found[0]
        return option if found[2] in (None, "True") else f"{option} {found[2]}"

    return re.sub(r"`(\w+)(?:=(\w+))?`", typed, message)
