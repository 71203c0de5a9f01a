"""Which part of some work is one's own, where several do it together."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """The share of worker `number` (from 0) of `count`: one piece of the work, beside those of its neighbours.

    Example:
        >>> [Share(number, 3).part(7) for number in range(3)]
        [(0, 3), (3, 5), (5, 7)]
        >>> [Share(number, 3).part(3, least=2) for number in range(3)]
        [(0, 3), (3, 3), (3, 3)]
    """

    number: int = 0
    count: int = 1

    def part(self, things: int, *, least: int = 1) -> tuple[int, int]:
        """(begin, end) of one's own among `things`; pieces differ by one at most, and earlier workers have the larger.

        least: the fewest of a piece; where there is too little for all, the last workers have none.
        """
        working = min(self.count, max(1, things // least))
        begin, end = (-(-things * min(number, working) // working) for number in (self.number, self.number + 1))
        return begin, end


WHOLE = Share()
"""All of it."""
