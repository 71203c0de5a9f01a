"""A matrix in words, row after row, as on a command line."""

import re

import torch
from jaxtyping import Float
from torch import Tensor

from cnnlab.core.errors import RequestError


def matrix_of(text: str, option: str) -> Float[Tensor, "h w"]:
    """`1 3 / 4 2` as a matrix, row after row (`;` ends one too); `option` names it in errors.

    Raises: RequestError for a word that is no finite number, and rows of different lengths.
    """
    rows = []
    for number, line in enumerate(re.split(r"[/;\n]", text), 1):
        row = []
        for word in line.replace(",", " ").split():
            try:
                row.append(float(word))
            except ValueError:
                raise RequestError(f"{option}: '{word}' in row {number} is no number") from None
        rows.append(row)
    lengths = {len(row) for row in rows}
    if len(lengths) > 1 or lengths == {0}:
        found = ", ".join(str(len(row)) for row in rows)
        raise RequestError(f"{option} has rows of {found} numbers; expected equal rows, such as '1 3 / 4 2'")
    made = torch.tensor(rows, dtype=torch.float64)
    if not bool(made.isfinite().all()):
        raise RequestError(f"{option} has a number that is not finite")
    return made
