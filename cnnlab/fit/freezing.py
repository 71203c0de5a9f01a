"""Which parts of a network keep the values that they start with, and from which epoch on they learn as well."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from torch import nn

from cnnlab.core.characters import some
from cnnlab.core.errors import RequestError
from cnnlab.models.data_dependent import kept_parameters

ALL_BUT_HEAD = "all but head"
HEAD = "head"
WORDS = (ALL_BUT_HEAD, HEAD)
"""Patterns that are no names."""

STATISTIC = "running_mean"
"""The buffer that tells a layer which keeps statistics of what it has seen."""


def head_of(model: nn.Module) -> tuple[str, nn.Module]:
    """The last layer with a weight matrix or a kernel, which makes the logits, with its name.

    Arguments:
        model: whose layers are registered in the order in which they are used.

    Raises:
        RequestError: where no layer has one.
    """
    weighted = [
        (name, module)
        for name, module in model.named_modules()
        if any(parameter.ndim > 1 for parameter in module.parameters(recurse=False))
    ]
    if not weighted:
        raise RequestError("the network has no layer with a weight matrix, so it has no head")
    return weighted[-1]


def is_covered(name: str, patterns: Iterable[str], head: str) -> bool:
    """Whether one of `patterns` is that of a parameter, or of a layer that it lies in.

    Arguments:
        name: of a parameter or buffer.
        patterns: such as `conv_bn_act1` or `layer[12]*`, or one of `WORDS`.
        head: the name of the head.

    Example:
        >>> is_covered("layer1.0.conv1.weight", ["layer[12]"], "fc"), is_covered("fc.bias", ["all but head"], "fc")
        (True, False)
    """
    steps = name.split(".")
    prefixes = [".".join(steps[:depth]) for depth in range(1, len(steps) + 1)]
    of_head = head in prefixes
    return any(
        of_head == (pattern == HEAD) if pattern in WORDS else any(fnmatchcase(prefix, pattern) for prefix in prefixes)
        for pattern in patterns
    )


class Freezing:
    """The frozen parts of a network, epoch by epoch."""

    def __init__(
        self, model: nn.Module, freeze: Sequence[str], unfreeze: Mapping[int, Sequence[str]], *, statistics: bool
    ) -> None:
        """Find what is frozen; nothing is changed before `begin`.

        Arguments:
            model: to be trained.
            freeze: patterns, see `is_covered`.
            unfreeze: by the epoch, from 1, with which what they cover begins to learn.
            statistics: whether layers that are frozen keep the statistics of batch normalisation, too.

        Raises:
            RequestError: for a pattern that covers nothing, with names that there are.
        """
        head, _ = head_of(model) if freeze else ("", model)
        parameters, kept = dict(model.named_parameters()), _statistics(model)
        names = [*parameters, *kept]
        self.until: dict[str, int | None] = {name: None for name in names if is_covered(name, freeze, head)}
        self.until |= dict.fromkeys(kept_parameters(model))
        for pattern in freeze:
            if not any(is_covered(name, [pattern], head) for name in names):
                raise RequestError(
                    f"freeze: '{pattern}' covers no parameter; they are called {some(list(parameters), 4)}"
                )
        for epoch, patterns in sorted(unfreeze.items()):
            for pattern in patterns:
                found = [name for name in self.until if is_covered(name, [pattern], head)]
                if not found:
                    frozen = f"frozen are {some(list(self.until), 4)}" if self.until else "nothing is frozen"
                    raise RequestError(
                        f"unfreeze: '{pattern}' of epoch {epoch} covers nothing that is frozen; {frozen}"
                    )
                self.until.update({name: epoch for name in found if self.until[name] is None})
        self._sizes = {name: one.numel() for name, one in parameters.items()}
        self._parameters = {name: one for name, one in parameters.items() if name in self.until}
        self._norms = {name: one for name, one in kept.items() if name in self.until} if statistics else {}

    def is_frozen(self, name: str, epoch: int | None = None) -> bool:
        """Whether a parameter does not learn in an epoch, from 1; without one: whether it never does."""
        if name not in self.until:
            return False
        first = self.until[name]
        return first is None or (epoch is not None and epoch < first)

    @property
    def trainable(self) -> int:
        """How many parameters learn in the first epoch."""
        return sum(size for name, size in self._sizes.items() if not self.is_frozen(name, 1))

    @property
    def trainable_ever(self) -> int:
        """How many parameters learn in some epoch."""
        return sum(size for name, size in self._sizes.items() if not self.is_frozen(name))

    @property
    def sentence(self) -> str:
        """The parameters that are trained, and when more of them are.

        Raises: RequestError where none learns in the first epoch.
        """
        learning = [name for name in self._sizes if not self.is_frozen(name, 1)]
        if not learning:
            raise RequestError("freeze: every parameter is frozen in epoch 1; nothing is left to train")
        later = sorted({epoch for epoch in self.until.values() if epoch is not None})
        then = f"; more from epoch {', '.join(map(str, later))} on" if later else ""
        of = sum(self._sizes.values())
        return f"{self.trainable:,} of {of:,} parameters learn: {some(learning, 4)}{then}"

    def begin(self, epoch: int) -> None:
        """Freeze what is frozen in an epoch, from 1; the rest of what was ever frozen learns."""
        for name, parameter in self._parameters.items():
            parameter.requires_grad_(not self.is_frozen(name, epoch))
        for name, norm in self._norms.items():
            if self.is_frozen(name, epoch):
                norm.eval()


def _statistics(model: nn.Module) -> dict[str, nn.Module]:
    """The layers that keep statistics, by the names of those."""
    return {
        f"{name}.{STATISTIC}" if name else STATISTIC: module
        for name, module in model.named_modules()
        if getattr(module, STATISTIC, None) is not None
    }


def depths(model: nn.Module) -> dict[str, int]:
    """How many layers lie between each parameter and the logits: 0 for those of the last.

    A layer is a child of the network, or of an `nn.Sequential` in it, with the norms that follow it.

    Arguments:
        model: whose layers are registered in the order in which they are used.

    Example:
        >>> depths(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Linear(4, 2)))["1.bias"]
        1
    """
    units: list[list[str]] = []
    for names, matrices in _units(model, ""):
        if matrices or not units:
            units.append([])
        units[-1] += names
    return {name: len(units) - 1 - place for place, names in enumerate(units) for name in names}


def _units(module: nn.Module, prefix: str) -> Iterable[tuple[list[str], bool]]:
    """The names of each unit's parameters, and whether a matrix or kernel is among them."""
    own = [(prefix + name, one.ndim > 1) for name, one in module.named_parameters(recurse=False)]
    if own:
        yield [name for name, _ in own], any(matrix for _, matrix in own)
    for name, child in module.named_children():
        if isinstance(child, nn.Sequential):
            yield from _units(child, f"{prefix}{name}.")
        elif inner := [(f"{prefix}{name}.{one}", value.ndim > 1) for one, value in child.named_parameters()]:
            yield [one for one, _ in inner], any(matrix for _, matrix in inner)
