"""Weights from a file of somebody else's into a network: read without its code, and loaded whole or not at all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnlab.core.characters import printable
from cnnlab.core.errors import RequestError
from cnnlab.network.weights.casts import cast
from cnnlab.network.weights.choice import check_holds_weights, chosen
from cnnlab.network.weights.expected import COUNTER, Expected
from cnnlab.network.weights.loading import load_match
from cnnlab.network.weights.match import Match
from cnnlab.network.weights.reading import Content, read_content
from cnnlab.network.weights.tensors import tensors_of


@dataclass(frozen=True, kw_only=True)
class LoadedWeights:
    """What was loaded of a file, and what had to be done for it."""

    path: Path
    key: str
    """The dict that the weights stood in, such as `state_dict` or `ema.module`; '' where that is the file itself."""
    stripped: tuple[str, ...]
    """What was taken off the names, from the outside, such as `module.`."""
    casts: tuple[str, ...]
    """Types of numbers that the network's own replace, such as `float16 weights cast to float32 (60 tensors)`."""
    missing_ok: tuple[str, ...]
    """What the file lacks and may lack of the network: counters of batch norm, and the other names of tied tensors."""
    tensors: int
    """How many the file gave."""
    parameters: int
    """How many numbers those are that the network learns, all of which were set; tied ones count once."""
    notes: tuple[str, ...]
    """What whoever named the file should know, in sentences without an end."""


def load_weights_file(model: nn.Module, path: Path, key: str | None = None) -> LoadedWeights:
    """Copy the weights in `path` into `model`, wherever they stand in it and whatever their network was wrapped in.

    Arguments:
        model: a network on any device; its types of numbers stay.
        path: a safetensors file, one of torch.save, or the index of a file in shards, whatever its name.
        key: the dict in it, such as `ema.module`, where it holds weights several times; `.` for its top.

    Raises:
        RequestError: for a file that is missing, damaged, of another kind or could run code, for one that holds the
            weights several times without `key`, and for weights of another network; the network is as before then.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "w.pt"
        >>> torch.save({"state_dict": nn.DataParallel(nn.Linear(3, 2)).half().state_dict()}, path)
        >>> loaded = load_weights_file(nn.Linear(3, 2), path)
        >>> loaded.key, loaded.stripped, loaded.casts
        ('state_dict', ('module.',), ('float16 weights cast to float32 (2 tensors)',))
    """
    content = read_content(path)
    try:
        return _loaded(model, path, content, key)
    except RequestError as error:
        first, *more = error.lines
        error.args = (f"{path}: {first}", *more)
        raise error from None


def _loaded(model: nn.Module, path: Path, content: Content, key: str | None) -> LoadedWeights:
    tensors = tensors_of(content.value)
    check_holds_weights(tensors, content)
    match = chosen(tensors, Expected.by(model), key)
    given = cast(match.taken, match.expected.tensors)
    load_match(model, match, given.values)
    lacking = tuple(name for name in match.expected.tensors if name not in match.given) if match.fits else ()
    return LoadedWeights(
        path=path,
        key=match.key,
        stripped=match.stripped,
        casts=given.casts,
        missing_ok=lacking,
        tensors=len(match.taken) + len(match.unexpected),
        parameters=sum(one.numel() for one in model.parameters()),
        notes=(
            *_where(match),
            *given.casts,
            *given.notes,
            *_translated(match),
            *_lacking(lacking, match),
            *_left_out(match, given.values),
            *_unread(content),
        ),
    )


def _where(match: Match) -> list[str]:
    """Where the weights stood, unless that is the plainest place."""
    said = []
    if match.key:
        said.append(f"weights taken from {printable(match.key)}")
    if match.stripped:
        said.append(f"{' and '.join(map(repr, match.stripped))} taken off the names")
    if match.added:
        said.append(f"names taken for those of the child {match.added}")
    return [", ".join(said)] if said else []


def _translated(match: Match) -> list[str]:
    """What stood under names that the network's own modules know as older ones."""
    if not match.unexpected:
        return []
    return [f"{_first_of(match.unexpected)} taken by the network for what older versions of it called so"]


def _lacking(lacking: Iterable[str], match: Match) -> list[str]:
    """What the network has and the file need not have."""
    other = {name: min(match.expected.twins[name] & set(match.given), default="") for name in lacking}
    said = [f"{name} is one tensor with {twin}, and came with it" for name, twin in other.items() if twin]
    counters = [name for name, twin in other.items() if not twin]
    if counters:
        said.append(f"{_first_of(counters)} not in the file, as in old ones; {COUNTER} matters to training alone")
    return said


def _left_out(match: Match, values: Mapping[str, Any]) -> list[str]:
    """What the file has and the network does not take."""
    said = []
    if made := [name for name in match.given if name in match.expected.made]:
        said.append(f"{_first_of(made)} left out: the network makes such buffers itself")
    if match.beside:
        said.append(f"{_first_of(match.beside)} left out: no part of the network")
    for name, twins in match.expected.twins.items():
        first = min(twins | {name})
        if name != first and {name, first} <= set(values) and not torch.equal(values[name], values[first]):
            said.append(f"{name} and {first} are one tensor in the network and two in the file; the last was taken")
    return said


def _unread(content: Content) -> list[str]:
    if not content.foreign:
        return []
    return [f"objects beside the weights left unread: {_first_of([printable(name) for name in content.foreign], '')}"]


def _first_of(names: list[str], noun: str = " tensors") -> str:
    """`a`, `b, c`, or how many there are and the first of them."""
    if len(names) <= 3:
        return ", ".join(names)
    return f"{len(names)}{noun} ({', '.join(names[:2])}, …)"
