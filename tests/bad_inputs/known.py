"""The names that an error lists where one is unknown, from the registries: a new entry changes no row of the table."""

import cnnlab.data.catalog
import cnnlab.fit.catalog
import cnnlab.models.catalog  # noqa: F401  the three fill the registries
from cnnlab.config.config import Config
from cnnlab.config.training_section import Training
from cnnlab.core.registry import Registry

LISTED = 12
"""How many are named before the rest is counted."""


def known(kind: str) -> str:
    """`known: avg_pool, … and 19 more`, in the order of the alphabet."""
    names = sorted(entry.name for entry in Registry.of(kind))
    rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"known: {', '.join(names[:LISTED])}{rest}"


LAYERS = known("layer")
DATASETS = known("dataset")
AUGMENTATIONS = known("augmentation")
OPTIMIZERS = known("optimizer")
SCHEDULES = known("schedule")
LOSSES = known("loss")
CONFIG_KEYS = f"it has {', '.join(Config.model_fields)}"
MORE_CONFIG_KEYS = len(Config.model_fields) - LISTED
TRAINING_KEYS = f"it has {', '.join(Training.model_fields)}"
