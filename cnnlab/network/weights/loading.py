"""Tensors into a network as torch loads them: all of them, or none."""

import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from cnnlab.core.errors import RequestError, first_line
from cnnlab.models.failure import LAYER_FAILURES
from cnnlab.network.weights.match import Match
from cnnlab.network.weights.mismatch import mismatch


def load_match(model: nn.Module, match: Match, values: Mapping[str, Any]) -> None:
    """Load `values`, the tensors that `match` found, into `model`; torch's modules know older names of their tensors.

    Raises: RequestError where the match is not what the network expects; the network is as before then.
    """
    state = OrderedDict({name: match.given[name] for name in match.unexpected} | dict(values))
    versions = _versions(model, match)
    if versions is not None:
        state._metadata = versions  # type: ignore[attr-defined]
    with _as_before_on_error(model):
        try:
            with warnings.catch_warnings(), _where_written(model):
                warnings.simplefilter("ignore")  # torch's, that nothing is copied onto meta
                found: Any = model.load_state_dict(state, strict=False)
        except LAYER_FAILURES as error:
            own_way = f"the network's own way to load weights fails: {_reason(error)}"
            raise (RequestError(own_way) if match.fits else mismatch(match)) from None
        # a network with a `load_state_dict` of its own may tell nothing
        told = ([], []) if found is None and match.fits else (match.missing, match.unexpected)
        missing, unexpected = told if found is None else found
        if unexpected or any(not match.expected.fills(name, match.given) for name in missing):
            raise mismatch(match)


def _where_written(model: nn.Module) -> AbstractContextManager[Any]:
    """The mode in which tensors may be written that were made in inference mode."""
    made_so = any(not is_lazy(one) and one.is_inference() for one in (*model.parameters(), *model.buffers()))
    return torch.inference_mode() if made_so else nullcontext()


def _reason(error: Exception) -> str:
    """What torch or the network says; of torch's lines the second, as the first says only that there are some."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[1] if len(lines) > 1 and lines[0].startswith("Error(s) in loading") else first_line(error)


def _versions(model: nn.Module, match: Match) -> dict[str, Any] | None:
    """The versions of the modules that were saved, by the network's modules; today's where names and shapes agree.

    None where neither is known: torch then takes the file for one from before there were versions.
    """
    key, prefix = match.key, match.prefix
    saved = getattr(match.tensors.dicts.get(key), "_metadata", None)
    if not isinstance(saved, Mapping):
        return dict(getattr(model.state_dict(), "_metadata", {})) if match.fits else None
    start = len(key) + 1 if key else 0
    found = {"": saved.get(prefix[start:], {})}
    for name, own in match.names.items():
        theirs, ours = name[start:].split(".")[:-1], own.split(".")[:-1]
        while ours and theirs and theirs[-1] == ours[-1]:  # they part where a wrapper stands between
            found.setdefault(".".join(ours), saved.get(".".join(theirs), {}))
            theirs, ours = theirs[:-1], ours[:-1]
        if not ours:
            found[""] = saved.get(".".join(theirs), {})
    return found


@contextmanager
def _as_before_on_error(model: nn.Module) -> Iterator[None]:
    """Put every parameter and buffer back to the bit, and where it was, where what happens inside raises."""
    places = [
        (one, dict(one))
        for module in model.modules()
        for one in map(vars(module).get, ("_parameters", "_buffers", "_modules"))
        if isinstance(one, dict)
    ]
    held = [*model.parameters(), *model.buffers()]
    before = [None if is_lazy(one) or one.is_meta else one.detach().clone() for one in held]
    kinds = [type(one) for one in held]
    try:
        yield
    except BaseException:
        for place, what in places:
            place.clear()
            place.update(what)
        with torch.no_grad(), _where_written(model):
            for tensor, kept, kind in zip(held, before, kinds, strict=True):
                if kept is not None:
                    tensor.detach().copy_(kept)
                elif type(tensor) is not kind:  # a lazy one that has taken a shape
                    tensor.data = torch.empty(0, device=tensor.device, dtype=tensor.dtype)
                    tensor.__class__ = kind
        raise
