"""Layers as they are written on a command line: `conv channels=16 kernel=3 + relu`, each value YAML."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import TypeAdapter

from cnnlab.core.errors import ConfigError, Problem, RequestError
from cnnlab.core.registry import Chosen, Component
from cnnlab.core.yaml import Mark, Table, parse_value
from cnnlab.models.catalog import LAYERS

_LAYER: TypeAdapter[Component] = TypeAdapter(Annotated[Component, Chosen("layer")])
_OPENING, _CLOSING, _QUOTES = "[{", "]}", "'\""


def layer_of(kind: str, options: Sequence[str]) -> Component:
    """The layer `kind` with its options, each written KEY=VALUE.

    Raises: RequestError where there is no such layer; ConfigError with every wrong option.
    """
    _ = LAYERS[kind]
    table, problems = Table(Mark("")), []
    for text in options:
        mark = Mark(f"'{text}'")
        key, equals, value = text.partition("=")
        if not equals or not key:
            problems.append(Problem(str(mark), "expected KEY=VALUE, such as kernel=3"))
        elif key in table:
            problems.append(Problem(str(mark), f"'{key}' is given twice"))
        else:
            try:
                table.put(key, parse_value(value, mark), mark)
            except ConfigError as error:
                problems.extend(Problem(str(mark), problem.message) for problem in error.problems)
    if problems:
        raise ConfigError(problems)
    made = _LAYER.validate_python({kind: table}, context=problems)
    if problems:
        raise ConfigError(problems)
    return made


def stack_of(text: str) -> list[Component]:
    """The layers of `KIND key=value … + KIND …`, in their order.

    Raises: RequestError and ConfigError as `layer_of` does, and RequestError where a ` + ` has no layer beside it.
    """
    layers: list[list[str]] = [[]]
    for word in words_of(text):
        if word == "+":
            layers.append([])
        else:
            layers[-1].append(word)
    if not all(layers):
        raise RequestError(f"'{text}': a layer is missing; expected KIND key=value … + KIND key=value …")
    return [layer_of(kind, options) for kind, *options in layers]


def words_of(text: str) -> list[str]:
    """`text` cut at blanks, but for those inside brackets and quotes, as in `layers=[{conv: {channels: 8}}]`."""
    words, word, depth, quote = [], "", 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        else:
            depth += (character in _OPENING) - (character in _CLOSING)
        if character.isspace() and depth <= 0 and not quote:
            words.append(word)
            word = ""
        else:
            word += character
    return [word for word in [*words, word] if word]
