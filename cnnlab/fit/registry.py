"""What a config can name about training."""

from typing import Annotated

from cnnlab.core.registry import Chosen, Component, Registry

LOSSES = Registry("loss", supplies=("counts",))
"""Each makes a `Loss`, a function (logits [n, k], targets) → a scalar; `counts` has the images of each class."""

OPTIMIZERS = Registry("optimizer", supplies=("parameters",))
"""Each makes a `torch.optim.Optimizer` from `parameters`, the `LearningParameters` of a network."""

SCHEDULES = Registry("schedule", supplies=("epochs",))
"""Each makes a function of the progress in 0..1 → the factor on every learning rate; `epochs` is the whole run's."""

CLIPPINGS = Registry("clipping", supplies=("model",))
"""Each makes a function that bounds the gradients of a list of parameters of `model` in place."""

LossChoice = Annotated[Component, Chosen("loss")]
OptimizerChoice = Annotated[Component, Chosen("optimizer")]
ScheduleChoice = Annotated[Component, Chosen("schedule")]
ClippingChoice = Annotated[Component, Chosen("clipping")]
