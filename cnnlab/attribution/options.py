"""Options of the methods that have any, with the values that their papers or the field's habits give."""

from dataclasses import dataclass, fields

from jaxtyping import Float
from torch import Tensor

from cnnlab.attribution.integrated_gradients import Quadrature
from cnnlab.attribution.perturbation_cams import ScoreWeights
from cnnlab.core.errors import RequestError


@dataclass(frozen=True, kw_only=True, eq=False)
class Options:
    """What can be chosen; each option says which method reads it.

    Raises: RequestError for a number out of range.
    """

    baseline: Float[Tensor, "*b"] | None = None
    """integrated_gradients, occlusion: what counts as nothing, broadcast against the pictures; None is 0."""
    steps: int = 32
    """integrated_gradients: points of the line."""
    quadrature: Quadrature = "gauss_legendre"
    """integrated_gradients."""
    tolerance: float | None = None
    """integrated_gradients: `steps` doubles until the values add up to within this share of the score's difference."""
    max_steps: int = 512
    """integrated_gradients: where doubling ends."""
    samples: int = 25
    """smoothgrad: noisy copies of each picture."""
    noise: float = 0.15
    """smoothgrad: standard deviation, as a share of the picture's range."""
    window: int | None = None
    """occlusion: side of the covered square in pixels; None is a quarter of the picture's shorter side."""
    stride: int | None = None
    """occlusion: pixels between windows; None is half of the window."""
    masks: int = 500
    """rise."""
    cells: int = 7
    """rise: cells of the grid along each axis."""
    keep: float = 0.5
    """rise: probability that a cell is open."""
    centred: bool = True
    """rise: take the mean probability off first."""
    score_weights: ScoreWeights = "softmax"
    """scorecam."""
    gamma: float = 0.6
    """finercam: how much of the nearest classes' mean logit is taken off."""
    nearest: int = 3
    """finercam: how many classes."""

    def __post_init__(self) -> None:
        for name in ("steps", "max_steps", "samples", "window", "stride", "masks", "cells", "nearest"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise RequestError(f"{name}: is {value}, expected 1 or more")
        if self.tolerance is not None and not self.tolerance > 0:
            raise RequestError(f"tolerance: is {self.tolerance}, expected more than 0")
        if not 0 < self.keep < 1:
            raise RequestError(f"keep: is {self.keep}, expected more than 0 and less than 1: masks hide some cells")
        if self.centred and self.masks < 2:
            raise RequestError("masks: is 1, expected 2 or more: less its own mean one mask has no value left")
        for name in ("noise", "gamma"):
            if getattr(self, name) < 0:
                raise RequestError(f"{name}: is {getattr(self, name)}, expected 0 or more")

    def window_for(self, height: int, width: int) -> tuple[int, int]:
        """Window and stride of occlusion in pixels, for pictures of this size."""
        window = self.window or max(1, min(height, width) // 4)
        return window, self.stride or max(1, window // 2)


OPTION_NAMES = tuple(field.name for field in fields(Options))
