"""A tensor and the memory that it lies in, taken down and put back, whatever its type and strides are."""

import ctypes
from dataclasses import dataclass, replace

import torch
from torch import Tensor


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
