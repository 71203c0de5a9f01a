"""What is asked of a training: the arguments that `cnnlab.train` and `cnnlab.training_steps` share."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from functools import cached_property, wraps
from inspect import signature
from pathlib import Path
from typing import ParamSpec, TypeVar

from cnnlab.api.asked_config import AskedConfig, Overrides, overrides_of
from cnnlab.api.values import path_of, path_or_none
from cnnlab.network.session import Session

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Wish:
    """What is to be trained, and how: the arguments of `train` and of `training_steps`."""

    config: AskedConfig = None
    _: KW_ONLY
    epochs: int | None = None
    overrides: Overrides = ()
    name: str | None = None
    resume: str | Path | None = None
    time_budget: float | None = None
    stop_after: int | None = None
    report: bool = True
    device: str = "auto"
    runs: str | Path = "runs"
    data: str | Path | None = None
    allow_plugins: bool = False

    @property
    def changes(self) -> list[str]:
        """To the config, as on the command line."""
        return overrides_of(self.overrides, training__epochs=self.epochs, training__time_budget=self.time_budget)

    @cached_property
    def session(self) -> Session:
        """Where the training runs, and where it is kept."""
        return Session(
            runs=path_of("runs", self.runs),
            device_name=self.device,
            data=path_or_none("data", self.data),
            allow_plugins=self.allow_plugins,
        )


def takes(wish: Callable[P, Wish]) -> Callable[[Callable[[Wish], T]], Callable[P, T]]:
    """A decorator: the function takes the arguments that make a wish, in place of the wish, as its signature says.

    Example:
        >>> @takes(Wish)
        ... def epochs(wish: Wish) -> int | None:
        ...     return wish.epochs
        >>> epochs(epochs=3)
        3
        >>> epochs(epoch=3)
        Traceback (most recent call last):
        TypeError: epochs() got an unexpected keyword argument 'epoch'
    """

    def decorated(function: Callable[[Wish], T]) -> Callable[P, T]:
        @wraps(function)
        def asked(*arguments: P.args, **named: P.kwargs) -> T:
            try:
                given.bind(*arguments, **named)
            except TypeError as error:
                raise TypeError(f"{function.__name__}() {error}") from None
            return function(wish(*arguments, **named))

        given = signature(wish).replace(return_annotation=signature(function).return_annotation)
        asked.__signature__ = given  # type: ignore[attr-defined]
        return asked

    return decorated
