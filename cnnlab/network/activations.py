"""What layers put out, captured without changing the network."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, unknown
from cnnlab.models.observe import observe


def capture_outputs(model: nn.Module, images: Float[Tensor, "n c h w"], layers: Sequence[str]) -> dict[str, Tensor]:
    """The outputs of `layers` for `images`, in evaluation mode and without gradients; copies, in order of `layers`.

    A layer that runs several times gives its last output; one that does not run, or gives no tensor, is left out. The
    network is as it was afterwards, hooks included, also after an exception.

    Raises: RequestError for a name that is no layer of the model.
    """
    modules = dict(model.named_modules())
    for name in layers:
        if name not in modules:
            raise RequestError(unknown("layer", name, [n for n in modules if n]))
    found: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            # a copy: a later in-place layer would change it
            found[name] = output.detach().clone()

    with observe(model, keep, layers=layers):
        model(images)
    return {name: found[name] for name in layers if name in found}
