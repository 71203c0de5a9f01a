"""`model: {python: net.py:build, options: {depth: 20}}`: a config's network in the user's own Python."""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cnnlab.core.errors import RequestError
from cnnlab.core.registry import Section
from cnnlab.core.yaml import Mark, as_python
from cnnlab.models.own import OwnNetwork, is_own, own_network
from cnnlab.models.registry import Layers


class OwnModel(Section):
    """A network of the user's own in place of a list of layers; running its code needs --allow-plugins."""

    python: str = Field(
        description="its place, FILE.py:NAME or package.module:NAME: of a class, of a function, or of a module"
    )
    options: Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else as_python(value))] = (
        Field(
            default={},
            description="its arguments by name; `classes` and `shape` are handed over where it asks for them",
        )
    )
    _mark: Mark | None = PrivateAttr(default=None)
    _base: Path = PrivateAttr(default_factory=Path)

    @property
    def mark(self) -> Mark | None:
        """The place in the config."""
        return self._mark

    @property
    def base(self) -> Path:
        """The folder at which a relative file starts."""
        return self._base

    @property
    def own(self) -> OwnNetwork:
        """The place of the network with all of its arguments."""
        written = own_network(self.python)
        return replace(written, options={**written.options, **self.options})

    def placed(self, python: str, base: Path) -> "OwnModel":
        """The same network under another place; `base` is where a relative file starts."""
        moved = self.model_copy(update={"python": python})
        moved._base = base
        return moved

    def located(self, error: RequestError) -> RequestError:
        """`error` with the place in the config in front; its type and details stay."""
        first, *more = error.lines
        error.args = (f"{self.mark}: {first}" if self.mark else first, *more)
        return error

    def __eq__(self, other: object) -> bool:
        """Whether the other one says the same, wherever it stands."""
        return isinstance(other, OwnModel) and (self.python, self.options) == (other.python, other.options)

    __hash__ = None  # type: ignore[assignment]

    @model_validator(mode="wrap")
    @classmethod
    def _with_mark(cls, value: Any, handler: ModelWrapValidatorHandler["OwnModel"]) -> "OwnModel":
        found = handler(value)
        marks = getattr(value, "marks", {})
        if found is not value:
            found._mark = marks.get("python")
        return found

    @field_validator("python")
    @classmethod
    def _of_that_form(cls, value: str) -> str:
        try:
            own_network(value)
        except RequestError as error:
            raise ValueError(str(error)) from None
        return str(value)

    @field_validator("options")
    @classmethod
    def _each_once(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        written = own_network(info.data["python"]).options if "python" in info.data else {}
        if twice := [name for name in value if name in written]:
            raise ValueError(f"'{twice[0]}' is given twice, here and in {info.data['python']}; leave one of them out")
        return value


def _form(value: Any) -> str:
    """Which of the two forms somebody means."""
    if isinstance(value, OwnModel):
        return _OWN
    named = isinstance(value, Mapping) and any(get_close_matches(key, OwnModel.model_fields, n=1) for key in value)
    return _OWN if named else _LAYERS


def _no_text(value: Any) -> Any:
    """`value`, unless it is the place of a network alone.

    Raises: PydanticCustomError, which says how that is written.
    """
    if isinstance(value, str) and is_own(value):
        word = value[:80]
        message = f"is '{word}', expected a list of layers; a network of your own is written {{python: {word}}}"
        raise PydanticCustomError("own", cast(Any, message))
    return value


_OWN, _LAYERS = "own network", "list of layers"

ModelChoice = Annotated[
    Annotated[Layers, Tag(_LAYERS)] | Annotated[OwnModel, Tag(_OWN)], Discriminator(_form), BeforeValidator(_no_text)
]
"""A list of layers, or a network of the user's own."""
