"""Loading the weights of the same network under other names: tensors are paired by their layer's place and shape.

Two ways of writing a network down, such as torchvision's classes and a list of layers, give the same layers other names
and may register them in another order: a residual block's projection before its activation, or after it. So layers are
put in the order in which a forward pass calls them, which the arithmetic fixes, and paired one by one: their kind, the
names of their tensors within them and the shapes of these have to agree.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.models.undisturbed import undisturbed


def layers_in_order(model: nn.Module, shape: Shape) -> dict[str, dict[str, Tensor]]:
    """The tensors of each layer that has any of its own, by the layer's name, in the order of a forward pass.

    Arguments:
        model: left as it was.
        shape: of one image: (channels, height, width), in pixels.

    Returns:
        For each layer, its tensors by their names within it; layers that the pass does not reach (auxiliary heads) are
        left out.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.BatchNorm2d(8))
        >>> {name: list(tensors) for name, tensors in layers_in_order(model, (3, 4, 4)).items()}
        {'0': ['weight', 'bias'], '2': ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']}
    """
    found: dict[str, dict[str, Tensor]] = {}
    own = {name: _own_tensors(module) for name, module in model.named_modules()}

    def called(name: str) -> None:
        found.setdefault(name, own[name])

    handles = [
        module.register_forward_pre_hook(lambda _module, _inputs, name=name: called(name))
        for name, module in model.named_modules()
        if own[name]
    ]
    state = next(model.parameters(), torch.empty(0))
    try:
        with undisturbed(model), torch.no_grad():
            model(torch.zeros(1, *shape, dtype=state.dtype, device=state.device))
    finally:
        for handle in handles:
            handle.remove()
    return found


def load_by_structure(model: nn.Module, source: nn.Module, shape: Shape) -> dict[str, str]:
    """Copy the weights and statistics of `source` into `model`, the same network under other names.

    Arguments:
        model: whose tensors are filled, in its own precision.
        source: the network whose weights they are.
        shape: of an image that both take: (channels, height, width), in pixels.

    Returns:
        The name of each of `model`'s tensors that was filled, and the name that it has in `source`.

    Raises:
        RequestError: where layers are not one to one, with the names and shapes of both at the first place where they
            differ; `model` is then as it was.

    Example:
        >>> ours = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
        >>> theirs = nn.Sequential(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)))
        >>> load_by_structure(ours, theirs, (3, 2, 2))
        {'1.weight': '0.1.weight', '1.bias': '0.1.bias'}
    """
    ours, theirs = layers_in_order(model, shape), layers_in_order(source, shape)
    for place, (our, their) in enumerate(zip(ours, theirs, strict=False), 1):
        mine, others = _shapes(ours[our]), _shapes(theirs[their])
        if mine != others:
            raise RequestError(
                f"the networks differ at their layer {place}: '{our}' has {_told(mine)}, '{their}' {_told(others)}"
            )
    if len(ours) != len(theirs):
        longer, names = ("the network", list(ours)) if len(ours) > len(theirs) else ("the source", list(theirs))
        left = names[min(len(ours), len(theirs))]
        shapes = _shapes({**theirs, **ours}[left])
        raise RequestError(
            f"the network has {len(ours)} layers with weights and the source {len(theirs)}: "
            f"'{left}' of {longer} ({_told(shapes)}) has no partner"
        )
    paired = {}
    with torch.no_grad():
        for our, their in zip(ours, theirs, strict=True):
            for name, tensor in ours[our].items():
                tensor.copy_(theirs[their][name])
                paired[_joined(our, name)] = _joined(their, name)
    return paired


def _own_tensors(module: nn.Module) -> dict[str, Tensor]:
    """The parameters and kept buffers of a module itself, not of the modules inside it."""
    kept = module.state_dict(keep_vars=True)
    return {name: tensor for name, tensor in kept.items() if "." not in name}


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _told(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def _joined(layer: str, name: str) -> str:
    return f"{layer}.{name}" if layer else name
