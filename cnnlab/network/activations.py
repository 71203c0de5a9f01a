"""What layers put out, captured without changing the network."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, unknown
from cnnlab.models.undisturbed import undisturbed


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

    def keep(name: str) -> None:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                # a copy: a later in-place layer would change it
                found[name] = output.detach().clone()

        modules[name].register_forward_hook(hook)

    with undisturbed(model), torch.no_grad():
        for name in layers:
            keep(name)
        model(images)
    return {name: found[name] for name in layers if name in found}
