"""Weights from a file of somebody else's: safetensors or torch's own, read without ever running code from it."""

import pickle
from collections.abc import Collection, Mapping
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.core.reading import check_readable, named_in_utf8
from cnnlab.fit.checkpoints import DAMAGES
from cnnlab.fit.state import load_weights

WRAPPINGS = ("state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema")
"""Keys under which training programs put the weights beside other things."""

WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
"""Children by which a wrapped network, or a wrapped part of one, holds what it wraps: `DataParallel` and
`AveragedModel`, `torch.compile`, FSDP, activation checkpointing."""

AVERAGED = "n_averaged"
"""What `AveragedModel` counts beside the network that it wraps."""


def load_weights_file(model: nn.Module, path: Path) -> None:
    """Copy the weights in `path` into `model`, without the names of what the network was wrapped in.

    Raises: RequestError for a file that `read_weights` refuses, and for weights of another network.
    """
    content = read_weights(path)
    try:
        load_weights(model, fitting_names(content, model.state_dict()))
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from None


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights in `path` by name, on the CPU.

    Raises: RequestError for a file that is missing, damaged, holds no weights, or could run code.
    """
    check_readable(path, "file of weights")
    content: object
    try:
        if path.suffix == ".safetensors":
            with named_in_utf8(path) as name:
                content = load_file(name)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise RequestError(f"{path}: refused: it is no plain file of weights, and could run code") from None
    except (safetensors.SafetensorError, *DAMAGES):
        raise RequestError(f"{path}: is no file of weights, or a damaged one") from None
    for key in WRAPPINGS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise RequestError(f"{path}: holds no weights: expected tensors by the names of a network's parameters")
    return {str(name): tensor for name, tensor in content.items()}


def fitting_names(weights: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """`weights` by the names of `own`, as far as wrappers alone keep the two apart; other names stay as they are.

    First what stands in front of every name is taken off, as long as that ends in exactly the network's names. Where
    it does not, parts of the network were wrapped: a wrapper's name goes where the network has no such child.
    """
    names = set(own)
    fitted = {name: tensor for name, tensor in weights.items() if name != AVERAGED or name in names}
    while set(fitted) != names:
        shorter = {name.partition(".")[2]: tensor for name, tensor in fitted.items()}
        if len({name.partition(".")[0] for name in fitted}) != 1 or "" in shorter:
            break
        fitted = shorter
    else:
        return fitted
    paths = {tuple(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 2)}
    found = {name: ".".join(_unwrapped(tuple(name.split(".")), paths) or (name,)) for name in weights}
    if len(set(found.values())) < len(found):
        return dict(weights)
    kept = {found[name]: tensor for name, tensor in weights.items()}
    if set(kept) == names | {AVERAGED} and len(kept) > len(names):
        del kept[AVERAGED]
    return kept


def _unwrapped(
    name: tuple[str, ...], paths: Collection[tuple[str, ...]], start: tuple[str, ...] = ()
) -> tuple[str, ...] | None:
    """`name` below `start` without wrappers that the network does not own; None where it leads nowhere."""
    if not name:
        return start if start in paths else None
    found = None
    if (*start, name[0]) in paths:
        found = _unwrapped(name[1:], paths, (*start, name[0]))
    if found is None and name[0] in WRAPPERS:
        found = _unwrapped(name[1:], paths, start)
    return found
