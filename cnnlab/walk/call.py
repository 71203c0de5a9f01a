"""One operation as torch executes it: its name, its arguments by name, and what its tensors depend on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from cnnlab.walk.joining import slid
from cnnlab.walk.tag import Tag
from cnnlab.walk.taps import Taps, middle

Gates = Literal["kept", "ignored", "both"]
"""What becomes of factors of one number per channel: with "both" they are ignored along the second half of the axes."""


class UnknownOptionError(Exception):
    """An overload of an operation that lacks an argument which the rule needs."""


@dataclass(eq=False)
class Call:
    """An operation with its results, whose tensors have shapes and dtypes whether or not they have values."""

    name: str
    """Without namespace, overload and the underscore of in-place twins, such as `convolution`."""
    arguments: Mapping[str, Any]
    """Its arguments by the names of the schema, defaults filled in, without those that only take a result (`out=`)."""
    results: Sequence[Tensor]
    tag_of: Callable[[Tensor], Tag | None]
    value_of: Callable[[Tensor], Tensor | None]
    """The values of a small tensor that does not depend on the input, where they are known."""
    gates: Gates = "kept"
    narrow: bool = False
    """Whether of each window only the middle counts."""
    parameters: tuple[str, ...] = ()
    """The parameters among its arguments, as they are or through a view."""
    tensors: list[Tensor] = field(init=False)
    """Every tensor among the arguments, those in lists included."""
    tags: list[Tag] = field(init=False)
    """The tags of every tensor argument that depends on the input, before anything is written into one."""

    def __post_init__(self) -> None:
        self.tensors = []
        for value in self.arguments.values():
            if isinstance(value, Tensor):
                self.tensors.append(value)
            elif isinstance(value, list | tuple):
                self.tensors += [one for one in value if isinstance(one, Tensor)]
        self.tags = [tag for tag in map(self.tag_of, self.tensors) if tag is not None]

    def __getitem__(self, name: str) -> Any:
        if name not in self.arguments:
            raise UnknownOptionError(f"{self.name} has no '{name}'")
        return self.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        """An argument that not every overload has."""
        return self.arguments.get(name, default)

    def tag(self, name: str) -> Tag | None:
        """The tag of a tensor argument; None where it is absent or depends on nothing."""
        tensor = self.arguments.get(name)
        return self.tag_of(tensor) if isinstance(tensor, Tensor) else None

    def slid(self, tag: Tag, dim: int, taps: Taps, size: int) -> Tag:
        """Along `dim` (of `size` elements) each output joins its taps, or takes the middle one."""
        return slid(tag, dim, middle(taps) if self.narrow else taps, size)

    @property
    def output(self) -> Tensor:
        """The result, or the first of several."""
        return self.results[0]


Transfer = Callable[[Call], Tag | list[Tag | None] | None]
"""From a call to the tag of its result; a list for an operation with several results."""


def whole(dim: int, rank: int) -> int:
    """A dimension counted from the end as one from the start."""
    return dim % rank if rank else 0


def numbered(tensor: Tensor) -> Tensor:
    """The elements' numbers, from 0, in the tensor's shape: what moves elements is replayed on them."""
    return torch.arange(tensor.numel()).reshape(tensor.shape)
