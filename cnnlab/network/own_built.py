"""A config's network in the user's own Python: made from a seed, tried in both modes, and made to put out logits."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from cnnlab.core.arithmetic import Shape
from cnnlab.core.characters import some
from cnnlab.core.errors import RequestError
from cnnlab.models.build import Tally, parameters_counted
from cnnlab.models.own import OwnNetwork, asks_for, found, made, own_code_error, own_file
from cnnlab.models.own_model import OwnModel
from cnnlab.models.undisturbed import generators_kept, observe, set_mode
from cnnlab.network.outputs import Chosen, chosen_output, ending_by, with_logits
from cnnlab.network.own import check_plain, copied, unwrapped

TRIAL_INPUTS = 2
"""Images of zeros: more than one, so that batch normalisation and a lost batch axis are tried, too."""


@dataclass(frozen=True, eq=False)
class Built:
    """A network with fresh weights, and what was found out on the way."""

    model: nn.Module
    """From images (n, channels, height, width) to logits (n, classes), in either mode."""
    largest_layer: int
    """Values of the input and the output of one image, of the layer where they are most: there at the same time."""
    remarks: tuple[str, ...] = ()
    """A sentence for each thing that a person should know of it before it is trained."""
    answer: tuple[str, ...] = ()
    """A sentence on its output in evaluation mode, where the logits are one of several."""


def own_built(model: OwnModel, shape: Shape, *, classes: int, seed: int) -> Built:
    """The network that `model` names, on the CPU or wherever its code puts it.

    Arguments:
        model: its place and arguments.
        shape: (channels, height, width) of an image, in pixels; handed over where the signature asks for it.
        classes: how many logits there are to be; handed over likewise.
        seed: of torch's, NumPy's and Python's generators while it is made; they are as before afterwards.

    Raises:
        RequestError: with the place in the config, for what is not there or no module, and for a network that does not
            put out one row of `classes` logits an image.
        OwnCodeError: for an error in the user's code, with the calls that led to it.
    """
    own = model.own
    try:
        with _seeded(0):  # what the file draws as it is imported is the same for all seeds
            ready = found(own, base=model.base)
        with _seeded(seed):
            with parameters_counted(Tally()):
                network = made(own, base=model.base, classes=classes, shape=shape)
            network = unwrapped(copied(network, str(own)) if network is ready else network)
            _check_lazy(network, own, model, shape)
        check_plain(network, own.name)
        remarks = list[str]()
        if isinstance(ready, nn.Module):
            remarks.append(f"{own} is made when its file is imported: every seed starts from the same weights")
        if kinds := {p.dtype for p in network.parameters() if p.is_floating_point()} - {torch.float32}:
            names = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
            remarks.append(f"the parameters of {own.name} are made in {names}, and trained in float32")
            network = network.float()
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise RequestError(
                f"{own} has no parameter that is learned: requires_grad is False for all, or it has none"
            )
        _check_state(network, own)
        return _with_logits(network, own, model, shape, classes, remarks)
    except RequestError as error:
        raise model.located(error)  # noqa: B904  the same error


def _with_logits(
    network: nn.Module, own: OwnNetwork, model: OwnModel, shape: Shape, classes: int, remarks: list[str]
) -> Built:
    largest = 0

    def look(name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal largest
        if next(module.children(), None) is None:
            tensors = [value for value in (*inputs, output) if isinstance(value, Tensor)]
            largest = max(largest, sum(value.numel() for value in tensors) // TRIAL_INPUTS)

    chosen: dict[bool, Chosen] = {}
    for training in (False, True):
        output, draws = _tried(network, own, model, shape, look, training=training)
        mode = "training" if training else "evaluation"
        name = f"{own.place}:{own.name} (in {mode} mode)"
        try:
            chosen[training] = chosen_output(output, None, TRIAL_INPUTS, name, classes=classes)
        except RequestError as error:
            raise RequestError(f"{error}{_way_out(output, own, model, classes)}") from None
        if draws:
            remarks.append(
                f"in {mode} mode {own.name} draws from NumPy's or Python's generator, which no checkpoint keeps: a "
                "resumed run goes on with other numbers; torch's generator is kept"
            )
        ending = ending_by(network, chosen[training], output, shape, training=training)
        chosen[training] = replace(chosen[training], ending=ending)
        if ending:
            remarks.append(
                f"in {mode} mode {own.name} ends in a {ending}: the logits are worked out of its probabilities; the "
                "loss takes logits, so leave it out"
            )
    said = {mode: one.remark.partition(";")[0] for mode, one in chosen.items() if one.path is not None}
    answer = (said[False],) if False in said else ()
    learned = (f"{said[True]}; the loss is of that output alone",) if True in said else answer
    model_of_logits = with_logits(network, chosen[False], chosen[True])
    return Built(model_of_logits, largest, tuple(dict.fromkeys((*remarks, *learned))), answer)


def _way_out(output: Any, own: OwnNetwork, model: OwnModel, classes: int) -> str:
    """How the network may come to put out so many logits."""
    if isinstance(output, Tensor) and output.dim() == 2 and len(output) == TRIAL_INPUTS:
        for name in ("num_classes", "n_classes", "nclasses", "num_labels", "out_features", "num_outputs"):
            if asks_for(own, name, base=model.base):
                return f"; add options: {{{name}: {classes}}}"
        return "; call an argument of it classes, which is handed over, or give the number in options"
    return "; wrap it in a module whose forward returns the logits alone"


def _tried(
    network: nn.Module, own: OwnNetwork, model: OwnModel, shape: Shape, look: Any, *, training: bool
) -> tuple[Any, bool]:
    """What the network puts out for images of zeros, and whether it drew from NumPy's or Python's generator.

    Raises: OwnCodeError for what its code raises.
    """
    made = {name for name, _ in network.named_parameters()}
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    try:
        with observe(network, look, training=training):
            before = _others()
            output = network(torch.zeros(TRIAL_INPUTS, *shape, device=device))
            late = [name for name, _ in network.named_parameters() if name not in made]
            draws = before != _others()
    except (Exception, SystemExit) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        size = " × ".join(map(str, shape))
        mode = "training" if training else "evaluation"
        doing = f"{own.place}:{own.name} ran in {mode} mode on {TRIAL_INPUTS} images of {size}"
        raise own_code_error(error, doing, own_file(own, model.base)) from error
    if late:
        raise RequestError(
            f"{own} makes parameters while it runs ({some(late, 4)}), which no optimizer would know; make them in "
            "__init__, or take lazy layers (nn.LazyLinear)"
        )
    return output, draws


def _check_state(network: nn.Module, own: OwnNetwork) -> None:
    """See that the state dict is all of the parameters, and tensors alone: it is what a run keeps.

    Raises: RequestError with what is missing, or is no tensor.
    """
    state = network.state_dict()
    if others := [name for name, value in state.items() if not isinstance(value, Tensor)]:
        raise RequestError(
            f"the state dict of {own} holds what is no tensor ({some(others, 4)}), and a run keeps tensors alone: "
            "register_buffer keeps numbers"
        )
    if missing := [name for name, _ in network.named_parameters() if name not in state]:
        raise RequestError(
            f"the state dict of {own} lacks parameters ({some(missing, 4)}), so that no checkpoint would keep them: "
            "leave state_dict as torch has it"
        )


def _others() -> tuple[object, ...]:
    return random.getstate(), str(np.random.get_state())


def _check_lazy(network: nn.Module, own: OwnNetwork, model: OwnModel, shape: Shape) -> None:
    """Let lazy layers take their shapes from images of zeros."""
    if not any(is_lazy(parameter) for parameter in network.parameters()):
        return
    set_mode(network, False)
    try:
        with torch.no_grad():
            network(torch.zeros(TRIAL_INPUTS, *shape))
    except (Exception, SystemExit) as error:
        size = " × ".join(map(str, shape))
        doing = f"{own.place}:{own.name} ran on images of {size}, from which its lazy layers take their shapes"
        raise own_code_error(error, doing, own_file(own, model.base)) from error
    set_mode(network, True)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Inside, the generators of torch's CPU, NumPy and Python start from `seed`; afterwards they stand as before."""
    with generators_kept():
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        yield
