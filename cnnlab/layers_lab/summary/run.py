"""`cnnlab summary`: shapes, costs and receptive fields from one walk, and what autograd keeps for the backward pass.

What is kept is found on meta tensors, where nothing is computed. Source: `torch.autograd.graph.saved_tensors_hooks`,
which sees every tensor that an operation keeps.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.layers_lab.summary.report import Summary, Weights
from cnnlab.models.tensors import run_on, twins_of, without_values
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.network import Network
from cnnlab.network.runnable import check_ran
from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.walk.costs import layer_costs
from cnnlab.walk.walker import FAILURES


def summarize(network: Network) -> Summary:
    """Tell shapes, parameters, multiply-accumulates, memory and receptive fields of a network's layers.

    Arguments:
        network: opened with or without its values.

    Returns:
        The costs and the receptive field of each layer, for images of the network's shape.

    Raises:
        RequestError: where it cannot run at this size.

    Example:
        >>> from cnnlab.network.open import open_network
        >>> from cnnlab.network.session import Session
        >>> session = Session(device_name="cpu")
        >>> network = open_network("torchvision:squeezenet1_1", session, size="64", values=False)
        >>> summarize(network).costs.parameters
        1235496
    """
    fields = receptive_fields(network.model, network.shape)
    check_ran(network, fields.walk)
    saved = training_memory(network.model, network.shape)
    record = None if network.run is None else network.run.record
    return Summary(layer_costs(network.model, fields.walk, saved), fields, _weights_of(network), record)


def _weights_of(network: Network) -> Weights | None:
    """What the network's weights are, where they are from a file that was named, or a zoo's."""
    if network.weights_file is None:
        return None
    return Weights(network.weights, str(network.weights_file), network.prepared, network.classes)


BATCH = 2
"""Images of the trial run: more than one, for layers that normalise over them."""


def training_memory(model: nn.Module, shape: Sequence[int]) -> dict[tuple[str, int], int] | None:
    """Bytes that each call (from 1) of a layer keeps for one image of `shape` (channels, *spatial); views count once.

    Parameters are left out: they exist anyway. None for a network that cannot be run without values in training mode.
    """
    state = twins_of(model, lambda tensor: without_values(tensor).requires_grad_(tensor.requires_grad))
    known = {tensor.untyped_storage()._cdata for tensor in state.values()}
    kept: dict[int, tuple[tuple[str, int], int]] = {}
    stack: list[tuple[str, int]] = [("", 1)]
    alive: list[Tensor] = []  # a storage that went could have its number given to another

    def pack(tensor: Tensor) -> Tensor:
        key = tensor.untyped_storage()._cdata
        if key not in known and key not in kept:
            kept[key] = (stack[-1], tensor.untyped_storage().nbytes())
            alive.append(tensor)
        return tensor

    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    batch = torch.empty(BATCH, *shape, dtype=like.dtype, device="meta")
    try:
        with undisturbed(model, training=True, replaced=True), torch.enable_grad():
            for name, module in model.named_modules():
                _watch(name, module, stack)
            with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
                run_on(model, state, batch)
    except FAILURES:
        return None
    found: dict[tuple[str, int], int] = {}
    for layer, count in kept.values():
        found[layer] = found.get(layer, 0) + count // BATCH
    return found


def _watch(name: str, module: nn.Module, stack: list[tuple[str, int]]) -> None:
    """Hooks that keep `stack` at the innermost module that runs."""

    calls = 0

    def enter(*_: Any) -> None:
        nonlocal calls
        calls += 1
        stack.append((name, calls))

    def leave(*_: Any) -> None:
        stack.pop()

    module.register_forward_pre_hook(enter)
    module.register_forward_hook(leave)
