"""What a network expects of a file of weights: names, shapes, and what may be lacking."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from cnnlab.network.weights.tensors import EXTRA

COUNTER = "num_batches_tracked"
"""What batch norm counts since torch 0.4.1; torch fills it in for older files."""

SPELLINGS = (
    ("{}_g", "parametrizations.{}.original0"),
    ("{}_v", "parametrizations.{}.original1"),
    ("{}_orig", "parametrizations.{}.original"),
    ("{}_u", "parametrizations.{}.0._u"),
    ("{}_v", "parametrizations.{}.0._v"),
)
"""Tensors of weight and spectral norm: as hooks (torch.nn.utils.weight_norm) and as parametrisations name them."""


@dataclass(frozen=True)
class Expected:
    """What a network expects."""

    tensors: Mapping[str, Any]
    """Its own, by name; what a module saves besides is no tensor."""
    twins: Mapping[str, frozenset[str]]
    """For every name the others of the same tensor."""
    made: frozenset[str] = frozenset()
    """Buffers that it makes itself and does not save."""

    @staticmethod
    def by(model: nn.Module) -> "Expected":
        """What `model` expects."""
        own = model.state_dict()
        buffers = dict(model.named_buffers(remove_duplicate=False))
        held = dict(model.named_parameters(remove_duplicate=False)) | buffers
        which = {name: _identity(name, held.get(name, tensor)) for name, tensor in own.items()}
        same: dict[Any, set[str]] = {}
        for name, identity in which.items():
            same.setdefault(identity, set()).add(name)
        twins = {name: frozenset(same[identity] - {name}) for name, identity in which.items()}
        return Expected(own, twins, frozenset(set(buffers) - set(own)))

    @cached_property
    def spelt(self) -> dict[str, str]:
        """The network's names by themselves, and by the other spelling of weight and spectral norm."""
        other: dict[str, str] = {}
        for one, two in (*SPELLINGS, *((new, old) for old, new in SPELLINGS)):
            pattern = re.compile(r"((?:.*\.)?)" + re.escape(one).replace(r"\{\}", r"([A-Za-z]\w*?)"))
            for name in self.tensors:
                if found := pattern.fullmatch(name):
                    other.setdefault(found[1] + two.format(found[2]), name)
        return other | {name: name for name in self.tensors}

    @cached_property
    def paths(self) -> frozenset[tuple[str, ...]]:
        """Every place in the network: `a`, `a.b` and `a.b.weight` of the last, as steps."""
        known = [*self.spelt, *self.made]
        return frozenset(tuple(n.split(".")[:depth]) for n in known for depth in range(1, n.count(".") + 2))

    @cached_property
    def chain(self) -> tuple[str, ...]:
        """What stands before every name, from the longest: `module.model`, `module`."""
        names, steps = list(self.tensors), list[str]()
        while names and len({name.partition(".")[0] for name in names}) == 1 and all("." in name for name in names):
            steps.append(names[0].partition(".")[0])
            names = [name.partition(".")[2] for name in names]
        return tuple(".".join(steps[:depth]) for depth in range(len(steps), 0, -1))

    @cached_property
    def packed(self) -> list[str]:
        """Names of what a quantised network keeps in forms of its own."""
        return [
            name
            for name, one in self.tensors.items()
            if (one.is_quantized if isinstance(one, Tensor) else not name.endswith(EXTRA))
        ]

    def missing(self, found: Collection[str]) -> list[str]:
        """Names that a file with `found` lacks, but for what torch fills in and what comes by another name."""
        return [name for name in self.tensors if name not in found and not self.fills(name, found)]

    def fills(self, name: str, found: Collection[str]) -> bool:
        """Whether a file with `found` may lack `name`."""
        return name.rpartition(".")[2] == COUNTER or any(twin in found for twin in self.twins.get(name, ()))

    def takes(self, name: str, tensor: Any) -> bool:
        """Whether `tensor` has the shape of the network's own; torch takes [1] for a single number, as old files do."""
        own = self.tensors[name]
        if not isinstance(own, Tensor) or not isinstance(tensor, Tensor):
            return not isinstance(own, Tensor)
        return is_lazy(own) or own.shape == tensor.shape or (own.dim() == 0 and tensor.shape == (1,))


def _identity(name: str, tensor: Any) -> Any:
    """The same of two tensors that are one in memory, or, without memory, one in Python."""
    if not isinstance(tensor, Tensor):
        return name
    if is_lazy(tensor) or tensor.is_meta or tensor.layout is not torch.strided or not tensor.numel():
        return id(tensor)
    return tensor.data_ptr(), tensor.shape, tensor.stride()
