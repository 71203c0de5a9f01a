"""A network is tried on images of zeros: whether it runs on their size, and what holds the logits."""

import inspect
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from cnnlab.core.errors import RequestError, first_line
from cnnlab.models.failure import LAYER_FAILURES, check_parameters
from cnnlab.models.own import own_code_error, own_file
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.description import Description
from cnnlab.network.network import Network
from cnnlab.network.outputs import chosen_output, ending_by, with_logits
from cnnlab.network.runnable import check_runs


def with_output(found: Network, said: Description) -> Network:
    """`found` with logits as its output, tried on images of zeros.

    Raises: RequestError where it does not run on its images, or puts out no logits; OwnCodeError for the user's code.
    """
    known = found.logits is not None and said.output is None
    if known and said.size is None:
        return found
    output, count = _tried(found)
    if known:
        return found
    chosen = chosen_output(output, said.output, count, found.name)
    chosen = replace(chosen, ending=ending_by(found.model, chosen, output, found.shape))
    activation, remarks = found.activation, [chosen.remark] if chosen.remark else []
    logits = chosen.logits(output).shape[1]
    if chosen.ending:
        remarks.append(f"{found.name} ends in a {chosen.ending}: the logits are worked out of its probabilities")
    if chosen.ending == "sigmoid" and logits > 1 and said.activation is None:
        activation = "sigmoid"
        remarks.append("each class is a question of its own to it, as with `activation` sigmoid; softmax takes one")
    fresh = found.fresh
    classes = _classes(found.classes, logits, found.name, said)
    if found.classes and not classes and not said.found_by_itself("classes"):
        count = len(found.classes)
        remarks.append(f"{found.name} names {count} classes, and puts out {logits} logits: its names are left out")
    return replace(
        found,
        model=with_logits(found.model, chosen),
        fresh=None if fresh is None else lambda seed: with_logits(fresh(seed), chosen),
        logits=logits,
        classes=classes,
        activation=activation,
        remarks=(*found.remarks, *remarks),
    )


def _classes(names: tuple[str, ...], logits: int, name: str, said: Description) -> tuple[str, ...]:
    """The names of the classes for so many logits; a single logit has two, of which one may be named.

    Raises: RequestError for names that a person gives, and that are not as many; other ones are dropped.
    """
    count = max(2, logits)
    if said.found_by_itself("classes") and said.class_count not in (count, logits):
        return ()
    if logits == 1 and len(names) == 1:
        return f"not {names[0]}", names[0]
    if said.class_count is not None and not names and said.class_count != count:
        raise RequestError(f"`classes` is {said.class_count}, and {name} puts out {logits} logit{'s' * (logits != 1)}")
    if names and len(names) != count:
        if said.names:
            raise RequestError(f"`classes` names {len(names)}, and {name} puts out {logits} logit{'s' * (logits != 1)}")
        return ()
    return names


def _other_inputs(model: nn.Module) -> str | None:
    """What the network's forward takes, in words, where one argument is not enough or too many."""
    try:
        signature = inspect.signature(model.forward)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(None)
    except TypeError:
        needed = [name for name, one in signature.parameters.items() if one.default is one.empty]
        return " and ".join(needed) or "nothing"
    return None


def _tried(network: Network) -> tuple[Any, int]:
    """What the network puts out for images of zeros, and how many: two, which tell a row an image, or one.

    Raises: RequestError with the layer where it stops and a size that works, and for lazy layers; OwnCodeError for the
        user's code.
    """
    check_parameters(network.model)  # a run would give lazy layers their shapes for good
    for count in (2, 1):
        try:
            with undisturbed(network.model), torch.no_grad():
                return network.model(torch.zeros(count, *network.shape, device=network.device)), count
        except (Exception, SystemExit) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            failure = error
    if isinstance(failure, TypeError) and (takes := _other_inputs(network.model)) is not None:
        raise RequestError(
            f"{network.name} takes {takes}, and is given images alone: wrap it in a module whose forward takes one "
            "tensor of images, (images, channels, height, width)"
        ) from failure
    theirs = None
    size = " × ".join(map(str, network.shape))
    if network.code is not None:
        theirs = own_code_error(failure, f"{network.name} ran on images of {size}", own_file(network.code, None))
    if isinstance(failure, LAYER_FAILURES):
        try:
            check_runs(network)
        except RequestError as error:
            if theirs is not None:
                error.details = theirs.details
            raise error from failure
    if theirs is not None:
        raise theirs from failure
    raise RequestError(f"{network.name} does not run on images of {size}: {first_line(failure)}") from failure
