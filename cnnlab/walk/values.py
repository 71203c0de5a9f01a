"""Tensors whose values are known although the network runs without values: indices, masks, small numbers.

Each has a shadow on the processor, and a view of it a view of the shadow, so that what is written into the one is
written into the other.
"""

from collections.abc import Mapping
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

from cnnlab.walk.store import Store

_SMALL = 16
"""Numbers of a floating tensor up to which its values are kept, so that code may look at them."""
_INDEX = 2**20
"""Whole numbers up to which their values are kept, so that indexing with them is exact."""


def is_small(tensor: Tensor) -> bool:
    """Whether the values of such a tensor are worth keeping."""
    return tensor.numel() <= (_SMALL if tensor.is_floating_point() or tensor.is_complex() else _INDEX)


@final
class Values:
    """Makes the shadows of results from those of arguments."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_meta(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Tensors that the network made on the processor join the others on meta, their values remembered."""
        if any(map(_is_elsewhere, args)) or any(map(_is_elsewhere, kwargs.values())):
            args, kwargs = tree_map_only(Tensor, self._moved, (args, kwargs))
            args, kwargs = tree_map_only(torch.device, lambda device: torch.device("meta"), (args, kwargs))
        return args, kwargs

    def without_masks(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Put indices in place of masks, for `index` and `index_put`: on meta a mask chooses nobody knows how many."""
        indices: list[Tensor | None] = []
        for index in args[1]:
            if index is None or index.dtype not in (torch.bool, torch.uint8):
                indices.append(index)
            elif (value := self._store.value(index)) is None:
                return args
            else:
                indices += map(self._moved, value.nonzero(as_tuple=True))
        return (args[0], indices, *args[2:])

    def _moved(self, tensor: Tensor) -> Tensor:
        if tensor.device.type == "meta":
            return tensor
        twin = torch.empty_like(tensor, device="meta")
        self._store.place(twin, None, tensor.detach().cpu().clone() if is_small(tensor) else None)
        return twin

    def twin(self, value: Any) -> Any:
        """Known results on meta."""
        return tree_map_only(Tensor, self._moved, value)

    def of(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The result on the shadows, which an operation in place changes too; None where not all are known."""
        if torch.Tag.nondeterministic_seeded in func.tags or "empty" in func._schema.name:
            return None
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if any(self._store.value(tensor) is None for tensor in given):
            return None
        args, kwargs = tree_map_only(Tensor, self._store.value, (args, kwargs))
        args, kwargs = tree_map_only(torch.device, lambda device: torch.device("cpu"), (args, kwargs))
        return func(*args, **kwargs)


def _is_elsewhere(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.device.type != "meta"
    if isinstance(value, list | tuple):
        return any(map(_is_elsewhere, value))
    return isinstance(value, torch.device) and value.type != "meta"


@final
class Written(TorchFunctionMode):
    """What the network's code writes out in numbers keeps its values: torch would put it on meta without them."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func in (Tensor.__getitem__, Tensor.__setitem__):
            index = args[1]
            index = tuple(map(_tensor, index)) if isinstance(index, tuple) else _tensor(index)
            return func(args[0], index, *args[2:])
        if func in (torch.tensor, torch.as_tensor):
            options.pop("device", None)
        elif func is Tensor.new_tensor:
            options["dtype"] = options.get("dtype") or args[0].dtype
            options.pop("device", None)
            return torch.tensor(*args[1:], **options)
        return func(*args, **options)


def _tensor(index: Any) -> Any:
    if isinstance(index, list) and index and all(isinstance(leaf, int) for leaf in tree_leaves(index)):
        return torch.tensor(index)
    return torch.from_numpy(index) if isinstance(index, np.ndarray) else index
