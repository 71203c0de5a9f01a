"""The part of a file that holds a network's weights, told by names and shapes, wrappers before and inside left out."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from cnnlab.network.weights.expected import Expected
from cnnlab.network.weights.tensors import Tensors, is_count

WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
"""Children by which a wrapped network, or a wrapped part of one, holds what it wraps: `DataParallel` and
`AveragedModel`, `torch.compile`, FSDP, activation checkpointing."""


@dataclass(frozen=True)
class Match:
    """A part of a file, held against a network."""

    tensors: Tensors
    expected: Expected
    key: str
    """The dict that the part stands in; '' where that is the file."""
    prefix: str
    """What stands before the part's names: that dict's name, and children's names."""
    names: Mapping[str, str]
    """The network's names by those in the file."""
    stripped: tuple[str, ...]
    """What was taken off the names, from the outside: `module.`, `model.`."""
    added: str = ""
    """What was put before the names, where the network is wrapped and the file's was not."""

    @cached_property
    def given(self) -> dict[str, Any]:
        """The part's tensors by the network's names."""
        return {own: self.tensors.by_name[name] for name, own in self.names.items()}

    @cached_property
    def taken(self) -> dict[str, Any]:
        """Those of them that have a place in the network."""
        return {name: tensor for name, tensor in self.given.items() if name in self.expected.tensors}

    @cached_property
    def missing(self) -> list[str]:
        """Names that the file lacks, but for what torch fills in and what comes by another name."""
        return self.expected.missing(self.given)

    @cached_property
    def unexpected(self) -> list[str]:
        """Names that the network has no place for, but for counts and for buffers that it makes itself."""
        own, made = self.expected.tensors, self.expected.made
        return [n for n, one in self.given.items() if n not in own and n not in made and not is_count(n, one)]

    @cached_property
    def misshapen(self) -> list[str]:
        """Names of tensors of another shape than the network's."""
        return [name for name, tensor in self.taken.items() if not self.expected.takes(name, tensor)]

    @property
    def fits(self) -> bool:
        """Whether every name and shape is the network's."""
        return not (self.missing or self.unexpected or self.misshapen)

    @cached_property
    def beside(self) -> list[str]:
        """Names in the same dict as the part that belong neither to it nor to what programs count."""
        start = len(self.key) + 1 if self.key else 0
        others = {n: one for n, one in self.tensors.below(self.key).items() if n not in self.names}
        return [
            name[start:]
            for name, one in others.items()
            if self.tensors.dict_of(name) == self.key and not is_count(name[start:], one)
        ]

    def same_as(self, other: "Match") -> bool:
        """Whether both give the network the same tensors to the bit."""
        one, two = self.taken, other.taken
        return set(one) == set(two) and all(_equal(tensor, two[name]) for name, tensor in one.items())


def matches(tensors: Tensors, expected: Expected, below: str = "") -> list[Match]:
    """All parts of the file below `below` that fit the network: every name, every shape, and no others.

    The file may hold others beside such a part. For the same tensors there is one match, of the plainest reading.
    """
    found: dict[frozenset[str], Match] = {}
    least = len(expected.missing(())) - sum(bool(twins) for twins in expected.twins.values())
    groups = [group for group in _groups(tensors, below) if len(group.names) >= max(least, 1)]
    for reading in READINGS:
        for group in sorted(groups, key=lambda one: one.prefix.count(".") + bool(one.prefix)):
            match = _read(tensors, expected, group, reading)
            if match is not None and match.fits:
                taken = frozenset(name for name, own in match.names.items() if own in expected.tensors)
                found.setdefault(taken, match)
    return list(found.values())


def nearest(tensors: Tensors, expected: Expected, below: str = "") -> Match:
    """The part with the most of the network's tensors: by name and shape, then by name, then the largest.

    Where no part has more than half of them, it is one of the file's dicts as a whole.
    """

    def score(match: Match) -> tuple[int, int, int, int]:
        own = len(match.taken)
        others = len(match.given) - own
        return own - len(match.misshapen), own, -others if own else others, -match.prefix.count(".")

    groups = _groups(tensors, below)
    read = (_read(tensors, expected, group, reading) for group in groups for reading in READINGS)
    found = [match for match in read if match is not None]
    best = max(found, key=score)
    if 2 * len(best.taken) > len(expected.tensors):
        return best
    return max((match for match in found if not match.beside), key=score, default=best)


