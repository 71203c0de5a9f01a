"""Options with a fixed set of words."""

from enum import StrEnum


class Split(StrEnum):
    """Which pictures of a run's data set."""

    train = "train"
    validation = "validation"
    test = "test"


class TestTime(StrEnum):
    """Test-time augmentation."""

    none = "none"
    flip = "flip"


class Weights(StrEnum):
    """Which weights of a run."""

    best = "best"
    last = "last"
