"""A network that is randomised, layer by layer: fresh weights of the same law, and batch statistics that fit them."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.models.tensors import copied
from cnnlab.models.undisturbed import generators_kept, observe, undisturbed

How = Literal["reset", "permuted"]

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm


@dataclass(frozen=True)
class RandomizedLayer:
    """A layer with parameters of its own, and how they are randomised."""

    name: str
    """Within the model; empty for parameters of the model itself."""
    how: How
    """Its way: the layer's `reset_parameters`, or, where it has none, a permutation of each parameter's values."""


def execution_order(model: nn.Module, images: Float[Tensor, "n c h w"]) -> dict[str, int]:
    """The place at which each module of `model` ends for the last time, by its name; those that never run are left out.

    A module whose parameters its parent uses without calling it (the output projection of torch's multi-head attention)
    has its parent's place.
    """
    ended: dict[str, int] = {}
    count = 0

    def end(name: str, module: nn.Module, inputs: object, output: object) -> None:
        nonlocal count
        ended[name] = count
        count += 1

    with observe(model, end):
        model(images)
    borrowed = {name: name.rpartition(".")[0] for name, _ in model.named_modules() if name not in ended}
    return ended | {name: ended[parent] for name, parent in borrowed.items() if parent in ended}


def layers_from_output(model: nn.Module, images: Float[Tensor, "n c h w"]) -> tuple[RandomizedLayer, ...]:
    """The layers with parameters of their own, in order of execution from the answer back to the image.

    Raises: RequestError for a model without any.
    """
    order = execution_order(model, images[:1])
    modules = dict(model.named_modules())
    found = [name for name in modules if name in order and any(True for _ in modules[name].parameters(recurse=False))]
    if not found:
        raise RequestError("the model has no parameters that its answer uses: there is nothing to randomise")
    # stable: what has one place stays in the order in which it is defined, turned around
    found.reverse()
    found.sort(key=lambda name: -order[name])
    resets = {name: callable(getattr(modules[name], "reset_parameters", None)) for name in found}
    return tuple(RandomizedLayer(name, "reset" if resets[name] else "permuted") for name in found)


def randomize_layer(model: nn.Module, layer: RandomizedLayer, *, seed: int) -> None:
    """Give `layer` fresh parameters, in place, by `seed` and its name alone; the global generators stay as they are.

    `reset_parameters` draws them by the law of the layer's kind: a network of other weights, not of another scale.
    Batch normalisation starts at γ = 1, β = 0. What it leaves as it was (a gain that a subclass adds) is permuted, as
    is everything in a layer that has no such method: a permutation keeps every moment.
    """
    module = dict(model.named_modules())[layer.name]
    with generators_kept(), torch.no_grad():
        # drawn on the CPU, so that the outcome does not depend on the device
        torch.manual_seed(derive_seed(seed, "randomize", layer.name))
        twin: Any = copied(module).cpu()
        if layer.how == "reset":
            twin.reset_parameters()
        fresh = dict(twin.named_parameters(recurse=False))
        for name, values in module.named_parameters(recurse=False):
            drawn = fresh[name]
            if torch.equal(drawn, values.cpu()):
                drawn = drawn.flatten()[torch.randperm(drawn.numel())].reshape(drawn.shape)
            values.copy_(drawn)


def recalibrate(model: nn.Module, images: Float[Tensor, "n c h w"], names: Collection[str], *, max_batch: int) -> None:
    """Take the statistics of the batch normalisations `names` from `images`, in place; nothing else moves.

    Statistics that belong to other weights push most activations to one side of a ReLU, and maps of such a degenerate
    network differ for that reason alone. Means and variances of the batches are averaged.

    Raises: RequestError for a single image, which has no variance.
    """
    modules = dict(model.named_modules())
    norms = [one for name in names if isinstance(one := modules[name], BatchNorm) and one.running_mean is not None]
    if not norms:
        return
    if len(images) < 2:
        raise RequestError("batch normalisation needs two or more images to take its statistics from; there is one")
    # a last batch of a single image has no variance
    batches = min(math.ceil(len(images) / max_batch), len(images) // 2)
    with undisturbed(model), torch.no_grad():
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        for part in images.tensor_split(batches):
            model(part)
        taken = [[buffer.clone() for buffer in norm.buffers()] for norm in norms]
    with torch.no_grad():
        for norm, buffers in zip(norms, taken, strict=True):
            for buffer, value in zip(norm.buffers(), buffers, strict=True):
                buffer.copy_(value)


def normalizations_after(model: nn.Module, order: dict[str, int], layer: str) -> tuple[str, ...]:
    """The batch normalisations that run after `layer`, or are it: those whose input may have changed with it."""
    return tuple(
        name
        for name, module in model.named_modules()
        if isinstance(module, BatchNorm) and order.get(name, -1) >= order[layer]
    )
