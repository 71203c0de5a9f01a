"""Calibration: of the images that the network is 80 % sure of, are 80 % right?

C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks", ICML 2017, https://arxiv.org/abs/1706.04599.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

BINS = 15
"""Bins of the expected calibration error, as in the paper."""

_LOWEST, _HIGHEST = 0.01, 100.0
"""The range in which a temperature is sought, without unit."""


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose confidence lies in (low, high]; `confidence` and `accuracy` are None in an empty bin."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Temperature:
    """What to divide logits by so that their softmax is calibrated; above 1 means that the network was too sure."""

    value: float
    fitted_on: str
    """Which images it was fitted on, in words: they should not be those that it is judged on."""
    n: int
    loss_before: float
    """Mean cross-entropy in nats on those images, at temperature 1."""
    loss_after: float
    """Mean cross-entropy in nats on those images, at temperature `value`."""
    at_bound: bool
    """No minimum within 0.01 … 100: every image is right (the colder the better), or the logits say nothing."""


@dataclass(frozen=True)
class Calibration:
    """How far confidence and accuracy lie apart."""

    ece: float
    """Expected calibration error, 0 … 1: |accuracy − confidence| of the bins, weighted by their images."""
    bins: tuple[ReliabilityBin, ...]
    mean_confidence: float
    accuracy: float


def calibration(logits: Float[Tensor, "n k"], labels: Int64[Tensor, "n"], *, bins: int = BINS) -> Calibration:
    """Bins of equal width by the largest softmax probability; the error of these very bins.

    torchmetrics' measure agrees but for one case: it gives a confidence of exactly 1.0 a bin of its own.
    """
    confidence, predicted = logits.double().softmax(1).max(1)
    right = (predicted == labels).double()
    place = (confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)
    counts = torch.bincount(place, minlength=bins)
    confidences = torch.bincount(place, weights=confidence, minlength=bins)
    rights = torch.bincount(place, weights=right, minlength=bins)
    error = float((rights - confidences).abs().sum() / len(labels))
    made = tuple(
        ReliabilityBin(
            low=i / bins,
            high=(i + 1) / bins,
            n=int(count),
            confidence=float(confidences[i] / count) if count else None,
            accuracy=float(rights[i] / count) if count else None,
        )
        for i, count in enumerate(counts.tolist())
    )
    return Calibration(error, made, mean_confidence=float(confidence.mean()), accuracy=float(right.mean()))


def fit_temperature(logits: Float[Tensor, "n k"], labels: Int64[Tensor, "n"], *, fitted_on: str) -> Temperature:
    """The temperature with the smallest cross-entropy on these images, normally those of the validation part.

    With β = 1/T the loss mean(logsumexp(βz) − βz_y) is convex, its slope mean(E_p[z] − z_y) and its curvature
    mean(Var_p[z]): Newton's method, kept inside a bracket, finds the minimum in a handful of steps.
    """
    scores = logits.double()
    true = scores.gather(1, labels[:, None])

    def slope_and_curvature(beta: float) -> tuple[float, float]:
        probabilities = (beta * scores).softmax(1)
        mean = (probabilities * scores).sum(1, keepdim=True)
        variance = (probabilities * (scores - mean) ** 2).sum(1)
        return float((mean - true).mean()), float(variance.mean())

    low, high = 1 / _HIGHEST, 1 / _LOWEST
    if slope_and_curvature(high)[0] <= 0:
        beta, at_bound = high, True
    elif slope_and_curvature(low)[0] >= 0:
        beta, at_bound = low, True
    else:
        beta, at_bound = 1.0, False
        for _ in range(100):
            slope, curvature = slope_and_curvature(beta)
            low, high = (beta, high) if slope < 0 else (low, beta)
            newton = beta - slope / curvature if curvature > 0 else low
            following = newton if low < newton < high else (low + high) / 2
            step, beta = abs(following - beta), following
            if step <= 1e-12 * beta:
                break
    return Temperature(
        value=1 / beta,
        fitted_on=fitted_on,
        n=len(labels),
        loss_before=float(torch.nn.functional.cross_entropy(scores, labels)),
        loss_after=float(torch.nn.functional.cross_entropy(beta * scores, labels)),
        at_bound=at_bound,
    )
