"""The annotated types of options: ranges live in the types, so a wrong value is an error at its place in the YAML."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

Positive = Annotated[int, Field(gt=0)]
NonNegative = Annotated[int, Field(ge=0)]
PositiveNumber = Annotated[float, Field(gt=0)]
NonNegativeNumber = Annotated[float, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
"""At least 0 and less than 1."""


def _twice(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value, value)


_PAIR_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}]}
)

Pair = Annotated[tuple[Positive, Positive], BeforeValidator(_twice), _PAIR_SCHEMA]
"""(vertical, horizontal); one number in YAML stands for both."""

PaddingPair = Annotated[tuple[NonNegative, NonNegative], BeforeValidator(_twice), _PAIR_SCHEMA]
"""Like Pair, 0 allowed."""
