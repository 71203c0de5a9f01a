"""pydantic's errors in our words, each with its place in the YAML."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cnnlab.core.characters import printable
from cnnlab.core.errors import Problem, did_you_mean
from cnnlab.core.yaml import Mark, mark_at

EXPECTED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of reasonable size",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "mapping_type": "a mapping",
    "dataclass_type": "a mapping",
    "model_attributes_type": "a mapping",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "text that matches {pattern}",
    "literal_error": "{expected}",
    "none_required": "nothing",
}


KEY = "[key]"
"""The last step of pydantic's path to a key of a mapping."""


def problems_of(
    error: ValidationError, value: object, mark: Mark | None, model: type[BaseModel], what: str
) -> list[Problem]:
    """The mistakes that `error` found in `value`, which stands at `mark` and was read as `model`.

    `what` names the thing in messages, such as "layer 'conv'".
    """
    found = []
    for path, details in _by_field(error, value).items():
        place = mark_at(value, path) or mark
        messages = [_message(detail, path, model, what) for detail in details]
        found.append(problem_at(place, _joined(messages)))
    return list(dict.fromkeys(found))


def problem_at(mark: Mark | None, message: str) -> Problem:
    """The mistake that stands at `mark`, with the block that it stands in, if it does."""
    return Problem(str(mark), message, mark.within) if mark else Problem("", message)


def first_fault(error: ValidationError) -> str:
    """The first mistake, for what no person wrote and no line numbers fit: `it lacks 'data.classes'`."""
    first = error.errors(include_url=False)[0]
    name, kind = ".".join(map(str, first["loc"])), first["type"]
    if kind == "missing":
        return f"it lacks '{name}'"
    if kind == "unexpected_keyword_argument":
        return f"it has an unknown '{name}'"
    if kind not in EXPECTED:
        return f"'{name}': {first['msg'].removeprefix('Value error, ')}"
    expected = EXPECTED[kind].format(**first.get("ctx", {}))
    subject = f"'{name}'" if name else "it"
    return f"{subject} is {_shown(first['input'])}, expected {expected}"


def _by_field(error: ValidationError, value: object) -> dict[tuple[str | int, ...], list[ErrorDetails]]:
    """The errors of each place, by its path in the config.

    Where a value may be one of several types, pydantic gives an error for each and puts the type's name into the path;
    here the name is taken out, and only the errors of the type that got furthest into the value are kept.
    """
    found: dict[tuple[str | int, ...], list[ErrorDetails]] = {}
    unions: dict[tuple[str | int, ...], int] = {}
    """The path of each value with several types, and how far the best of them got."""
    pending = []
    for detail in error.errors(include_url=False):
        path, union = _without_types(detail, value)
        pending.append((path, union, detail))
        if union is not None:
            unions[union] = max(unions.get(union, 0), len(path))
    for path, union, detail in pending:
        if union is None or len(path) == unions[union]:
            found.setdefault(path, []).append(detail)
    return found


def _without_types(detail: ErrorDetails, value: object) -> tuple[tuple[str | int, ...], tuple[str | int, ...] | None]:
    """The path of an error in the config, and that of the value with several types on the way, if there is one."""
    path: tuple[str | int, ...] = ()
    union = None
    last = len(detail["loc"]) - 1
    for index, step in enumerate(detail["loc"]):
        known = isinstance(value, Mapping) and step in value
        listed = isinstance(value, list | tuple) and isinstance(step, int) and step < len(value)
        if known or listed:
            value = value[step]  # type: ignore[index]
        elif isinstance(step, str) and path and not (detail["type"] == "missing" and index == last):
            union = path
            continue
        path += (step,)
    return path, union


def _joined(messages: Sequence[str]) -> str:
    """One sentence for the errors of one value: `'x' is 'y', expected A, or B`."""
    first, *others = dict.fromkeys(messages)
    if not others:
        return first
    first, mark, guess = first.partition(". Did you mean")
    return ", or ".join([first, *(other.partition(", expected ")[2] or other for other in others)]) + mark + guess


def _message(detail: ErrorDetails, path: tuple[str | int, ...], model: type[BaseModel], what: str) -> str:
    kind = detail["type"]
    names = [str(step) for step in path if isinstance(step, str)]
    of_key = len(names) > 1 and detail["loc"][-1] == KEY
    if of_key and kind in EXPECTED:
        return f"a key of '{names[-2]}' is {_shown(detail['input'])}, expected {_expected(detail)}"
    name = names[-1] if names else what
    if kind == "missing" and isinstance(path[-1], int):
        return f"'{name}' is {_shown(detail['input'])}, expected more of them"
    if kind in ("missing", "extra_forbidden"):
        owner = _model_at(model, path[:-1])
        known = list(owner.model_fields) if owner else []
        of = what if len(path) == 1 else f"'{'.'.join(map(str, path[:-1]))}'"
        if kind == "missing":
            return f"{of} needs '{name}'{_hint(owner, name)}"
        listed = f"it has {', '.join(known)}" if known else "it has none"
        return f"no option '{name}' in {of}; {listed}.{did_you_mean(name, known)}"
    if kind not in EXPECTED:
        message = detail["msg"].removeprefix("Value error, ")
        if not names or kind in ("unknown", "component"):
            return message
        if of_key:
            return f"'{name}' {message}" if message.startswith("is ") else f"'{names[-2]}': {message}"
        return f"'{_name(names, path, model)}'{'' if message.startswith('is ') else ':'} {message}"
    name = _name(names, path, model) if names else what
    expected = _expected(detail)
    given = _shown(detail["input"])
    hint = ""
    if kind == "literal_error" and isinstance(detail["input"], str):
        hint = did_you_mean(detail["input"], expected.replace("'", "").replace(" or ", ", ").split(", "))
    return f"'{name}' is {given}, expected {expected}{'.' if hint else ''}{hint}"


def _name(names: Sequence[str], path: Sequence[str | int], model: type[BaseModel]) -> str:
    """What a value is called: by its key, and where people choose the keys by that of the mapping, too: 'sizes.0.5'."""
    chosen = names[-2:] == list(path[-2:]) and len(names) > 1 and _model_at(model, tuple(path[:-1])) is None
    return ".".join(names[-2:]) if chosen else names[-1]


def _expected(detail: ErrorDetails) -> str:
    """What should stand there, for an error of a kind in `EXPECTED`."""
    limits: Mapping[str, Any] = detail.get("ctx", {})
    return EXPECTED[detail["type"]].format(**{k: f"{v:g}" if isinstance(v, float) else v for k, v in limits.items()})


def _shown(value: object) -> str:
    """How a wrong value is quoted: short, and by its YAML kind where it is a container."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = printable(str(value))
    return f"'{text}'" if len(text) <= 40 else f"'{text[:37]}…'"


def _hint(owner: type[BaseModel] | None, name: str) -> str:
    description = owner.model_fields[name].description if owner and name in owner.model_fields else None
    return f" ({description})" if description else ""


def _model_at(model: type[BaseModel], path: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The pydantic model that `path` leads to inside `model`, if it leads to one."""
    for step in path:
        if isinstance(step, int):
            continue
        if step not in model.model_fields:
            return None
        inner = next(_models_in(model.model_fields[step].annotation), None)
        if inner is None:
            return None
        model = inner
    return model


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
