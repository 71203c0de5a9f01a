"""The annotated types of options: ranges live in the types, so a wrong value is an error at its place in the YAML."""

from collections.abc import Mapping
from functools import partial
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BeforeValidator, Field, WithJsonSchema

Positive = Annotated[int, Field(gt=0)]
NonNegative = Annotated[int, Field(ge=0)]
PositiveNumber = Annotated[float, Field(gt=0)]
NonNegativeNumber = Annotated[float, Field(ge=0)]
Rate = Annotated[float, Field(gt=0, le=1e6)]
"""A learning rate or a factor of one: beyond its limit no number of a network stays finite."""
Decay = Annotated[float, Field(ge=0, le=1e6)]
"""A weight decay; 0 for none."""
Probability = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
"""A share, at least 0 and less than 1."""


def _a_list(value: Any) -> Any:
    """`value`, or a list of it where it is one word."""
    return [value] if isinstance(value, str) else value


Patterns = Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_a_list)]
"""Patterns of names, such as 'conv1.*'; one may stand without brackets."""


def _twice(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value, value)


def _pair_schema(least: int) -> WithJsonSchema:
    """The JSON Schema of a whole number of at least `least`, or of two of them."""
    number = {"type": "integer", "minimum": least}
    return WithJsonSchema({"anyOf": [number, {"type": "array", "items": number, "minItems": 2, "maxItems": 2}]})


Pair = Annotated[tuple[Positive, Positive], BeforeValidator(_twice), _pair_schema(1)]
"""(vertical, horizontal); one number in YAML stands for both."""

PaddingPair = Annotated[tuple[NonNegative, NonNegative], BeforeValidator(_twice), _pair_schema(0)]
"""Like Pair, 0 allowed."""


def _from_word(words: Mapping[str, Any], value: Any) -> Any:
    return words.get(value, value) if isinstance(value, str) else value


def readable(annotation: Any) -> Any:
    """`annotation` so that it reads text: `Literal[1, 3]` takes the words of YAML, which are '1' and '3'."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        words = {str(value): value for value in arguments}
        return Annotated[annotation, BeforeValidator(partial(_from_word, words))]
    if origin is Annotated:
        return Annotated[readable(arguments[0]), *arguments[1:]]
    if origin in (Union, UnionType):
        return Union[tuple(map(readable, arguments))]  # noqa: UP007  (the number of its parts is not known here)
    if origin in (list, tuple, dict):
        return origin[tuple(map(readable, arguments))]
    return annotation
