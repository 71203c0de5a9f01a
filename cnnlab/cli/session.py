"""The options that commands share, and the `Session` that is made of them."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from copy import copy
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from cnnlab.cli.options import MOST
from cnnlab.cli.results import results_alone
from cnnlab.cli.streams import with_bar
from cnnlab.cli.together import together
from cnnlab.fit.distributed.ranks import ALONE
from cnnlab.network.session import Session

LAST_SEED = 2**63 - 1
"""torch takes no larger one."""

SHARED: Mapping[str, Any] = {
    "max_batch": Annotated[int, typer.Option(min=1, max=MOST, help="Images that pass through the network at a time.")],
    "seed": Annotated[
        int, typer.Option(min=0, max=LAST_SEED, help="Seed of the choice of images, and of methods that draw.")
    ],
    "data": Annotated[
        Path | None,
        typer.Option("--data", metavar="PATH", help="Where the run's images lie now, if they have moved."),
    ],
    "device": Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")],
    "allow_plugins": Annotated[
        bool, typer.Option("--allow-plugins", help="Run the Python files that the config names.")
    ],
    "runs": Annotated[Path, typer.Option("--runs", help="The folder that holds the runs.")],
    "as_json": Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, and nothing else.")],
}
"""In the order of --help."""

FIELDS = {"device": "device_name"}
"""What an option fills in a session, where that has another name."""

DEFAULTS = {field.name: field.default for field in fields(Session)}


def with_session(
    *options: str, help: Mapping[str, str] | None = None, document: str = "", several: bool = False
) -> Callable[[Callable[..., None]], Any]:
    """Give a command the shared `options`, and hand them to its parameter `session` as one thing.

    Arguments:
        options: names of `SHARED`; what is not among them keeps its default.
        help: other words for an option of this command.
        document: the command's own flag with which a program reads its stdout, as with --json.
        several: whether it knows how to work in several processes, as `torchrun` starts them.

    Raises:
        KeyError: for an option that is not shared.

    Example:
        @with_session("runs", "as_json")
        def runs(session: Session) -> None: ...
    """
    if foreign := set(options) - set(SHARED):
        raise KeyError(f"no shared option {sorted(foreign)[0]}")

    def wrap(command: Callable[..., None]) -> Any:
        words = {**getattr(command, "shared_help", {}), **(help or {})}
        shared = [_parameter(name, words.get(name)) for name in SHARED if name in options]
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "session"]

        def called(**given: Any) -> None:
            filled = {FIELDS.get(option.name, option.name): given.pop(option.name) for option in shared}
            with (
                together() if several else nullcontext(ALONE) as ranks,
                results_alone() if (filled.get("as_json") or given.get(document)) and ranks.leads else nullcontext(),
            ):
                command(session=Session(**filled, track=with_bar, ranks=ranks), **given)

        called.__name__, called.__qualname__, called.__doc__ = command.__name__, command.__qualname__, command.__doc__
        called.__module__ = command.__module__
        told: Any = called
        told.__signature__ = inspect.Signature([*own, *shared])
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
        told.ways = getattr(command, "ways", {})
        told.several = several
        return called

    return wrap


def _parameter(name: str, words: str | None) -> inspect.Parameter:
    kind, option = get_args(SHARED[name])
    if words:
        option = copy(option)
        option.help = words
    default = DEFAULTS[FIELDS.get(name, name)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])
