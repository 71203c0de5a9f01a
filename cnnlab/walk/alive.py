"""Tensors that are alive while a network runs: a dictionary by them, and the memory that they take."""

import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar, final

import torch
from torch import Tensor

Value = TypeVar("Value")


@final
class _Reference(weakref.ref[Tensor]):
    """To a tensor, with its number."""

    __slots__ = ("number",)
    number: int


@final
class Alive(Generic[Value]):
    """A dictionary by tensors, each for itself whatever it holds, without those that are gone."""

    def __init__(self, gone: Callable[[Value], Any] | None = None) -> None:
        """Call `gone` with the value of each tensor that is gone."""
        self._values: dict[int, tuple[_Reference, Value]] = {}
        # by a weak reference: what is held here goes with the walk, and waits for no collection of circles
        here = weakref.ref(self)

        def forget(reference: weakref.ref[Tensor]) -> None:
            alive = here()
            if alive is not None and isinstance(reference, _Reference):
                _, value = alive._values.pop(reference.number)
                if gone is not None:
                    gone(value)

        self._forget = forget

    def get(self, tensor: Tensor) -> Value | None:
        """Return the tensor's value, None where it has none."""
        # a number becomes another tensor's only after `forget` was told that this one is gone
        held = self._values.get(id(tensor))
        return None if held is None else held[1]

    def __setitem__(self, tensor: Tensor, value: Value) -> None:
        reference = _Reference(tensor, self._forget)
        reference.number = id(tensor)
        self._values[reference.number] = reference, value


@final
class Memory:
    """Bytes that are alive, by storage, without parameters and buffers: views cost nothing, nor does what is freed."""

    def __init__(self) -> None:
        self.now = self.peak = 0
        self._users: dict[int, list[int]] = {}
        """Of each storage its bytes and how many tensors lie in it."""
        self._left_out: dict[int, Tensor] = {}
        self._storages: Alive[list[int]] = Alive(self._release)

    def leave_out(self, tensor: Tensor) -> None:
        """Take down a parameter or a buffer."""
        self._left_out[tensor.untyped_storage()._cdata] = tensor

    def add(self, tensor: Tensor) -> None:
        """Take down a tensor that came to life."""
        if tensor.layout is not torch.strided:
            return  # sparse: of no one storage
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._left_out:
            return
        known = self._storages.get(tensor)
        if known is None:
            self._storages[tensor] = [key]
        elif key in known:
            return
        else:
            known.append(key)
        if key not in self._users:
            self._users[key] = [storage.nbytes(), 0]
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
        self._users[key][1] += 1

    def _release(self, keys: list[int]) -> None:
        for key in keys:
            entry = self._users[key]
            entry[1] -= 1
            if not entry[1]:
                self.now -= entry[0]
                del self._users[key]
