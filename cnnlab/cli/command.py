"""Commands whose errors speak of options: what lies below the command line speaks of parameters."""

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import typer
from typer.core import TyperCommand

from cnnlab.core.errors import CnnlabError


class Command(TyperCommand):
    """A command; an error that names a parameter as `name` names its option, such as --name, to whoever typed it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        options = {str(param.name): max(param.opts, key=len) for param in self.params if param.opts[0].startswith("-")}
        before = _options.set(options)
        try:
            return super().invoke(ctx)
        except CnnlabError as error:
            error.args = tuple(with_options(one) if isinstance(one, str) else one for one in error.args)
            raise
        finally:
            _options.reset(before)


class Application(typer.Typer):
    """A group of commands of that kind."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """The decorator that gives a function a name on the command line."""
        return super().command(name, **{"cls": Command, **options})


_options: ContextVar[Mapping[str, str] | None] = ContextVar("options", default=None)
"""The options of the command that runs, by their parameters' names."""


def with_options(message: str) -> str:
    """`message` with `name` in backticks replaced by its option, where the command that runs has one."""
    options = _options.get() or {}
    return re.sub(r"`(\w+)`", lambda match: options.get(match[1], match[0]), message)
