"""Awkward networks, and the proof that a walk through one of them is right: rows of NaN against its intervals."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.receptive_field.probe import Verification, verification
from cnnlab.walk.facts import Walk
from cnnlab.walk.walker import walked

SHAPE = (4, 12, 10)
"""Neither square nor odd, with channels that can be split in groups."""


def numbers(*shape: int, seed: int = 0) -> Tensor:
    """Weights that a function closes over."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Function(nn.Module):
    """Code that is no layer."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


class Sheared(nn.Module):
    """Element (c, h, w) reads row h − w − c and column w − c: intervals that are constant along no dimension."""

    def forward(self, x: Tensor) -> Tensor:
        c, h, w = (torch.arange(size) for size in x.shape[1:])
        rows = (h[:, None] - w).clamp(0)[None] - c[:, None, None]
        rows = rows.clamp(0).expand(x.shape)
        columns = (w - c[:, None, None]).clamp(0).expand(x.shape)
        return x.gather(2, rows).gather(3, columns)


FRONTS: dict[str, Callable[[], nn.Module]] = {"plain": nn.Identity, "sheared": Sheared}
"""What comes before an operation: in a plain image rows depend on rows alone."""


@dataclass(frozen=True)
class Proof:
    walk: Walk
    verification: Verification


def prove(
    model: nn.Module,
    shape: tuple[int, ...] = SHAPE,
    *,
    unknown: Collection[str] = (),
    on_values: bool = False,
    wide: bool = False,
    max_batch: int = 64,
) -> Proof:
    """Walk and probe; every interval is what the probe saw.

    unknown: the operations that have no rule. wide: some intervals may be wider than what a NaN can show.
    """
    walk = walked(model, shape)
    assert walk.failure is None, walk.failure
    assert walk.on_values == on_values
    assert {operation for operation, _ in walk.unknown} == set(unknown)
    *_, found = verification(model, walk, max_batch=max_batch)
    assert not found.mismatched, [mismatch.sentence for mismatch in found.mismatches]
    assert found.proven
    assert found.compared > 0
    assert wide or not found.wide
    return Proof(walk, found)
