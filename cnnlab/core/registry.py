"""The registry: a name in YAML is a function here.

    @LAYERS.register("conv")
    def conv(shape: Shape, *, channels: Positive, kernel: Pair = (3, 3)) -> nn.Module:
        '''A convolution.'''

Positional parameters come from the program (each registry says which it supplies), keyword-only ones from YAML. From
the signature a pydantic model is derived, so what a user registers is checked like ours. In a config a component is
written `name` or `name: {option: value, …}`.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import PurePath
from typing import Annotated, Any, ClassVar, TypeVar, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, TypeAdapter, ValidationError, create_model
from pydantic_core import PydanticCustomError, core_schema

from cnnlab.core.errors import ConfigError, Problem, RequestError, unknown
from cnnlab.core.problems import problems_of
from cnnlab.core.quantities import readable
from cnnlab.core.yaml import Mark

Factory = TypeVar("Factory", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry:
    """A registered function: its name, what the program supplies to it, and its options."""

    kind: str
    name: str
    factory: Callable[..., Any]
    supplied: tuple[str, ...]
    facts: Any = None
    """What is known of it without calling it, where its registry keeps such facts."""

    @cached_property
    def options(self) -> type[BaseModel]:
        """The pydantic model of the keyword-only parameters."""
        called = inspect.getattr_static(self.factory, "__init__") if inspect.isclass(self.factory) else self.factory
        hints = get_type_hints(called, include_extras=True)
        fields: dict[str, Any] = {
            p.name: (readable(hints[p.name]), ... if p.default is p.empty else p.default)
            for p in inspect.signature(self.factory).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        }
        config = ConfigDict(extra="forbid", allow_inf_nan=False, validate_default=True, protected_namespaces=())
        return create_model(f"{self.kind}_{self.name}", __config__=config, **fields)

    @property
    def doc(self) -> str:
        """The docstring, its indentation removed."""
        return inspect.getdoc(self.factory) or ""

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.doc.split("\n", 1)[0]

    def read(self, options: Mapping[str, Any], mark: Mark | None, context: Any) -> "Component":
        """Check the `options` that stand at `mark`: the component that they make.

        Wrong ones go to `context` where that is a list of problems; the component has no options then.

        Raises: ConfigError for wrong options where there is no such list.
        """
        try:
            checked = self.options.model_validate(options, context=context)
        except ValidationError as error:
            tell(problems_of(error, options, mark, self.options, f"{self.kind} '{self.name}'"), context)
            return Component(self, {}, mark)
        return Component(self, {field: getattr(checked, field) for field in self.options.model_fields}, mark)


def tell(problems: Sequence[Problem], context: Any) -> None:
    """Add mistakes to `context`, the list of them that a config is read with.

    Raises: ConfigError where it is no list.
    """
    if not isinstance(context, list):
        raise ConfigError(problems)
    cast(list[Problem], context).extend(problems)


@dataclass(frozen=True)
class Component:
    """A registered function with its checked options: what one entry of a config means."""

    entry: Entry = field(repr=False)
    options: Mapping[str, Any]
    mark: Mark | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """The name in the registry."""
        return self.entry.name

    def build(self, **supplies: Any) -> Any:
        """Call the function with its options and with those of `supplies` that it asks for.

        Raises: RequestError from the function, with the component's place in front where it is known.
        """
        try:
            return self.entry.factory(*(supplies[name] for name in self.entry.supplied), **self.options)
        except RequestError as error:
            raise self.located(error) from error

    def located(self, error: RequestError) -> RequestError:
        """`error` with the component's place in front, where that is known."""
        # what is wrong with a component inside this one has its own place already
        if self.mark is None or str(error).startswith(f"{self.mark.source}:"):
            return error
        first, *more = error.lines
        return RequestError(f"{self.mark}: {self.entry.kind} '{self.name}': {first}{self.mark.within}", *more)

    def as_data(self) -> str | dict[str, Any]:
        """The component as it would be written in YAML, every option spelled out."""
        options = {name: as_data(value) for name, value in self.options.items()}
        return {self.name: options} if options else self.name


