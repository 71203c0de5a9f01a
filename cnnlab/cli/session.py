"""The options that commands share, and the `Session` that is made of them."""

import inspect
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import fields
from typing import Annotated, Any, get_args

from cnnlab.cli.options import (
    BatchOption,
    DataOption,
    DeviceOption,
    JsonOption,
    PluginsOption,
    RunsOption,
    SeedOption,
    tracked,
)
from cnnlab.network.session import Session

SHARED: Mapping[str, Any] = {
    "max_batch": BatchOption,
    "seed": SeedOption,
    "data": DataOption,
    "device": DeviceOption,
    "allow_plugins": PluginsOption,
    "runs": RunsOption,
    "as_json": JsonOption,
}
"""In the order of --help."""

FIELDS = {"device": "device_name"}
"""What an option fills in a session, where that has another name."""

DEFAULTS = {field.name: field.default for field in fields(Session)}


def with_session(*options: str, help: Mapping[str, str] | None = None) -> Callable[[Callable[..., None]], Any]:
    """Give a command the shared `options`, and hand them to its parameter `session` as one thing.

    Arguments:
        options: names of `SHARED`; what is not among them keeps its default.
        help: other words for an option of this command.

    Raises:
        KeyError: for an option that is not shared.

    Example:
        @with_session("runs", "as_json")
        def runs(session: Session) -> None: ...
    """
    if foreign := set(options) - set(SHARED):
        raise KeyError(f"no shared option {sorted(foreign)[0]}")
    shared = [_parameter(name, (help or {}).get(name)) for name in SHARED if name in options]

    def wrap(command: Callable[..., None]) -> Any:
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "session"]

        def called(**given: Any) -> None:
            filled = {FIELDS.get(option.name, option.name): given.pop(option.name) for option in shared}
            command(session=Session(**filled, track=tracked), **given)

        called.__name__, called.__qualname__, called.__doc__ = command.__name__, command.__qualname__, command.__doc__
        called.__module__ = command.__module__
        told: Any = called
        told.__signature__ = inspect.Signature([*own, *shared])
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
        return called

    return wrap


def _parameter(name: str, words: str | None) -> inspect.Parameter:
    kind, option = get_args(SHARED[name])
    if words:
        option = copy(option)
        option.help = words
    default = DEFAULTS[FIELDS.get(name, name)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])
