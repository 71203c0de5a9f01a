"""What a training needs at the very least, before anything is allocated: too little memory is one sentence."""

from dataclasses import dataclass

import torch
from torch import nn

from cnnlab.config.config import Config
from cnnlab.core.errors import RequestError
from cnnlab.core.memory import gigabytes, machine_memory
from cnnlab.models.build import parameter_count

BYTES = 4
"""Bytes of a number in float32; half precision keeps its weights in it, too."""


@dataclass(frozen=True)
class LeastMemory:
    """Bytes that are in use at one moment; what is used in all is more."""

    parameters: int
    """Weights and their gradients."""
    batch: int
    """Images in the batch that is meant: of training, or of evaluation where that is larger."""
    activations: int
    """The input and the output of the largest layer, for that batch."""
    what: str
    """Which option sets the batch."""

    @property
    def sentence(self) -> str:
        """The need in a sentence, with the option that makes it less."""
        return (
            f"the weights and their gradients take {gigabytes(self.parameters)}, and the input and output of the "
            f"largest layer {gigabytes(self.activations)} for a batch of {self.batch:,} images ({self.what})"
        )


def least_memory(network: nn.Module, config: Config, *, largest_layer: int, train: int, evaluated: int) -> LeastMemory:
    """What a training needs.

    Arguments:
        network: whose parameters are counted.
        config: names the batches and the precision.
        largest_layer: values of the input and the output of one image, of the layer where they are most.
        train, evaluated: how many images there are to learn from, and at most to evaluate at a time.
    """
    training = config.training
    learning = min(training.batch_size, train)
    looking = min(training.evaluation_batch_size, evaluated)
    width = 2 if training.precision in ("bf16", "fp16") else BYTES
    batches = ((learning, "training.batch_size"), (looking, "training.evaluation_batch_size"))
    batch, what = max(batches, key=lambda pair: pair[0])
    return LeastMemory(2 * BYTES * parameter_count(network), batch, batch * largest_layer * width, what)


def memory_of(device: torch.device) -> int | None:
    """Bytes of memory that `device` has in all; None where that is not known."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return machine_memory()


def check_memory_suffices(least: LeastMemory, device: torch.device) -> None:
    """Raises: RequestError where the device has less memory than is needed at the very least."""
    available = memory_of(device)
    if available is not None and least.parameters + least.activations > available:
        owner = "this machine" if device.type == "cpu" else str(device)
        raise RequestError(
            f"{owner} has {gigabytes(available)} of memory, and {least.sentence}; a smaller batch, smaller "
            "images or fewer channels need less"
        )
