"""A forward pass in the memory layout in which it is fastest, and what layers put out on the way.

What is captured is a copy, and the network is not changed.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, WorkError, unknown
from cnnlab.models.failure import LAYER_FAILURES
from cnnlab.models.tensors import lone_tensor
from cnnlab.models.undisturbed import observe


def forward(model: Callable[[Tensor], object], images: Tensor, *, again: Callable[[], object] | None = None) -> object:
    """What `model` puts out for `images` (n, c, h, w), which it is given channels last where that is faster.

    On a processor it is: oneDNN's convolutions would reorder every input that lies otherwise. A network that reshapes
    its maps by `view` cannot take them so, or refuses them itself; `again` is called then, and it runs once more on
    images in rows: what it raises there is its own.
    """
    if images.dim() != 4 or images.device.type != "cpu":
        return model(images)
    try:
        return model(images.contiguous(memory_format=torch.channels_last))
    except LAYER_FAILURES as error:
        if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
            raise
    if again is not None:
        again()
    return model(images.contiguous())


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
        tensor = lone_tensor(output)
        if tensor is not None:
            # a copy: a later in-place layer would change it
            found[name] = tensor.detach().clone()

    with observe(model, keep, layers=layers):
        model(images)
    return {name: found[name] for name in layers if name in found}


def check_finite(outputs: Mapping[str, Tensor], name: str) -> None:
    """See to it that layers put out numbers.

    Arguments:
        outputs: of layers, by name, as `capture_outputs` gives them.
        name: of the network.

    Raises: WorkError that names the first layer with NaN or infinite values.
    """
    for layer, output in outputs.items():
        if not bool(output.isfinite().all()):
            raise WorkError(f"what {layer} of {name} puts out is NaN or infinite: its weights diverged")
