"""How large a network may be, found out while it is built: before its memory is filled or hours have passed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.nn.parameter import is_lazy

from cnnlab.core.memory import gigabytes, machine_memory

MOST_LAYERS = 5000
"""Layers of a config, those inside others counted each: building takes some milliseconds for each."""


class TooLargeError(Exception):
    """What is too large; whoever builds adds the place."""


@dataclass
class Tally:
    """What has been built so far."""

    layers: int = 0
    parameters: int = 0
    """Numbers that are learned."""
    bytes: int = 0
    """What the parameters take."""
    largest: int = 0
    """Values of the input and the output of one image, of the layer where they are most."""

    def add_layers(self, count: int) -> None:
        """Count layers that are about to be built.

        Raises: TooLargeError where they are too many.
        """
        self.layers += count
        if self.layers > MOST_LAYERS:
            raise TooLargeError(f"the model has more than {MOST_LAYERS:,} layers; expected fewer")


@contextmanager
def parameters_counted(tally: Tally) -> Iterator[None]:
    """Count every parameter that a module gets meanwhile.

    A new tensor takes memory when it is filled only, and a layer fills its parameters after it has got them: so the
    error comes first.

    Raises: TooLargeError as soon as they and their gradients do not fit into this machine's memory.
    """
    limit = machine_memory()

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is None or is_lazy(parameter) or parameter.is_meta:  # the last ones take no memory
            return
        tally.parameters += parameter.numel()
        tally.bytes += parameter.numel() * parameter.element_size()
        if limit is not None and 2 * tally.bytes > limit:  # half of it would be filled for nothing
            raise TooLargeError(
                f"with it the network has {tally.parameters:,} parameters, which take {gigabytes(2 * tally.bytes)} "
                f"with their gradients, and this machine has {gigabytes(limit)} of memory"
            )

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
