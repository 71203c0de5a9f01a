"""What a config can name under `data:`."""

from typing import Annotated

from cnnlab.core.registry import Chosen, Component, Registry

DATASETS = Registry("dataset", supplies=("place", "part"))
"""Each makes a `Dataset`: `place` is a `DataPlace`, `part` "train" or "test"."""

AUGMENTATIONS = Registry("augmentation", supplies=("classes",))
"""Each makes an `Augmentation`: a change of a whole batch; `classes` is their number."""

DatasetChoice = Annotated[Component, Chosen("dataset")]
AugmentationChoice = Annotated[Component, Chosen("augmentation")]
