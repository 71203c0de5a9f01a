"""A stranger: a network as people have it, and what each command must say of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

WHOLE: Literal["whole"] = "whole"
"""The field of a layer whose every unit sees the whole image."""

Size: TypeAlias = int | tuple[int, int] | Literal["whole"]
"""r of a layer in closed form: a side, (rows, columns), or the whole image."""


@dataclass(frozen=True)
class Refusal:
    """One clear sentence in place of a value; `words` stand in it."""

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "words", words)


@dataclass(frozen=True)
class Cam:
    """The map of `auto`: which layer is looked at, and by which method first."""

    layer: str
    method: Literal["gradcam", "hirescam"] = "gradcam"
    order: Literal["chw", "hwc"] | tuple[int, int] = "chw"
    """How the layer's own output lies: (n, c, h, w), (n, h, w, c), or (n, tokens, c), the last of which are patches on
    so many rows and columns."""
    note: str = ""
    """Words of a note or a caution that has to come with it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stranger:
    """One network, and the right answers."""

    name: str
    strange: str
    """What is strange about it."""
    why: str
    """Who has such a network, and why."""
    make: Callable[[], nn.Module]
    shape: tuple[int, int, int] = (3, 16, 16)
    fields: Mapping[str, Size] | Refusal
    """Receptive fields in closed form, of some layers."""
    summary: Refusal | None = None
    """None where it gives parameters and multiply-accumulates."""
    uncounted_by_torch: int = 0
    """Multiply-accumulates, by hand, of the operations that torch's counter leaves out."""
    at_least: bool = False
    """Whether some of its multiply-accumulates have no number, and the summary says so."""
    gradcam: Cam | Refusal
    saliency: Refusal | None = None
    """None where it gives maps."""
    logits: Callable[[Any], Tensor] = field(default=lambda output: output)
    """The logits (n, k) among what it puts out."""
    check: Refusal | None = None
    """None where check-model tells which of the commands will work."""
    inner: Callable[[Any], nn.Module] = field(default=lambda model: model)
    """The network itself, inside of a wrapper, in single precision."""
    needs: str = ""
    """A package that it is skipped without."""
    draws: bool = False
    """Whether it draws random numbers in evaluation mode."""
    mixes: bool = False
    """Whether an image's answer depends on the others of its batch."""
    probed: bool = True
    """Whether rows of NaN can show what it reads: not where it looks at its values."""
    no_baseline: bool = False
    """Whether integrated gradients have to be left out, since an image of zeros has no answer."""
    tolerance: float = 1e-4
    """How far two computations of one number may lie apart, as a share of the largest."""

    def built(self) -> nn.Module:
        """The network, the same at every call, in training mode as its class makes it."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return self.make()
