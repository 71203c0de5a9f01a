"""All that a network holds, taken down and put back: its modules, their attributes, and every tensor behind them."""

import operator
import random
import weakref
from collections import deque
from collections.abc import Iterable
from types import FunctionType, MethodType, ModuleType
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode, is_traceable_wrapper_subclass
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary, WeakTensorKeyDictionary

from cnnlab.models.tensors import Held, Memory

CHEAP = 2**22
"""Bytes up to which a network's tensors are all copied every time: about 1 ms."""
SMALL = 2**16
"""Bytes of one tensor up to which it is copied every time, however large the network is: scales, running averages,
what a layer sets up in its first run."""
DEPTH = 6
"""How far attributes are followed: lists in lists, objects in objects."""

_FIRST_LOOKS: WeakIdKeyDictionary = WeakIdKeyDictionary()
"""The large tensors of each network's first look, each with its address and whether the network wrote into it."""


@final
class Snapshot:
    """What `model` is now.

    A network may change its weights as it runs. Those of a large one are not copied beforehand: at the first look at it
    `WritesKept` copies what an operation is about to write into. Later looks copy what the first saw written, since
    each finds the network in the state of the first. `replaced`: others stand in for its parameters and buffers.
    """

    def __init__(self, model: nn.Module, *, replaced: bool = False) -> None:
        self._model = model
        # a frozen scripted module has no mode
        self._modes = [(module, type(module), getattr(module, "training", None)) for module in model.modules()]
        self._contents: list[tuple[Any, Any]] = []
        self._classes: dict[type, dict[str, Any]] = {}
        self._states: list[tuple[Any, Any]] = []
        self._tensors: list[Held] = []
        self.unknown: dict[int, Memory] = {}
        """Large memory of which it is not known whether the network writes into it."""
        self._followed: dict[int, Any] = {id(module): module for module, _, _ in self._modes}
        for module, kind, _ in self._modes:
            self._follow_attributes(vars(module), DEPTH)
            self._follow_class(kind)
        for tensor in (*model.parameters(), *model.buffers()):
            self._follow(tensor, DEPTH)  # of a scripted module they are no attributes
        self._memory = self._copied(replaced)

    def _follow(self, value: Any, depth: int) -> None:
        """Takes down what `value` holds, if that can change."""
        if type(value) in _UNCHANGING or id(value) in self._followed:
            return
        self._followed[id(value)] = value  # kept alive, so that no other gets its number
        match value:
            case Tensor():
                if value.layout is torch.strided and not is_lazy(value) and not is_traceable_wrapper_subclass(value):
                    self._tensors.append(Held.of(value))
                    if self._tensors[-1].grad is not None:
                        self._follow(self._tensors[-1].grad, depth)
            case dict():
                self._contents.append((value, dict(value)))
                self._follow_all(value.values(), depth)
            case list() | deque() | set():
                self._contents.append((value, list(value)))
                self._follow_all(value, depth)
            case tuple() | frozenset():
                self._follow_all(value, depth)
            case np.ndarray():
                if value.flags.writeable and value.dtype != object and value.nbytes <= CHEAP:
                    self._states.append((value, value.copy()))
            case bytearray():
                self._states.append((value, bytes(value)))
            case torch.Generator():
                self._states.append((value, value.get_state()))
            case np.random.Generator():
                self._states.append((value, value.bit_generator.state))
            case np.random.RandomState():
                self._states.append((value, value.get_state()))
            case random.Random():
                self._states.append((value, value.getstate()))
            case type() | ModuleType():
                pass
            case _ if depth and (isinstance(value, nn.Module) or not _is_foreign(type(value))):
                own = getattr(value, "__dict__", None)
                if isinstance(own, dict):
                    self._follow_attributes(own, depth - 1)

    def _follow_attributes(self, own: dict[str, Any], depth: int) -> None:
        self._contents.append((own, dict(own)))
        for name, one in own.items():
            if name in _HOOKS:
                # the hooks themselves may be those of the look
                self._contents.append((one, dict(one) if one else ()))
            elif type(one) not in _UNCHANGING:
                self._follow(one, depth)

    def _follow_all(self, values: Iterable[Any], depth: int) -> None:
        if depth:
            for one in list(values):
                self._follow(one, depth - 1)

    def _follow_class(self, kind: type) -> None:
        """A network may count in its class."""
        for one in kind.__mro__:
            if one in self._classes or _is_foreign(one):
                continue
            own = {name: value for name, value in vars(one).items() if not name.startswith("__")}
            self._classes[one] = own
            self._follow_all(own.values(), DEPTH)

    def _copied(self, replaced: bool) -> dict[int, Memory]:
        """The memory of every tensor that is to be put back, once where several share it."""
        storages: dict[int, tuple[Tensor, torch.UntypedStorage]] = {}
        for held in self._tensors:
            if held.data.device.type != "meta":
                storage = held.data.untyped_storage()
                storages.setdefault(storage._cdata, (held.tensor, storage))
        everything = sum(storage.nbytes() for _, storage in storages.values()) <= CHEAP
        looks = _FIRST_LOOKS.get(self._model, {})
        copied = {}
        for key, (tensor, storage) in storages.items():
            large = not everything and storage.nbytes() > SMALL
            address, written = looks.get(tensor, (None, False)) if large else (None, True)
            if address != storage.data_ptr() and not written and not replaced:
                self.unknown[key] = Memory(tensor, storage, large)
            elif written and not (replaced and large):
                copied[key] = Memory(tensor, storage, large).kept()
        return copied

    def put_back(self, *, ended: bool) -> None:
        """Makes the network what it was; `ended`: the look came to its end, and saw what the network does."""
        for own, contents in self._contents:
            _put_back(own, contents)
        for kind, before in self._classes.items():
            now = {name: value for name, value in vars(kind).items() if not name.startswith("__")}
            for name in now.keys() - before.keys():
                delattr(kind, name)
            for name, value in before.items():
                if now.get(name, self) is not value:
                    setattr(kind, name, value)
        for module, kind, training in self._modes:
            if type(module) is not kind:
                module.__class__ = kind
            if training is not None and module.training != training:
                module.training = training  # of a scripted module the mode is no attribute
        for value, state in self._states:
            _restore(value, state)
        for held in self._tensors:
            held.put_back()
        written = [memory for memory in self._memory.values() if memory.put_back() and memory.large]
        if written or (ended and self.unknown):
            looks = _FIRST_LOOKS.get(self._model) or WeakTensorKeyDictionary()
            _FIRST_LOOKS[self._model] = looks
            for memory in self.unknown.values() if ended else ():
                looks[memory.tensor] = memory.storage.data_ptr(), False
            for memory in written:
                looks[memory.tensor] = memory.storage.data_ptr(), True

    def keep(self, tensor: Tensor) -> None:
        """`tensor` is about to be written into."""
        storage = tensor.untyped_storage()
        if storage._cdata in self.unknown and storage._cdata not in self._memory:
            self._memory[storage._cdata] = self.unknown[storage._cdata].kept()


