"""The tensors that a network holds: by name, with others in their place, and their memory taken down and put back."""

import copy
import ctypes
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_leaves, tree_map


def tensors_of(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every parameter and buffer, under one name for each module that holds it: what `run_on` has to exchange.

    One that several modules share comes once for each of them. A module that is registered under several names comes
    once: exchanged a second time, its first substitute would be put back as the original.
    """
    for path, module in model.named_modules():
        yield from module.named_parameters(path, recurse=False, remove_duplicate=False)
        yield from module.named_buffers(path, recurse=False, remove_duplicate=False)


def twins_of(model: nn.Module, make: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """What `make` makes of each tensor, under the names of `tensors_of`; a shared one is made once.

    For `run_on`.
    """
    made: dict[int, Tensor] = {}
    found = {}
    for name, tensor in tensors_of(model):
        if id(tensor) not in made:
            made[id(tensor)] = make(tensor)
        found[name] = made[id(tensor)]
    return found


def run_on(model: nn.Module, twins: Mapping[str, Tensor], images: Tensor) -> Any:
    """What `model` puts out for `images` with `twins` (see `twins_of`) in the place of all its tensors.

    Of a DataParallel, too, which torch refuses where it is not inside another module.
    """
    if isinstance(model, nn.DataParallel):
        model, twins = nn.Sequential(model), {f"0.{name}": twin for name, twin in twins.items()}
    # not tied once more: every name is there
    return functional_call(model, dict(twins), (images,), tie_weights=False)


def lone_tensor(output: object) -> Tensor | None:
    """The only tensor that a module put out, by itself or in a tuple, as attention gives it; None if it is not one."""
    if not isinstance(output, Tensor | tuple):
        return None
    found = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
    return found[0] if len(found) == 1 else None


def with_tensor(output: object, tensor: Tensor) -> Any:
    """The output with `tensor` in place of its only one."""
    return tree_map(lambda leaf: tensor if isinstance(leaf, Tensor) else leaf, output)


def copied(model: nn.Module, twins: dict[int, Tensor] | None = None) -> nn.Module:
    """A deep copy; `twins` are tensors to stand in for those of these ids.

    Tensors that a module worked out and kept, as the older spectral and weight norms do, are copied without the graph
    that they come from, which torch refuses to copy.
    """
    memo: dict[int, object] = dict(twins or {})
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                memo.setdefault(id(value), value.detach().clone())
    return copy.deepcopy(model, memo)


def without_values(tensor: Tensor) -> Tensor:
    """Return the tensor on meta: its shape, type and strides alone."""
    if tensor.is_contiguous() and type(tensor) in (Tensor, nn.Parameter):
        return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")  # in a tenth of the time
    return torch.empty_like(tensor.detach(), device="meta")


@dataclass(frozen=True, eq=False)
class Held:
    """A tensor, and what is told of it beside its values."""

    tensor: Tensor
    data: Tensor
    """The tensor's memory."""
    version: int | None
    requires_grad: bool
    grad: Tensor | None

    @classmethod
    def of(cls, tensor: Tensor) -> "Held":
        """Take down `tensor` as it is now."""
        version = None if tensor.is_inference() else tensor._version
        return cls(tensor, tensor.data, version, tensor.requires_grad, tensor.grad if tensor.is_leaf else None)

    def put_back(self) -> None:
        """All but the values."""
        tensor, data = self.tensor, self.data
        if (
            tensor.data_ptr() != data.data_ptr()
            or tensor.shape != data.shape
            or tensor.dtype != data.dtype
            or tensor.device != data.device
            or tensor.layout != data.layout
            or tensor.stride() != data.stride()
        ):
            tensor.data = data
        if tensor.requires_grad != self.requires_grad and tensor.is_leaf and not tensor.is_inference():
            tensor.requires_grad_(self.requires_grad)
        if tensor.is_leaf and tensor.grad is not self.grad:
            tensor.grad = self.grad
        if self.version is not None and tensor._version != self.version:
            # a graph that somebody holds would take the tensor for changed
            torch._C._autograd._unsafe_set_version_counter((tensor,), (self.version,))


@dataclass(frozen=True, eq=False)
class Memory:
    """The bytes that a tensor lies in, whatever its type and strides are."""

    tensor: Tensor
    storage: torch.UntypedStorage
    large: bool
    before: bytes = b""

    def kept(self) -> "Memory":
        """Return the memory with its bytes as they are now."""
        return replace(self, before=_read(self.storage))

    def put_back(self) -> bool:
        """Whether it had been written into."""
        if self.storage.nbytes() != len(self.before):
            self.storage.resize_(len(self.before))
        elif _read(self.storage) == self.before:
            return False
        if self.storage.device.type == "cpu":
            ctypes.memmove(self.storage.data_ptr(), self.before, len(self.before))
        else:
            self.storage.copy_(torch.UntypedStorage.from_buffer(self.before, dtype=torch.uint8))
        return True


def _read(storage: torch.UntypedStorage) -> bytes:
    # not through tensors of bytes, which take a hundred times as long for the many small ones of a network
    own = storage if storage.device.type == "cpu" else storage.cpu()
    return ctypes.string_at(own.data_ptr(), own.nbytes()) if own.nbytes() else b""
