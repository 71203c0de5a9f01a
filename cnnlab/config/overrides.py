"""`training.epochs=3` on the command line: edits of the YAML tree, made before it is checked.

A path goes through mappings by key, through lists by number (from 0), and through a component either way: both
`optimizer.lr=0.1` and `optimizer.sgd.lr=0.1` reach the option of `optimizer: {sgd: {lr: …}}`. The value is YAML.
"""

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from cnnlab.core.errors import ConfigError, Problem, did_you_mean, unknown
from cnnlab.core.registry import Chosen, Registry
from cnnlab.core.yaml import Items, Mark, Table, Text, Value, parse_value


class _WrongError(Exception):
    """An override that cannot be applied; becomes a Problem."""


def apply_overrides(tree: Table, overrides: Sequence[str], schema: type[BaseModel]) -> list[Problem]:
    """Edit `tree` in place, which has the shape of `schema`; returns the overrides that do not fit."""
    problems = []
    for text in overrides:
        mark = Mark(f"override '{text}'")
        try:
            path, equals, written = text.partition("=")
            if not equals or not path:
                raise _WrongError("expected KEY=VALUE, such as training.epochs=3")
            _set(tree, schema, path.split("."), parse_value(written, mark), mark)
        except _WrongError as error:
            problems.append(Problem(str(mark), str(error)))
        except ConfigError as error:
            problems.extend(Problem(str(mark), problem.message) for problem in error.problems)
    return problems


def _set(table: Table, schema: type[BaseModel], path: Sequence[str], value: Value, mark: Mark) -> None:
    """Put `value` where `path` leads inside `table`, making the mappings on the way."""
    key, rest = path[0], path[1:]
    if key not in schema.model_fields:
        raise _WrongError(unknown("option", key, schema.model_fields))
    field = schema.model_fields[key]
    annotation = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    if not rest:
        table.put(key, value, mark)
    else:
        default = field.default if isinstance(field.default, str) else None
        inner = _changed(table.get(key), annotation, rest, value, mark, default, key)
        table.put(key, inner, table.marks.get(key, mark))


def _changed(
    node: Value, annotation: Any, path: Sequence[str], value: Value, mark: Mark, default: str | None, key: str
) -> Value:
    """`node`, which is read as `annotation`, with `value` at `path` inside it."""
    if not path:
        return value
    annotation, metadata = _bare(_form_of(annotation, node))
    chosen = next((m for m in metadata if isinstance(m, Chosen)), None)
    if chosen:
        return _changed_component(node, chosen.kind, path, value, mark, default, key)
    if get_origin(annotation) is list or (annotation is Any and isinstance(node, Items)):
        items = Items(node, node.mark) if isinstance(node, Items) else Items([], mark)
        index = int(path[0]) if path[0].isdecimal() else len(items)
        if index >= len(items):
            raise _WrongError(f"'{key}' is a list of {len(items)}, counted from 0; '{path[0]}' is not in it")
        items[index] = _changed(
            items[index], next(iter(get_args(annotation)), Any), path[1:], value, mark, None, f"{key}.{index}"
        )
        return items
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not isinstance(node, Table | None):
            raise _WrongError(f"'{key}' is no mapping in the file, so there is no '{path[0]}' in it")
        table = Table(mark) if node is None else node
        _set(table, annotation, path, value, mark)
        return table
    if get_origin(annotation) is dict or isinstance(node, Table):
        inner = Table(mark) if node is None else node
        if not isinstance(inner, Table):
            raise _WrongError(f"'{key}' is no mapping in the file, so there is no '{path[0]}' in it")
        values = get_args(annotation)[1] if get_origin(annotation) is dict else Any
        if _is_plain(values):  # nothing is inside a value: the dot belongs to a key, as in `training.sizes.0.5=24`
            path = [".".join(path)]
        inner.put(path[0], _changed(inner.get(path[0]), values, path[1:], value, mark, None, path[0]), mark)
        return inner
    raise _WrongError(f"'{key}' is a value and has no '{path[0]}'")


def _changed_component(
    node: Value, kind: str, path: Sequence[str], value: Value, mark: Mark, default: str | None, key: str
) -> Value:
    """`name`, `{name: options}` or nothing, with an option set."""
    if isinstance(node, Table) and len(node) == 1:
        name, options = next(iter(node.items()))
        place = node.marks[name]
    elif isinstance(node, Text) or (node is None and default):
        name, options, place = str(node or default), None, getattr(node, "mark", mark)
    else:
        raise _WrongError(f"'{key}' is not set; name one first: {key}=NAME")
    registry = Registry.of(kind)
    if name not in registry:
        raise _WrongError(unknown(kind, name, [entry.name for entry in registry]))
    entry = registry[name]
    known = entry.options.model_fields
    if path[0] == name and (len(path) > 1 or name not in known):
        path = path[1:]
    if not path:
        raise _WrongError(f"'{key}' is the {kind} '{name}'; write {key}.OPTION=VALUE or {key}=NAME")
    if path[0] not in known:
        other = f"; write {key}={path[0]} first" if path[0] in registry else f".{did_you_mean(path[0], known)}"
        raise _WrongError(f"no option '{path[0]}' in {kind} '{name}'; it has {', '.join(known) or 'none'}{other}")
    table = options if isinstance(options, Table) else Table(place)
    _set(table, entry.options, path, value, mark)
    outer = Table(place)
    outer.put(name, table, place)
    return outer


def _form_of(annotation: Any, node: Value) -> Any:
    """Of a mapping or a list, as a network may be written, the one that `node` is; any other annotation itself."""
    bare, _ = _bare(annotation)
    parts = get_args(bare) if get_origin(bare) in (Union, UnionType) else ()
    forms = [part for part in parts if get_origin(_bare(part)[0]) is (None if isinstance(node, Table) else list)]
    return forms[0] if forms else annotation


def _is_plain(annotation: Any) -> bool:
    """Whether a value of it has nothing inside, as a number or a text."""
    bare, metadata = _bare(annotation)
    chosen = any(isinstance(one, Chosen) for one in metadata)
    return not chosen and isinstance(bare, type) and issubclass(bare, int | float | str)


def _bare(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Without Annotated and `| None`; with the metadata found on the way."""
    metadata: tuple[Any, ...] = ()
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            metadata += tuple(more)
        elif get_origin(annotation) in (Union, UnionType):
            parts = [part for part in get_args(annotation) if part is not NoneType]
            if len(parts) != 1:
                return annotation, metadata
            annotation = parts[0]
        else:
            return annotation, metadata