@final
class WritesKept(TorchDispatchMode):
    """While it is entered, what a snapshot has not copied is copied before an operation writes into it."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self._snapshot = snapshot

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # which would import the compiler, for half a second

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run `func` as it is."""
        if func._schema.is_mutable:
            for value in tree_leaves((args, kwargs)):
                if isinstance(value, Tensor) and value.layout is torch.strided and value.device.type != "meta":
                    self._snapshot.keep(value)
        return func(*args, **kwargs or {})


_UNCHANGING = frozenset(
    (
        *weakref.ProxyTypes,
        int,
        float,
        complex,
        bool,
        str,
        bytes,
        type(None),
        torch.dtype,
        torch.device,
        torch.Size,
        FunctionType,
        MethodType,
    )
)
_HOOKS = frozenset(name for name in vars(nn.Module()) if name.endswith(("_hooks", "_with_kwargs", "_always_called")))
_FOREIGN = frozenset(
    ("torch", "torchvision", "builtins", "logging", "threading", "multiprocessing", "concurrent", "io")
)
"""Packages whose objects hold no state of a network, but may hold half a process."""


def _is_foreign(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in _FOREIGN


def _put_back(container: Any, contents: Any) -> None:
    if _holds(container, contents):
        return
    container.clear()
    if isinstance(container, dict | set):
        container.update(contents)
    else:
        container.extend(contents)


def _holds(container: Any, contents: Any) -> bool:
    if len(container) != len(contents):
        return False
    if not contents:
        return True
    if isinstance(contents, dict):
        same_keys = container.keys() == contents.keys()
        return same_keys and all(map(operator.is_, map(container.get, contents), contents.values()))
    return all(map(operator.is_, container, contents))


def _restore(value: Any, state: Any) -> None:
    match value:
        case torch.Generator() | np.random.RandomState():
            value.set_state(state)
        case np.random.Generator():
            value.bit_generator.state = state
        case random.Random():
            value.setstate(state)
        case bytearray():
            value[:] = state
        case _:
            value[...] = state
