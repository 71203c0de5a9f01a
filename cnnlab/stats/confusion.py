"""Which class is taken for which."""

from dataclasses import dataclass

from jaxtyping import Int64
from torch import Tensor


@dataclass(frozen=True)
class Confusion:
    """`truth` was called `predicted`, one direction."""

    truth: int
    predicted: int
    n: int
    share: float
    """Share of the images of `truth`, 0 … 1."""


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes that are taken for one another, both directions together."""

    first: int
    second: int
    n: int
    first_as_second: int
    second_as_first: int


def confusions(matrix: Int64[Tensor, "k k"]) -> tuple[Confusion, ...]:
    """Every wrong cell that is not empty (rows truth, columns prediction), most pictures first, then largest share."""
    support = matrix.sum(1).tolist()
    found = [
        Confusion(truth, predicted, n, n / support[truth])
        for truth, row in enumerate(matrix.tolist())
        for predicted, n in enumerate(row)
        if n and truth != predicted
    ]
    return tuple(sorted(found, key=lambda c: (-c.n, -c.share, c.truth, c.predicted)))


def confused_pairs(matrix: Int64[Tensor, "k k"]) -> tuple[ConfusedPair, ...]:
    """Every pair of classes with a mistake between them, both directions summed, most pictures first."""
    rows = matrix.tolist()
    found = [
        ConfusedPair(i, j, rows[i][j] + rows[j][i], rows[i][j], rows[j][i])
        for i in range(len(rows))
        for j in range(i + 1, len(rows))
        if rows[i][j] + rows[j][i]
    ]
    return tuple(sorted(found, key=lambda pair: (-pair.n, pair.first, pair.second)))
