"""Why a file's weights do not fit a network, in lines that a person can act on."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from torch import Tensor
from torch.nn.parameter import is_lazy

from cnnlab.core.characters import printable, shortened
from cnnlab.core.errors import RequestError
from cnnlab.network.weights.guess import known_network
from cnnlab.network.weights.match import Match

SHOWN = 8
"""Names of each kind that a message lists."""

NEAR = 0.75
"""The least likeness (difflib's ratio) of a name that is offered as the nearest."""

OF_ONE_LAYER = 2
"""Tensors of a layer, at most: weight and bias."""

ADAPTER = re.compile(r"(^|[._])(lora_(A|B|up|down|embedding_[AB])|hada_w[12]_[ab]|lokr_w[12])([._]|$)")
"""Names of tensors in the files of adapters: LoRA, LoHa, LoKr."""


class OtherClassesError(RequestError):
    """The weights are of the same network for another number of classes."""

    def __init__(self, message: str, classes: int) -> None:
        super().__init__(message)
        self.classes = classes


class OtherNetworkError(RequestError):
    """The weights are of a network with other layers."""


def mismatch(match: Match) -> RequestError:
    """The error about a part of a file that is not what the network expects; its first line follows the file's name."""
    given, own = match.given, match.expected.tensors
    missing, unexpected, misshapen = match.missing, match.unexpected, match.misshapen
    if not own:
        return RequestError("the network has neither parameters nor buffers, so no file of weights is for it")
    where = f" under {match.prefix}" if match.prefix else ""
    if adapter := next((name for name in given if ADAPTER.search(name)), None):
        return RequestError(
            f"holds an adapter's changes to another network's weights ({_named(adapter)}, as LoRA has them), not the "
            "weights; merge it into its network in the program that made it, and save that"
        )
    if not missing and not unexpected and (classes := _other_classes(given, own, misshapen)):
        return classes
    shapes = {name: tuple(tensor.shape) for name, tensor in given.items() if isinstance(tensor, Tensor)}
    guess = known_network(shapes)
    if not any(name in own for name in given):
        return OtherNetworkError(
            f"is of another network: of its {len(given)} tensors{where} ({_first_of(given)}) none has a name of the "
            f"network's {len(own)} ({_first_of(own)}){guess}"
        )
    counts = (
        f"{len(missing)} of the network's {len(own)} tensors are missing in it" if missing else "",
        f"{len(unexpected)} of its {len(given)} are unexpected" if unexpected else "",
        f"{len(misshapen)} have another shape" if misshapen else "",
    )
    return OtherNetworkError(
        f"does not fit the network{where}: {', '.join(filter(None, counts))}{guess}",
        *_listed("missing", missing, own, "in the file", _some(given, unexpected)),
        *_listed("unexpected", unexpected, given, "in the network", _some(own, missing)),
        *_more([_misshapen(name, given, own) for name in misshapen[:SHOWN]], "of another shape", len(misshapen)),
    )


def shape_of(tensor: Any) -> str:
    """`[64, 3, 7, 7]`; a word where it has none."""
    if not isinstance(tensor, Tensor):
        return "(no tensor)"
    return "(not known yet)" if is_lazy(tensor) else str(list(tensor.shape))


def _misshapen(name: str, given: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    return f"another shape: {_named(name)} is {shape_of(given[name])} in the file, {shape_of(own[name])} in the network"


def _other_classes(given: Mapping[str, Any], own: Mapping[str, Any], misshapen: list[str]) -> OtherClassesError | None:
    """The error where the number of outputs alone differs; None otherwise."""
    pairs = set()
    for name in misshapen:
        if not isinstance(given[name], Tensor) or given[name].shape[1:] != own[name].shape[1:]:
            return None
        pairs.add((tuple(given[name].shape[:1]), tuple(own[name].shape[:1])))
    if len(pairs) != 1 or len(misshapen) == len(given) > OF_ONE_LAYER:  # all of a network is wider, not its head
        return None
    [((theirs,), (ours,))] = pairs
    name = misshapen[-1] if len(own[misshapen[0]].shape) < 2 else misshapen[0]
    return OtherClassesError(
        f"is for {theirs} classes, and the network has {ours} ({name} is {shape_of(given[name])} in the file, "
        f"{shape_of(own[name])} in the network); all else fits. Open the network with as many: `classes` {theirs}, or, "
        f"for a module of your own, by its argument, such as net.py:build(num_classes={theirs})",
        theirs,
    )


def _some(tensors: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: tensors[name] for name in names}


def _listed(kind: str, names: list[str], of: Mapping[str, Any], where: str, others: Mapping[str, Any]) -> list[str]:
    """A line for each of the first `names` with the nearest of `others`, shapes of both."""
    lines = []
    for name in names[:SHOWN]:
        near = get_close_matches(name, list(others), n=1, cutoff=NEAR)
        nearest = f"; nearest {where}: {_named(near[0])} {shape_of(others[near[0]])}" if near else ""
        lines.append(f"{kind}: {_named(name)} {shape_of(of[name])}{nearest}")
    return _more(lines, kind, len(names))


def _more(lines: list[str], kind: str, count: int) -> list[str]:
    return [*lines, *([f"and {count - SHOWN} more {kind}"] if count > SHOWN else [])]


def _first_of(names: Mapping[str, Any]) -> str:
    return ", ".join([_named(name) for name in names][:3]) + (", …" if len(names) > 3 else "")


def _named(name: str) -> str:
    return printable(shortened(name, 100))
