"""Networks whose weights come from `cnnlab fuse`: they are fused in the same way before those are loaded.

What is fused depends on a network's structure alone. So a file of fused weights needs no other network than the one
that it came from, and a mark in its header.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import safetensors
from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.reading import named_in_utf8
from cnnlab.models.fusing.fuse import Fusion, fuse
from cnnlab.network.network import Network
from cnnlab.network.speed import noise

FUSED = "fused"
"""The fact in the header of a file of weights that they are those of a fused network: what they were made of."""

N = TypeVar("N", bound=Network)


def fused(model: nn.Module, shape: Shape) -> Fusion:
    """Fuse a network, which is changed, with a pass on noise of `shape` (channels, height, width)."""
    return fuse(model, noise(shape, model))


def as_fused(network: N) -> N:
    """The network with its layers fused, its twins with random weights too; its module is changed."""
    fresh, shape = network.fresh, network.shape
    twins: Callable[[int], nn.Module] | None = None
    if fresh is not None:
        made = fresh

        def twins(seed: int) -> nn.Module:
            return fused(made(seed), shape).model

    return replace(network, model=fused(network.model, shape).model, fresh=twins, fused=True)


def fused_for(network: N, file: Path) -> N:
    """The network as it takes the weights of a file: fused, where those are a fused network's."""
    return as_fused(network) if holds_fused(file) else network


def is_fused(facts: Mapping[str, Any]) -> bool:
    """Whether the facts of a file of weights say that they are a fused network's."""
    return FUSED in facts


def holds_fused(path: Path) -> bool:
    """Whether a file of weights says that they are a fused network's; a file that cannot be read does not."""
    try:
        with named_in_utf8(path) as name, safetensors.safe_open(name, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("cnnlab", "null"))
    except (safetensors.SafetensorError, OSError, ValueError):
        return False
    return isinstance(facts, dict) and is_fused(facts)
