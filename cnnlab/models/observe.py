"""Looking on while a network runs: a function is called after each layer, and nothing of that stays."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from cnnlab.models.failure import watched
from cnnlab.models.undisturbed import undisturbed

Look = Callable[[str, nn.Module, tuple[Any, ...], Any], None]
"""Called with a layer's name, the layer, its inputs and its output, each time it has run."""


@contextmanager
def observe(
    model: nn.Module, look: Look, *, layers: Sequence[str] | None = None, training: bool | None = False
) -> Iterator[None]:
    """While inside, `look` is called after each of `layers` (by default after every module) that runs.

    Without gradients; evaluation mode unless `training` says otherwise, and all as before afterwards, hooks included
    (see `undisturbed`). A module that is made of others ends after them. What torch.jit.script compiled takes no hooks
    and is left out of "every module".

        found = {}
        with observe(model, lambda name, layer, inputs, output: found.update({name: output.shape})):
            model(images)
    """
    with undisturbed(model, training=training), torch.no_grad():
        for name, module in watched(model) if layers is None else ((n, model.get_submodule(n)) for n in layers):
            module.register_forward_hook(partial(look, name))
        yield
