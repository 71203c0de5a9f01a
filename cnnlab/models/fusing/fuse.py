"""Folding and merging in a network, where a watched pass and the kinds of layers prove that it changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Protocol, runtime_checkable

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from cnnlab.models.build import Model
from cnnlab.models.fusing.arithmetic import in_sum, norm_after, norm_before
from cnnlab.models.fusing.dataflow import PASSING, Call, Dataflow, dataflow

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
LINEAR = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)
"""Plain layers by their exact class: one that is derived from them may do something else with its weights."""


@runtime_checkable
class Summing(Protocol):
    """A layer that adds what several layers make of its input, and does something with the sum."""

    def summed(self) -> Sequence[nn.Module]:
        """The layers whose outputs are added; none where they are joined in another way."""

    def with_sum(self, layer: nn.Module) -> nn.Module:
        """The same with one layer in place of those."""


@dataclass(frozen=True)
class Step:
    """What was done."""

    what: str
    """Such as `batch norm folded`."""
    layer: str
    """The path of the layer that does the work now."""
    others: tuple[str, ...]
    """Paths of those that it stands for."""


@dataclass(frozen=True)
class Kept:
    """What stays, and why."""

    layer: str
    why: str


@dataclass(frozen=True, eq=False)
class Fusion:
    """A network after it."""

    model: nn.Module
    steps: tuple[Step, ...]
    kept: tuple[Kept, ...]


def fuse(model: nn.Module, images: Tensor) -> Fusion:
    """Fold batch norms into the layers before or after them, merge summed branches, take drop-outs away.

    The layers keep their names; what is done depends on the network's structure alone, and not on its weights.

    Arguments:
        model: is changed; in evaluation mode it computes the same afterwards.
        images: (n, channels, height, width), of the type and on the device of its parameters, for a pass that shows
            which layer reads what.

    Returns:
        The network (another module where the whole of it was merged), what was done, and what stays as it is.

    Example:
        >>> import torch
        >>> found = fuse(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), torch.ones(1, 3, 8, 8))
        >>> found.model, found.steps[0].others
        (Sequential(
          (0): Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1))
          (2): ReLU()
        ), ('1',))
    """
    work = _Work(model, dataflow(model, images))
    for name, module in list(model.named_modules()):
        if isinstance(module, _BatchNorm):
            work.fold(name, module)
    for name, module in reversed(list(work.model.named_modules())):
        if isinstance(module, Summing):
            work.merge(name, module)
    work.clear()
    return Fusion(work.model, tuple(work.steps), tuple(work.kept))


@dataclass(eq=False)
class _Work:
    """A network that is being changed, and the pass that tells what may be."""

    model: nn.Module
    flow: Dataflow
    steps: list[Step] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names: dict[nn.Module, list[str]] = {}
        self.owners: dict[int, int] = {}
        for name, module in self.model.named_modules(remove_duplicate=False):
            self.names.setdefault(module, []).append(name)
        for module in self.names:
            for parameter in module.parameters(recurse=False):
                self.owners[id(parameter)] = self.owners.get(id(parameter), 0) + 1
        self.fixed = {module: self._fixed(names[0], module) for module, names in self.names.items()}

    def fold(self, name: str, norm: _BatchNorm) -> None:
        """Fold one batch norm, or say why it stays."""
        why = self._not_a_scale(norm) or self.fixed[norm]
        if why:
            self.kept.append(Kept(name, why))
            return
        (call,) = self.flow.of(name)
        before = self.flow.maker(call.inputs[0])
        readers = self.flow.readers(call.outputs[0])
        refused = self._not_before(before, call)
        if before is not None and not refused:
            self._put(before.layer, norm_after(self._layer(before), norm))
            self._put(name, nn.Identity())
            self.steps.append(Step("batch norm folded into the layer before it", before.layer, (name,)))
            return
        refused_too = self._not_after(readers, norm)
        if not refused_too:
            self._put(readers[0].layer, norm_before(norm, self._layer(readers[0])))
            self._put(name, nn.Identity())
            self.steps.append(Step("batch norm folded into the layer after it", readers[0].layer, (name,)))
            return
        self.kept.append(Kept(name, f"{refused}; {refused_too}"))

    def merge(self, name: str, owner: Summing) -> None:
        """Merge the branches of a sum, or say why they stay; nothing is said of sums of more than convolutions."""
        assert isinstance(owner, nn.Module)
        terms = [_only(branch) for branch in owner.summed()]
        convolutions = [one for one in terms if isinstance(one, _ConvNd)]
        if len(terms) < 2 or not convolutions or _MORE in terms:
            return
        largest = max(convolutions, key=lambda one: prod(one.kernel_size))
        plain = [one for one in terms if not isinstance(one, str)]
        why = self._called_otherwise(name, owner) or next(filter(None, (_misfit(one, largest) for one in plain)), "")
        if why:
            self.kept.append(Kept(name, f"its branches stay apart: {why}"))
            return
        inside = [other for other, module in owner.named_modules() if module in plain]
        self._put(name, owner.with_sum(in_sum(plain, largest)))
        self.kept = [one for one in self.kept if one.layer.removeprefix(f"{name}.") not in inside]
        self.steps.append(Step(f"{len(terms)} branches merged", name, tuple(f"{name}.{one}" for one in inside)))

    def clear(self) -> None:
        """Take identities and drop-outs out of the plain sequences that ran."""
        gone = []
        for name, module in list(self.model.named_modules()):
            if not _runs_in_a_row(module):
                continue
            for key, child in list(module._modules.items()):
                if type(child) in PASSING and not self._hooked(child):
                    del module._modules[key]
                    gone.append(f"{name}.{key}".lstrip("."))
        folded = {other for step in self.steps for other in step.others}
        if passing := tuple(one for one in gone if one not in folded):
            self.steps.append(Step("identities and drop-outs taken out", "", passing))

    def _put(self, name: str, module: nn.Module) -> None:
        if not name:
            self.model = module
            return
        above, _, own = name.rpartition(".")
        self.model.get_submodule(above)._modules[own] = module

    def _layer(self, call: Call) -> _ConvNd | nn.Linear:
        layer = self.model.get_submodule(call.layer)
        assert isinstance(layer, _ConvNd | nn.Linear)
        return layer

    def _original(self, call: Call) -> nn.Module:
        return next(module for module, names in self.names.items() if call.layer in names)

    def _not_a_scale(self, norm: _BatchNorm) -> str:
        """Why a norm is no fixed scale and shift of each channel; '' where it is."""
        if type(norm) not in NORMS:
            return f"a {type(norm).__name__}, which does more than a plain batch norm"
        if norm.running_mean is None or norm.running_var is None:
            return "it normalises by the statistics of each batch, in evaluation mode too"
        return ""

    def _fixed(self, name: str, module: nn.Module) -> str:
        """Why a layer cannot be exchanged; '' where it can."""
        if self._hooked(module):
            return "it has hooks of its own"
        if any(self.owners.get(id(one), 0) > 1 for one in module.parameters(recurse=False)):
            return "its weights are another layer's, too"
        if (reader := self.flow.reads_weights_of(module)) is not None:
            return f"the code of {reader.layer or 'the network'} reads its weights"
        return self._called_otherwise(name, module)

    def _called_otherwise(self, name: str, module: nn.Module) -> str:
        """Why a layer stands for more than one place; '' where it does not."""
        names, times = self.names.get(module, [name]), self.flow.entered.get(name, 0)
        if len(names) > 1:
            return f"it is one layer with {names[1] if names[0] == name else names[0]}"
        if times != 1:
            return f"it runs {times} times in a pass" if times else "it does not run"
        return ""

    @staticmethod
    def _hooked(module: nn.Module) -> bool:
        return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks)

    def _not_before(self, before: Call | None, norm: Call) -> str:
        """Why the layer before a norm cannot take it in; '' where it can."""
        if before is None:
            return "it norms the image itself"
        if not before.is_layer:
            return "it norms what the code between layers makes"
        layer = self._original(before)
        if type(layer) not in LINEAR:
            return f"it norms what {before.layer} puts out, a {type(layer).__name__}"
        if why := self.fixed[layer]:
            return f"{before.layer} before it cannot take it in: {why}"
        made = before.outputs[0]
        if len(self.flow.readers(made)) != 1:
            others = [call.layer or "the network" for call in self.flow.readers(made) if call is not norm]
            return f"what {before.layer} puts out is read by {others[0]}, too"
        if isinstance(layer, nn.Linear) and made.dim() != 2:
            return f"{before.layer} before it puts out features on the last axis, and it norms another one"
        return ""

    def _not_after(self, readers: Sequence[Call], norm: _BatchNorm) -> str:
        """Why the layer after a norm cannot take it in; '' where it can."""
        if readers and any(one is given for one in readers[0].outputs for given in readers[0].inputs):
            readers = readers[:1]  # it works in place: the others read what it makes
        if len(readers) != 1 or not readers[0].is_layer:
            return "more than one layer reads it" if len(readers) > 1 else "no convolution reads it"
        layer = self._original(readers[0])
        if type(layer) not in LINEAR or "Transpose" in type(layer).__name__:
            return f"{readers[0].layer} after it is a {type(layer).__name__}"
        if why := self.fixed[layer]:
            return f"{readers[0].layer} after it cannot take it in: {why}"
        if isinstance(layer, nn.Linear):
            fits = readers[0].inputs[0].dim() == 2
            return "" if fits else f"{readers[0].layer} after it reads features of another axis"
        assert isinstance(layer, _ConvNd)
        padded = layer.padding not in ("valid", (0,) * len(layer.kernel_size))
        if padded and (layer.padding_mode == "zeros"):
            return f"{readers[0].layer} after it is padded with zeros, which the norm would not leave zeros"
        return "" if not padded else f"{readers[0].layer} after it is padded"


_MORE = "more"
"""Of a branch that is more than one convolution or norm."""


def _only(branch: nn.Module) -> _ConvNd | _BatchNorm | str | None:
    """The one convolution or norm that a branch is; None for its input itself, `_MORE` for anything else."""
    if not _runs_in_a_row(branch):
        plain = type(branch) in (*LINEAR, *NORMS) and not isinstance(branch, nn.Linear)
        if isinstance(branch, _ConvNd | _BatchNorm) and plain:
            return branch
        return None if type(branch) in PASSING else _MORE
    inside = [one for child in branch.children() if (one := _only(child)) is not None]
    return None if not inside else inside[0] if len(inside) == 1 else _MORE


def _runs_in_a_row(module: nn.Module) -> bool:
    """Whether a module is a plain sequence of its children."""
    return isinstance(module, nn.Sequential) and (
        type(module).forward is nn.Sequential.forward or isinstance(module, Model)
    )


def _misfit(term: _ConvNd | _BatchNorm | None, largest: _ConvNd) -> str:
    """Why the convolution with the largest kernel cannot do the work of `term`, too; '' where it can."""
    if "Transpose" in type(largest).__name__ or isinstance(largest.padding, str):
        return "its convolutions are transposed, or padded by a word"
    if not isinstance(term, _ConvNd):
        if isinstance(term, _BatchNorm) and (type(term) not in NORMS or term.running_mean is None):
            return f"a branch is a {type(term).__name__} that is no fixed scale"
        kernel, stride, dilation = (1,) * len(largest.kernel_size), (1,) * len(largest.stride), largest.dilation
        padding, mode = (0,) * len(largest.kernel_size), largest.padding_mode
        if largest.in_channels != largest.out_channels:
            return "a branch keeps the number of channels, and the others do not"
    else:
        if type(term) is not type(largest) or isinstance(term.padding, str):
            return f"a branch is a {type(term).__name__} that is padded by a word, or another kind of convolution"
        if term.groups != largest.groups:
            return f"its convolutions have {largest.groups} and {term.groups} groups"
        kernel, stride, dilation = term.kernel_size, term.stride, term.dilation
        padding, mode = term.padding, term.padding_mode
    if tuple(stride) != tuple(largest.stride):
        return "its branches have different strides"
    for axis, (side, wide) in enumerate(zip(kernel, largest.kernel_size, strict=True)):
        if (wide - side) % 2:
            return f"a kernel of {side} has no middle place in one of {wide}"
        if side > 1 and dilation[axis] != largest.dilation[axis]:
            return "its convolutions have different dilations"
        if largest.padding[axis] - padding[axis] != largest.dilation[axis] * ((wide - side) // 2):
            return "its convolutions are padded so that their kernels' middles lie at different places"
    if any(padding) and mode != largest.padding_mode:
        return f"its convolutions are padded with {largest.padding_mode} and {mode}"
    return ""
