"""What an image is made for: a channel of a layer, or the score of a class."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, unknown
from cnnlab.walk.layouts import Layouts, layouts_of


@dataclass(frozen=True)
class Channel:
    """The mean of one channel of a layer over all its places; of a flat layer, one feature."""

    layer: str
    channel: int

    def __str__(self) -> str:
        return f"channel {self.channel} of {self.layer}"


@dataclass(frozen=True)
class ClassScore:
    """The logit of one class. Not its probability, which also rises where the other classes fall."""

    index: int

    def __str__(self) -> str:
        return f"class {self.index}"


Objective = Channel | ClassScore


def check_objective(model: nn.Module, objective: Objective) -> None:
    """Refuse an objective whose layer is not there.

    Raises: RequestError for a name that is no layer of the model.
    """
    if isinstance(objective, Channel):
        names = [name for name, _ in model.named_modules() if name]
        if objective.layer not in names:
            raise RequestError(unknown("layer", objective.layer, names))


def score(
    model: nn.Module, images: Float[Tensor, "n c h w"], objective: Objective, *, layouts: Layouts | None = None
) -> Float[Tensor, "n"]:
    """The objective for each image, differentiable; of a layer that runs several times, its last output.

    `layouts` are the network's for images of this size, where the caller has them.

    Raises: RequestError for a class or channel that is not there, and for a layer without channels.
    """
    if isinstance(objective, ClassScore):
        scores = model(images)
        if not isinstance(scores, Tensor) or scores.dim() != 2:
            raise RequestError("this network gives no row of class scores, so no class can be maximised")
        _check_index("class", objective.index, scores.shape[1])
        return scores[:, objective.index].float()
    found: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            # a copy: a later in-place layer would change it
            found[:] = [output.clone()]

    handle = model.get_submodule(objective.layer).register_forward_hook(keep)
    try:
        model(images)
    finally:
        handle.remove()
    if not found or found[0].dim() < 2:
        raise RequestError(f"layer '{objective.layer}' gives no channels, or does not run in a forward pass")
    output = found[0]
    if output.dim() > 2:
        output = (layouts or layouts_of(model, images.shape[1:])).of(objective.layer).maps(output)
    _check_index(f"channel of layer '{objective.layer}'", objective.channel, output.shape[1])
    channel = output[:, objective.channel].float()
    return channel.flatten(1).mean(1) if channel.dim() > 1 else channel


def _check_index(what: str, index: int, count: int) -> None:
    if not 0 <= index < count:
        raise RequestError(f"no {what} {index}: there are {count}, from 0 to {count - 1}")
