"""The high-contribution area of a map: the number by which large kernels are compared, on two scales.

Ding, Zhang, Zhou, Han, Ding and Sun 2022 (RepLKNet), arXiv:2203.06717, the comparison of effective receptive fields:
the smallest square about the middle that holds more than a share t of the map, and the part r of the picture that it
covers. Their map is first *log-compressed*, A = log₁₀(S + 1) / max, with S the sum of the positive gradients over the
input's channels, averaged over pictures. A faint background then weighs nearly as much as the peak, and the score
depends on the size of S: doubling the network's outputs changes it. The linear scale has neither trait, and its
figures are not comparable with published ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from cnnlab.receptive_field.effective.influence import check, distances

Scale = Literal["log", "linear"]
SHARES = (0.2, 0.3, 0.5, 0.99)
"""Those of the paper's table."""


@dataclass(frozen=True)
class AreaScore:
    """The smallest centred square for one share, on one scale."""

    scale: Scale
    """What the share is a share of: the map itself, or log₁₀(map + 1)."""
    share: float
    """More than this of the mass lies inside; 0 … 1."""
    side: int
    """px, odd; at most the picture's longer side."""
    area: float
    """The part of the picture's pixels that the square covers (r, side²/(H·W) while it lies inside), 0 … 1."""


def area_scores(
    contributions: Float64[Tensor, "h w"],
    *,
    scale: Scale,
    shares: Sequence[float] = SHARES,
    centre: tuple[int, int] | None = None,
) -> tuple[AreaScore, ...]:
    """The score of a map of summed contributions (not the mean over channels: the log scale is not linear).

    `centre` is a pixel (row, column), (H // 2, W // 2) if None as in the paper's script. Unlike that script a square of
    one pixel and one that covers the whole picture are also possible answers.

    Raises: ValueError for a map that is not valid, for a share outside 0 … 1, or for a centre outside the map.
    """
    check(contributions)
    if any(not 0 <= share < 1 for share in shares):
        raise ValueError(f"shares {', '.join(f'{share:g}' for share in shares)}: each is 0 or more and less than 1")
    h, w = contributions.shape
    row, column = (h // 2, w // 2) if centre is None else centre
    # No share depends on the logarithm's base or on a division by the maximum; log1p keeps what is tiny beside 1.
    mass = torch.log1p(contributions) if scale == "log" else contributions
    ring = distances(contributions, (float(row), float(column))).long().flatten()
    rings = int(ring.max()) + 1
    held = torch.zeros(rings, dtype=torch.float64, device=mass.device).index_add_(0, ring, mass.flatten()).cumsum(0)
    covered = torch.bincount(ring, minlength=rings).cumsum(0)
    wanted = torch.tensor(shares, dtype=torch.float64, device=mass.device)
    found: list[int] = torch.searchsorted(held / held[-1], wanted, right=True).tolist()
    return tuple(
        AreaScore(scale, share, min(2 * half + 1, max(h, w)), int(covered[half]) / (h * w))
        for share, half in zip(shares, found, strict=True)
    )
