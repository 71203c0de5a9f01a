"""Options with a fixed set of words."""

from enum import StrEnum
from typing import Literal

from cnnlab.core.errors import RequestError


class Split(StrEnum):
    """Which images of a run's data set."""

    train = "train"
    validation = "validation"
    test = "test"


Open = Literal["train", "validation"]
"""The parts that may be looked into."""


def looked_into(split: Split | None) -> Open | None:
    """`split`, where it is a part that may be looked into.

    Raises: RequestError for the test part: what is learned from it is learned too early.
    """
    if split is Split.test:
        raise RequestError("the test part is opened by `cnnlab eval --split test` alone; use --split validation")
    return None if split is None else "train" if split is Split.train else "validation"


class TestTime(StrEnum):
    """Test-time augmentation."""

    none = "none"
    flip = "flip"


class Weights(StrEnum):
    """Which weights of a run."""

    best = "best"
    last = "last"
