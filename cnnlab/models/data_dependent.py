"""Layers that begin from training images instead of random numbers: data-dependent initialisation.

Source: Krähenbühl et al. 2016, arXiv:1511.06856. A layer does so by having what `BeginsFromImages` has; everything else
(`summary`, receptive fields, fresh twins) takes it as it is without images.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.models.undisturbed import undisturbed


@runtime_checkable
class BeginsFromImages(Protocol):
    """A layer whose start is worked out from what reaches it."""

    images: int
    """How many images it looks at, at most."""

    def begin_from(self, inputs: Iterable[Tensor]) -> None:
        """Set the parameters; `inputs` (n, …) are what reaches the layer, batch after batch.

        Raises: RequestError where nothing can be worked out from them.
        """


def own_start(network: nn.Module) -> set[nn.Module]:
    """The layers whose start is their own, and no initialisation's, with those inside them."""
    return {inner for layer in network.modules() if isinstance(layer, BeginsFromImages) for inner in layer.modules()}


def begin_from_images(network: nn.Module, batches: Callable[[int], Iterable[Tensor]]) -> list[str]:
    """Let the layers that begin from images do so, in the order in which they are registered.

    Arguments:
        network: on its device; its modes and statistics stay as they are.
        batches: given a number, batches of so many training images, normalised, on the network's device.

    Returns:
        A sentence for each such layer.

    Raises:
        RequestError: where a layer can work nothing out from what reaches it.
    """
    said = []
    for name, layer in network.named_modules():
        if isinstance(layer, BeginsFromImages):
            seen = 0

            def counted(inputs: Iterator[Tensor]) -> Iterator[Tensor]:
                nonlocal seen
                for values in inputs:
                    seen += len(values)
                    yield values

            try:
                layer.begin_from(counted(_inputs_of(network.get_submodule(name), network, batches(layer.images))))
            except RequestError as error:
                raise RequestError(f"layer '{name}': {error}") from error
            said.append(f"{name} begins from {seen:,} training image{'' if seen == 1 else 's'}")
    return said


def kept_parameters(network: nn.Module) -> Iterator[str]:
    """The names of parameters that keep what they begin with, as their layers say (`kept_parameters`)."""
    for name, module in network.named_modules():
        for inner in getattr(module, "kept_parameters", ()):
            yield f"{name}.{inner}" if name else inner


def begin_as(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Let a network that was made anew begin as the one with these `weights` did, as far as its layers keep that."""
    for name in kept_parameters(network):
        begun = network.get_parameter(name)
        if name in weights and weights[name].shape == begun.shape:  # what does not fit is told by who loads them all
            with torch.no_grad():
                begun.copy_(weights[name])


class _ReachedError(Exception):
    """Ends a forward pass at the layer that it should reach."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = values


def _inputs_of(layer: nn.Module, network: nn.Module, batches: Iterable[Tensor]) -> Iterator[Tensor]:
    """What reaches `layer` of `network` from each batch; nothing behind it is computed."""

    def stop(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        raise _ReachedError(inputs[0])

    for images in batches:
        with undisturbed(network), torch.no_grad():
            handle = layer.register_forward_pre_hook(stop)
            try:
                network(images)
            except _ReachedError as reached:
                values = reached.values.clone()  # while nothing can change it
            else:
                return
            finally:
                handle.remove()
        yield values
