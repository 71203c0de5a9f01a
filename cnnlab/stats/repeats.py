"""Numbers that were measured several times: their median, and the middle half of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from cnnlab.core.characters import formatted


@dataclass(frozen=True)
class Repeats:
    """What each repeat gave, in their order; at least one.

    Example:
        >>> times = Repeats((4.0, 1.0, 2.0, 3.0, 5.0))
        >>> times.median, times.low, times.high
        (3.0, 2.0, 4.0)
    """

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """What half of them are below."""
        return median(self.values)

    @property
    def low(self) -> float:
        """The first quartile."""
        return self._quartiles[0]

    @property
    def high(self) -> float:
        """The third quartile: half of the values lie between the two."""
        return self._quartiles[1]

    @property
    def _quartiles(self) -> tuple[float, float]:
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        low, _, high = quantiles(self.values, n=4, method="inclusive")
        return low, high

    def over(self, other: "Repeats") -> "Repeats":
        """The ratio of each repeat to the one of `other` that was measured together with it.

        Raises: ValueError where they are not as many.
        """
        return Repeats(tuple(one / two for one, two in zip(self.values, other.values, strict=True)))

    def text(self, form: str, times: float = 1.0) -> str:
        """`2.1 [2.0, 2.3]`: the median with both quartiles, each multiplied by `times`."""
        middle, low, high = (formatted(times * value, form) for value in (self.median, self.low, self.high))
        return f"{middle} [{low}, {high}]"

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {"median": self.median, "low": self.low, "high": self.high, "repeats": len(self.values)}


def together(rows: Sequence[Sequence[float]]) -> tuple[Repeats, ...]:
    """The repeats of several things that were measured in turn; a row has one value of each.

    Example:
        >>> [one.median for one in together([(1.0, 10.0), (3.0, 30.0)])]
        [2.0, 20.0]
    """
    return tuple(Repeats(tuple(values)) for values in zip(*rows, strict=True))
