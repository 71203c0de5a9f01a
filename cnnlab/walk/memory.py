"""The memory that a network's tensors take while it runs, without its parameters and buffers."""

import weakref
from typing import final

import torch
from torch import Tensor


@final
class Memory:
    """Bytes that are alive, by storage: a view costs nothing, and what is freed counts no longer."""

    def __init__(self) -> None:
        self.now = self.peak = 0
        self._users: dict[int, list[int]] = {}
        self._left_out: dict[int, Tensor] = {}

    def leave_out(self, tensor: Tensor) -> None:
        """A parameter or a buffer."""
        self._left_out[tensor.untyped_storage()._cdata] = tensor

    def add(self, tensor: Tensor) -> None:
        """A tensor came to life."""
        if tensor.layout is not torch.strided:
            return  # sparse: of no one storage
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._left_out:
            return
        if key not in self._users:
            self._users[key] = [storage.nbytes(), 0]
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
        self._users[key][1] += 1
        weakref.finalize(tensor, self._release, key).atexit = False

    def _release(self, key: int) -> None:
        entry = self._users[key]
        entry[1] -= 1
        if not entry[1]:
            self.now -= entry[0]
            del self._users[key]