def as_data(value: object) -> Any:
    """`value` in plain lists, mappings and scalars, components written as in YAML."""
    if isinstance(value, Component):
        return value.as_data()
    if isinstance(value, BaseModel):
        return {name: as_data(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, list | tuple):
        return [as_data(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): as_data(item) for key, item in value.items()}
    return str(value) if isinstance(value, str | PurePath) else value


class Registry:
    """Names for functions of one kind; `supplies` are the positional parameters that the program can fill in.

    `facts` are those of an entry that brings none of its own.
    """

    _all: ClassVar[dict[str, "Registry"]] = {}

    def __init__(self, kind: str, *, supplies: Sequence[str], facts: object = None) -> None:
        self.kind = kind
        self.facts = facts
        self.supplies = tuple(supplies)
        self._entries: dict[str, Entry] = {}
        self._besides: ContextVar[Mapping[str, Entry] | None] = ContextVar(f"{kind}s besides", default=None)
        Registry._all[kind] = self

    @staticmethod
    def of(kind: str) -> "Registry":
        """The registry of a kind, such as "layer"."""
        return Registry._all[kind]

    def __iter__(self) -> Iterator[Entry]:
        """The entries by name: the order in which modules were imported tells nothing."""
        return iter(sorted(self._known().values(), key=lambda entry: entry.name))

    def __contains__(self, name: object) -> bool:
        return name in self._known()

    def __getitem__(self, name: str) -> Entry:
        known = self._known()
        if name not in known:
            raise RequestError(unknown(self.kind, name, [entry.name for entry in self]))
        return known[name]

    def _known(self) -> Mapping[str, Entry]:
        return {**(self._besides.get() or {}), **self._entries}

    @contextmanager
    def with_entries(self, entries: Mapping[str, Entry]) -> Iterator[None]:
        """Know `entries`, by name, too, for as long as the `with` lasts and in this thread alone."""
        token = self._besides.set(entries)
        try:
            yield
        finally:
            self._besides.reset(token)

    def register(self, name: str, *, facts: object = None) -> Callable[[Factory], Factory]:
        """The decorator that gives a function a name in YAML, and `facts` that can be asked without calling it.

        Raises: ValueError for a name that is taken, an option without annotation, `*args` or `**kwargs`, and a
        positional parameter that this registry does not supply.
        """

        def add(factory: Factory) -> Factory:
            if name in self._entries:
                raise ValueError(f"the {self.kind} '{name}' is registered already")
            supplied = self._check(name, factory)
            self._entries[name] = Entry(self.kind, name, factory, supplied, facts or self.facts)
            return factory

        return add

    def forget(self, name: str) -> None:
        """Take a name out again: for tests and for plugins that are loaded twice."""
        self._entries.pop(name, None)

    def _check(self, name: str, factory: Callable[..., Any]) -> tuple[str, ...]:
        supplied = []
        for p in inspect.signature(factory).parameters.values():
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                raise ValueError(f"the {self.kind} '{name}' takes '{p}'; every option is a named parameter")
            if p.annotation is p.empty:
                raise ValueError(f"the option '{p.name}' of the {self.kind} '{name}' has no annotation")
            if p.kind is p.KEYWORD_ONLY:
                continue
            if p.name not in self.supplies:
                offer = ", ".join(self.supplies)
                raise ValueError(f"the {self.kind} '{name}' asks for '{p.name}'; the program supplies {offer}")
            supplied.append(p.name)
        return tuple(supplied)


class Chosen:
    """The annotation that makes a field a choice from a registry: `Layer = Annotated[Component, Chosen("layer")]`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self._choose)

    def __get_pydantic_json_schema__(self, schema: object, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"registry": self.kind}

    def _choose(self, value: object, info: core_schema.ValidationInfo) -> Component:
        """Read `name` or `{name: options}`; wrong options go to the list of problems in `info.context`, if any."""
        if isinstance(value, Component) and value.entry.kind == self.kind:
            return value
        name, options = self._split(value)
        registry = Registry.of(self.kind)
        if name not in registry:
            raise PydanticCustomError("unknown", cast(Any, unknown(self.kind, name, [e.name for e in registry])))
        entry = registry[name]
        marks = getattr(value, "marks", {})
        mark = marks.get(name) or getattr(value, "mark", None)
        return entry.read(options, mark, info.context)

    def _split(self, value: object) -> tuple[str, Mapping[str, Any]]:
        if isinstance(value, str):
            return str(value), {}
        if isinstance(value, Mapping) and len(value) == 1:
            ((name, options),) = value.items()
            if options is None:
                return str(name), {}
            if isinstance(options, Mapping):
                return str(name), options
        article = "an" if self.kind[0] in "aeiou" else "a"
        message = f"expected {article} {self.kind}, written 'name' or 'name: {{option: value}}'"
        if isinstance(value, Mapping) and len(value) > 1:
            keys = [str(key) for key in value]
            listed = f"'{keys[0]}' and '{keys[1]}'" if len(keys) == 2 else f"{len(keys)} names ('{keys[0]}', …)"
            message += f", and this has {listed}; options are indented under the name"
        raise PydanticCustomError("component", cast(Any, message))


class Section(BaseModel):
    """Abstract: a mapping of the config; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, validate_default=True, frozen=True)


def component(kind: str, name: str, /, **options: Any) -> Component:
    """A component made in Python, its options checked as those from YAML are.

    Raises: RequestError when there is no such name; ConfigError with every wrong option.
    """
    _ = Registry.of(kind)[name]
    problems: list[Problem] = []
    made = _adapter(kind).validate_python({name: options}, context=problems)
    if problems:
        raise ConfigError(problems)
    return made


@cache
def _adapter(kind: str) -> TypeAdapter[Component]:
    return TypeAdapter(Annotated[Component, Chosen(kind)])
