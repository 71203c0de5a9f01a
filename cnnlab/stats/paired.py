"""Whether one network is right more often than another on the same images: counts of pairs, a test, an interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from cnnlab.stats.confidence import Interval, share_difference, wilson_interval


@dataclass(frozen=True)
class PairedCounts:
    """On how many of the same images two networks are right and wrong."""

    both: int
    first_only: int
    """Images that the first alone gets right."""
    second_only: int
    neither: int

    @property
    def n(self) -> int:
        """All images."""
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def difference(self) -> float:
        """Accuracy of the second minus that of the first, −1 … 1."""
        return (self.second_only - self.first_only) / self.n

    @property
    def interval(self) -> Interval:
        """The 95 % interval of `difference`.

        Newcombe's method 10 (R. G. Newcombe, "Improved confidence intervals for the difference between binomial
        proportions based on paired data", Statistics in Medicine 17:2635, 1998): Wilson's intervals of both accuracies,
        and how they go together. Unlike a bootstrap it leaves something open where no image sets the two apart.
        """
        n, second, first = self.n, self.both + self.second_only, self.both + self.first_only
        return share_difference(
            (second / n, wilson_interval(second, n)), (first / n, wilson_interval(first, n)), correlation=self._phi()
        )

    def _phi(self) -> float:
        """The correlation of being right, with the paper's continuity correction where it is above 0."""
        second, first = self.both + self.second_only, self.both + self.first_only
        scale = second * (self.n - second) * first * (self.n - first)
        if scale == 0:
            return 0.0
        product = self.both * self.neither - self.first_only * self.second_only
        return (max(product - self.n / 2, 0.0) if product > 0 else product) / math.sqrt(scale)

    @property
    def p(self) -> float:
        """McNemar's exact test, two-sided: how often a fair coin splits as unevenly the images that set them apart.

        Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
        Psychometrika 12 (1947); 1 where no image sets them apart.
        """
        # not scipy.stats, which gives the same but takes half a second to import
        from scipy.special import bdtr

        fewer = min(self.first_only, self.second_only)
        return min(1.0, 2 * float(bdtr(fewer, self.first_only + self.second_only, 0.5)))


def paired_counts(first: Bool[Tensor, "n"], second: Bool[Tensor, "m"]) -> PairedCounts:
    """Count the images on which two networks are right.

    Arguments:
        first: of each image, whether the first network is right.
        second: of the same images, in the same order, whether the second is.

    Returns:
        The four counts, with the difference of the accuracies, its interval and a test.

    Raises:
        ValueError: without images, or where the lengths differ.

    Example:
        >>> import torch
        >>> counts = paired_counts(torch.tensor([True, True, False]), torch.tensor([True, False, False]))
        >>> counts.both, counts.first_only, counts.second_only, counts.neither, round(counts.difference, 3)
        (1, 1, 0, 1, -0.333)
    """
    if len(first) != len(second) or len(first) == 0:
        raise ValueError(f"{len(first)} answers against {len(second)}: a pair needs the same images")
    a, b = first.bool().cpu(), second.bool().cpu()
    return PairedCounts(*(int(found.sum()) for found in (a & b, a & ~b, ~a & b, ~a & ~b)))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P values of several tests, so that with a limit of 5 % one in twenty such families has a false alarm at most.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).

    Arguments:
        p_values: of each test by itself, 0 … 1.

    Returns:
        The adjusted ones, in the same order.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        (0.03, 0.06, 0.06)
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return tuple(adjusted)
