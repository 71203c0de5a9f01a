"""The space of a sweep: what each key may be, as `log(1e-3,1)`, `uniform(0,0.5)`, `int(1,5)` or `choice(a,b,c)`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cnnlab.config.config import Config
from cnnlab.core.errors import RequestError, did_you_mean
from cnnlab.recipe.variants import OWN, MakesConfig, changed, split_outside


class Suggests(Protocol):
    """What Optuna's trial can do."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """A whole number."""

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        """One of the choices."""


@dataclass(frozen=True)
class Dimension:
    """What one key may be."""

    key: str
    text: str
    """As it was asked for, such as `log(0.001,1)`."""
    ends: tuple[str, ...]
    """Values, as YAML, that show whether the config takes the key: both ends, or every choice."""
    suggest: Callable[[Suggests], object]
    is_log: bool = False
    is_choice: bool = False


def _between(key: str, text: str, inside: Sequence[str], *, log: bool = False) -> Dimension:
    low, high = (_number(key, text, word) for word in _two(key, text, inside))
    if not low < high:
        raise RequestError(f"`space` {key}={text}: {low:g} is not below {high:g}")
    if log and low <= 0:
        raise RequestError(f"`space` {key}={text}: {low:g} has no logarithm; log needs numbers above 0")
    return Dimension(
        key,
        f"{'log' if log else 'uniform'}({low!r},{high!r})",
        (repr(low), repr(high)),
        lambda trial: trial.suggest_float(key, low, high, log=log),
        is_log=log,
    )


def _logarithmic(key: str, text: str, inside: Sequence[str]) -> Dimension:
    return _between(key, text, inside, log=True)


def _whole(key: str, text: str, inside: Sequence[str]) -> Dimension:
    low, high = (_number(key, text, word) for word in _two(key, text, inside))
    if low != int(low) or high != int(high) or not low < high:
        raise RequestError(f"`space` {key}={text}: expected two whole numbers, the lower one first")
    first, last = int(low), int(high)
    return Dimension(
        key, f"int({first},{last})", (str(first), str(last)), lambda trial: trial.suggest_int(key, first, last)
    )


def _choice(key: str, text: str, inside: Sequence[str]) -> Dimension:
    if len(inside) < 2 or not all(inside) or len(set(inside)) < len(inside):
        raise RequestError(f"`space` {key}={text}: expected two choices or more, each once")
    choices = tuple(inside)
    return Dimension(
        key,
        f"choice({','.join(choices)})",
        choices,
        lambda trial: trial.suggest_categorical(key, choices),
        is_choice=True,
    )


KINDS: dict[str, Callable[[str, str, Sequence[str]], Dimension]] = {
    "log": _logarithmic,
    "uniform": _between,
    "int": _whole,
    "choice": _choice,
}
"""Each makes a dimension of (key, as it was asked for, what stands in the brackets)."""


def dimension_of(text: str) -> Dimension:
    """`KEY=log(1e-3,1)` as a dimension.

    Arguments:
        text: as on the command line.

    Raises:
        RequestError: for anything that is none.

    Example:
        >>> dimension_of("optimizer.lr=log(1e-3, 1)").text
        'log(0.001,1.0)'
    """
    key, _, written = (part.strip() for part in text.partition("="))
    match = re.fullmatch(r"(\w+)\((.*)\)", written, re.DOTALL)
    if not key or match is None:
        raise RequestError(
            f"`space` is '{text}', expected KEY=log(1e-3,1), KEY=uniform(0,0.5), KEY=int(1,5) or KEY=choice(a,b)"
        )
    kind, inside = match.groups()
    if kind not in KINDS:
        raise RequestError(f"`space` {text}: no '{kind}'; there are {', '.join(KINDS)}.{did_you_mean(kind, KINDS)}")
    if reason := OWN.get(key):
        raise RequestError(f"`space` {text}: {reason.replace('a variant', 'a trial')}")
    return KINDS[kind](key, written, split_outside(inside))


def space_of(texts: Sequence[str], make: MakesConfig) -> tuple[Dimension, ...]:
    """The space, each end of which the config takes.

    Arguments:
        texts: `KEY=RANGE` for each key.
        make: the config from changes.

    Raises:
        RequestError: for an empty space, a key that is there twice, and what `dimension_of` refuses.
        ConfigError: for a key that the config does not have, and a value that it does not take.
    """
    if not texts:
        raise RequestError("the space is empty; name a key with `space`, such as optimizer.lr=log(1e-3,1)")
    found = tuple(dimension_of(text) for text in texts)
    keys = [one.key for one in found]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise RequestError(f"`space` names {twice} twice")
    first = {one.key: one.ends[0] for one in found}
    for one in found:
        for end in one.ends:
            changed(make, {**first, one.key: end})
    return found


def config_at(make: MakesConfig, values: dict[str, object]) -> Config:
    """The config at a place of the space.

    Arguments:
        make: the config from changes.
        values: of each key.

    Raises:
        ConfigError: where the config does not take it.
    """
    return changed(make, {key: value if isinstance(value, str) else repr(value) for key, value in values.items()})


def _two(key: str, text: str, inside: Sequence[str]) -> Sequence[str]:
    if len(inside) != 2:
        raise RequestError(f"`space` {key}={text}: expected two numbers, such as (0.1,1)")
    return inside


def _number(key: str, text: str, word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        raise RequestError(f"`space` {key}={text}: '{word}' is no number") from None
    if number - number != 0:
        raise RequestError(f"`space` {key}={text}: '{word}' is not finite")
    return number
