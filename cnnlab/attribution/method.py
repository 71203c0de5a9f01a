"""A method of attribution: a registered function, its options, what it needs, and all else that is special about it."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from torch import Tensor

from cnnlab.attribution.capture import Capture, GradientTarget
from cnnlab.attribution.head import Head, HeadKind
from cnnlab.attribution.piece import Batch, Steps, UnfitError
from cnnlab.attribution.result import without_evidence
from cnnlab.core.registry import Component, Entry, Registry

Kind: TypeAlias = Literal["cam", "pixel"]
Occasion: TypeAlias = Literal["audit", "gallery", "measured", "sanity"]
"""Occasions to show methods that nobody named: the audit, a report's gallery, the gallery's table of how far to trust
each map, and the randomisation test beside the map that fits the head."""

Value = TypeVar("Value")
Made = TypeVar("Made", bound=Callable[..., Any])


class Known(Enum):
    """What is found out about the network once for a whole request."""

    layouts = "the order of dimensions in which its layers put out their maps"
    head = "what lies behind the layer that is looked at"


@dataclass(frozen=True)
class Shared(Generic[Value]):
    """Something worked out once for all methods on a batch that need it."""

    steps: Callable[[Batch], Steps[Value]]
    passes: Callable[[Batch], int]
    """Passes through the network that `steps` makes."""


Need: TypeAlias = Known | Shared[Any]


@dataclass(frozen=True, eq=False)
class Work:
    """A batch of images with what its methods share."""

    batch: Batch
    capture: Capture
    shared: dict[Hashable, Any]

    def of(self, shared: Shared[Value]) -> Value:
        """What `shared` gave for this batch.

        Raises: UnfitError where the network has none.
        """
        found = self.shared[shared]
        if isinstance(found, UnfitError):
            raise found
        value: Value = found
        return value


def _no_passes(batch: Batch, **options: object) -> int:
    return 0


def _no_wants(batch: Batch, **options: object) -> tuple[GradientTarget, ...]:
    return ()


def _fits(**options: object) -> None:
    return


def _no_warning(head: Head) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Method:
    """What is known of a method beside its function, whose keyword-only parameters are its options.

    `wants`, `passes` and `check` are called with those options by name.
    """

    name: str
    label: str
    """The name as the field writes it."""
    kind: Kind
    """A map at a layer's own size, or one value for each pixel."""
    sentence: str
    """What a place's value is."""
    paper: str
    needs: tuple[Need, ...] = ()
    """What is found out before it runs, once for all methods that need it."""
    wants: Callable[..., tuple[GradientTarget, ...]] = _no_wants
    """What is differentiated at the layer, for a batch; all in one capture."""
    passes: Callable[..., int] = _no_passes
    """Passes of its own for a batch, at most; what it shares is counted by whoever makes it.

    Raises: RequestError for options that do not suit the images.
    """
    check: Callable[..., None] = _fits
    """Raises: RequestError for options that do not go together."""
    warning: Callable[[Head], str | None] = _no_warning
    """What to know of it behind a head, where it is not faithful there."""
    remark: Callable[[Tensor], str | None] = without_evidence
    """What to know of its finished maps (n, t, h, w), such as that some are empty."""
    of_layer: bool = False
    """Whether a method of pixels looks at a layer, too."""
    signed: bool = True
    """Whether a value below 0 speaks against the target."""
    of_class: bool = True
    """Whether the map depends on which class is asked for."""
    against: bool = False
    """Whether a value above 0 speaks against the target."""
    first_for: tuple[HeadKind, ...] = ()
    """The heads behind which it is chosen where none is asked for: its map is exact there, or nearest to it."""
    unasked: tuple[Occasion, ...] = ()

    @property
    def entry(self) -> Entry:
        """The function, with its options."""
        return FUNCTIONS[self.name]

    @property
    def told(self) -> dict[str, str]:
        """What is told of it where it is listed, beside its options."""
        maps = "a layer's feature maps" if self.kind == "cam" else "pixels"
        return {"label": self.label, "value": self.sentence, "maps": maps, "paper": self.paper}

    @property
    def uses_layer(self) -> bool:
        """Whether it looks at a layer's feature maps."""
        return self.kind == "cam" or self.of_layer


FUNCTIONS = Registry("method", supplies=("work", "model", "images", "target", "seed", "max_batch"))
"""Each gives the steps that end with a `MethodMaps`."""

METHODS: dict[str, Method] = {}
"""The methods by name; filled by `cnnlab.attribution.catalog`."""


def register(method: Method) -> Callable[[Made], Made]:
    """The decorator that makes a function a method."""

    def add(function: Made) -> Made:
        FUNCTIONS.register(method.name, facts=method)(function)
        METHODS[method.name] = method
        return function

    return add


def of_methods(chosen: Sequence[Component]) -> tuple[Method, ...]:
    """What is known of each of the chosen methods."""
    return tuple(METHODS[one.name] for one in chosen)
