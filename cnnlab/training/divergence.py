"""Where a number that is not finite appeared first."""

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


def first_non_finite(model: nn.Module, images: Tensor) -> str:
    """A sentence that names the first layer with NaN or infinity, in the order of a forward pass of `images`.

    The running statistics of the model are left as they were.
    """
    if not torch.isfinite(images).all():
        return "the input pictures hold a value that is not finite"
    found: list[str] = []
    handles: list[RemovableHandle] = []
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}

    def watch(name: str, module: nn.Module) -> None:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if found or not isinstance(output, Tensor) or torch.isfinite(output).all():
                return
            bad = [p for p, value in module.named_parameters() if not torch.isfinite(value).all()]
            cause = f"its {bad[0]} is not finite" if bad else "its output is, its weights are not"
            found.append(f"{name} ({cause})" if bad else f"{name} (its output; its weights are finite)")

        handles.append(module.register_forward_hook(hook))

    for name, module in model.named_modules():
        if not any(module.children()):
            watch(name, module)
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(buffers[name])
    if found:
        return f"it appears first in layer {found[0]}"
    return "every layer's output is finite; the loss itself overflows"