@dataclass(frozen=True)
class _Group:
    """Names of a file that begin with the same steps."""

    prefix: str
    names: tuple[str, ...]


def _groups(tensors: Tensors, below: str) -> list[_Group]:
    """All names under every prefix; where some of them stand in dicts inside, those that do not once more."""
    under: dict[str, list[str]] = {}
    plain: dict[str, list[str]] = {}
    for name in tensors.below(below):
        inside = len(tensors.dict_of(name))
        for prefix in _prefixes(name):
            if not below or prefix == below or prefix.startswith(f"{below}."):
                under.setdefault(prefix, []).append(name)
                if len(prefix) >= inside:
                    plain.setdefault(prefix, []).append(name)
    groups = [_Group(prefix, tuple(names)) for prefix, names in under.items()]
    return groups + [_Group(prefix, tuple(some)) for prefix, some in plain.items() if len(some) < len(under[prefix])]


def _prefixes(name: str) -> Iterator[str]:
    """All that stands before a step of `name`: '', `a` and `a.b` of `a.b.weight`."""
    yield ""
    for found in re.finditer(r"\.", name):
        yield name[: found.start()]


Reading = Callable[[str, Expected], tuple[str, tuple[str, ...]]]
"""A name of the network's for one of the file's, and the wrappers' names that were left out."""


def _read(tensors: Tensors, expected: Expected, group: _Group, reading: Reading) -> Match | None:
    """The group by the network's names; None where two tensors would have one name."""
    prefix = group.prefix
    start = len(prefix) + 1 if prefix else 0
    read = {name: reading(name[start:], expected) for name in group.names}
    names = {name: expected.spelt.get(own, own) for name, (own, _) in read.items()}
    if len(set(names.values())) < len(names):
        return None
    key = tensors.dict_of(prefix)
    outside = prefix[len(key) + 1 if key else 0 :]
    inside = dict.fromkeys(step for _, steps in read.values() for step in steps)
    stripped = (*(f"{step}." for step in outside.split(".") if step), *(f"{step}." for step in inside))
    chains = expected.chain if reading is _wrapped else ()
    added = next((chain for chain in chains if all(own.startswith(f"{chain}.") for own in names.values())), "")
    return Match(tensors, expected, key, prefix, names, stripped, added)


def _as_it_is(name: str, expected: Expected) -> tuple[str, tuple[str, ...]]:
    return name, ()


def _unwrapped(name: str, expected: Expected) -> tuple[str, tuple[str, ...]]:
    """`name` without wrappers that the network does not own; as it is where that leads nowhere."""
    steps = tuple(name.split("."))
    found = _way(steps, expected.paths)
    if found is None:
        return name, ()
    left = Counter(steps) - Counter(found)
    return ".".join(found), tuple(step for step in dict.fromkeys(steps) if left[step])


def _wrapped(name: str, expected: Expected) -> tuple[str, tuple[str, ...]]:
    """`name` below the children that the network itself is wrapped in."""
    inside = (f"{chain}.{name}" for chain in expected.chain)
    return next((one for one in inside if one in expected.spelt), name), ()


READINGS: tuple[Reading, ...] = (_as_it_is, _unwrapped, _wrapped)
"""Ways to read a name, the first that fits before the others."""


def _way(
    steps: tuple[str, ...], paths: Collection[tuple[str, ...]], start: tuple[str, ...] = ()
) -> tuple[str, ...] | None:
    """`steps` below `start` without wrappers that the network does not own; None where they lead nowhere."""
    if not steps:
        return start if start in paths else None
    found = None
    if (*start, steps[0]) in paths:
        found = _way(steps[1:], paths, (*start, steps[0]))
    if found is None and steps[0] in WRAPPERS:
        found = _way(steps[1:], paths, start)
    return found


def _equal(one: Any, other: Any) -> bool:
    both = isinstance(one, Tensor) and isinstance(other, Tensor)
    return both and one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)
