"""What a method of attribution is: a registered function with its options, what it works on, and what it gives.

A method works in steps: a generator that yields how many passes through the network each took, and returns the result.
"""

from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.attribution.capture import Capture, GradientTarget
from cnnlab.attribution.tail import Head, HeadKind
from cnnlab.attribution.target import Target
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import Component, Entry, Registry
from cnnlab.walk.layouts import Layouts


@dataclass(frozen=True, eq=False)
class PixelRange:
    """What the network sees where an image is black, and where it is white: a value for each channel."""

    black: Float[Tensor, "c"]
    white: Float[Tensor, "c"]


@dataclass(frozen=True, eq=False)
class Batch:
    """What is asked of at most `max_batch` images."""

    model: nn.Module
    images: Float[Tensor, "n c h w"]
    target: Target
    layers: tuple[str, ...]
    heads: dict[str, Head]
    """Heads by layer, for the methods that depend on it."""
    layouts: Layouts | None
    """Layouts of the network's outputs, where the methods look at layers."""
    eigen: bool
    """First principal component of the weighted feature maps in place of their sum."""
    max_batch: int
    seed: int
    pixels: PixelRange | None
    """None where nobody has said how images are normalised."""
    first: int
    """The number of its first image among all that were asked for."""
    of: int
    """How many images were asked for."""


@dataclass(frozen=True, eq=False)
class MethodMaps:
    """One method's part for one batch."""

    maps: tuple[Float[Tensor, "n t _ _"], ...]
    """One for each layer, or one of the image's size."""
    per_channel: Float[Tensor, "n t c h w"] | None = None
    delta: Float[Tensor, "n t"] | None = None
    notes: tuple[str, ...] = ()
    passes: int = 0
    """Passes of the method by itself, shared ones among them; counted by whoever runs it."""


class UnfitError(RequestError):
    """The network is not made for a method: it is left out, and the others go on."""


def is_affine(batch: Batch, layer: str) -> bool:
    """Whether the score is affine in the layer's maps: a class's logit behind an affine head."""
    return batch.target.function is None and layer in batch.heads and batch.heads[layer].affine


Result = TypeVar("Result")
Steps: TypeAlias = Generator[int, None, Result]
"""Work that yields passes done since the last step, and returns its result.

A pass is one run of the network, forward or backward, on a batch of any size up to `max_batch`. Between two steps the
network is as the caller left it, so that work may be given up at any step.
"""


def finished(steps: Steps[Result]) -> Result:
    """The result of `steps`, done to the end without a word."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


def row_chunks(n: int, each: int, max_batch: int) -> Iterator[tuple[Int64[Tensor, "b"], Int64[Tensor, "b"]]]:
    """Pairs (image, item), `each` items for each of n images, image by image, at most `max_batch` at a time."""
    pairs = torch.arange(n * each)
    for chunk in pairs.split(max_batch):
        yield chunk // each, chunk % each


def add_to_images(total: Float[Tensor, "n *s"], rows: Int64[Tensor, "b"], values: Float[Tensor, "b *s"]) -> None:
    """Add row i of `values` to image `rows[i]` of `total`, in place.

    Not `index_add_`, which on a GPU adds in an order that changes from run to run.
    """
    rows = rows.to(values.device)
    for image in rows.unique().tolist():
        total[image] += values[rows == image].sum(0)


def passes_for(batch: Batch, each: int = 1) -> int:
    """How many passes `each` changed images of every image take, of at most `max_batch` at a time."""
    return -(-len(batch.images) * each // batch.max_batch)


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


def without_evidence(maps: Float[Tensor, "n t h w"]) -> str | None:
    """The sentence for maps without a positive value, if there are any."""
    empty = (maps.amax((2, 3)) <= 0).nonzero()[:, 0].tolist()
    if not empty:
        return None
    images = list(dict.fromkeys(empty))
    listed = ", ".join(map(str, images[:8])) + (" …" if len(images) > 8 else "")
    return f"no positive evidence in {len(empty)} of {maps.shape[0] * maps.shape[1]} maps (images {listed})"


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
    wants: Callable[..., tuple[GradientTarget, ...]] = lambda batch, **options: ()
    """What is differentiated at the layer, for a batch; all in one capture."""
    passes: Callable[..., int] = lambda batch, **options: 0
    """Passes of its own for a batch, at most; what it shares is counted by whoever makes it.

    Raises: RequestError for options that do not suit the images.
    """
    check: Callable[..., None] = lambda **options: None
    """Raises: RequestError for options that do not go together."""
    warning: Callable[[Head], str | None] = lambda head: None
    """What to know of it behind a head, where it is not faithful there."""
    remark: Callable[[Tensor], str | None] = without_evidence
    """What to know of its finished maps (n, t, h, w), such as that some are empty."""
    of_layer: bool = False
    """Whether a method of pixels looks at a layer, too."""
    perturbs: bool = False
    """Whether it goes by the answers to changed images or feature maps: most of its time are forward passes."""
    signed: bool = True
    """Whether a value below 0 speaks against the target."""
    of_class: bool = True
    """Whether the map depends on which class is asked for."""
    against: bool = False
    """Whether a value above 0 speaks against the target."""
    first_for: tuple[HeadKind, ...] = ()
    """The heads behind which it is chosen where none is asked for: its map is exact there, or nearest to it."""
    unasked: tuple[Occasion, ...] = ()

    def __call__(self, function: Made) -> Made:
        """Make `function` the method: what is known of one is the decorator of its function."""
        FUNCTIONS.register(self.name, facts=self)(function)
        METHODS[self.name] = self
        return function

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
"""Each gives a `MethodMaps`, or the steps that end with one."""

METHODS: dict[str, Method] = {}
"""The methods by name; filled by `cnnlab.attribution.catalog`."""


def of_methods(chosen: Sequence[Component]) -> tuple[Method, ...]:
    """What is known of each of the chosen methods."""
    return tuple(METHODS[one.name] for one in chosen)
