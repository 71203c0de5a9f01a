"""Indexing with tensors and choosing by masks: exact where the indices do not depend on the input."""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.walk import movement
from cnnlab.walk.arrays import Array, aligned, fill_of, join_ufunc, room_for
from cnnlab.walk.call import Call, Transfer, numbered, whole
from cnnlab.walk.reach import Plain, uniform
from cnnlab.walk.tag import Tag, compact, empty_like, joined


def _index_select(call: Call) -> Tag | None:
    tag, dim = call.tag("self"), whole(call["dim"], call["self"].dim())
    values = call.value_of(call["index"])
    if tag is None or values is None:
        return _anywhere(call, [dim])
    places = values.numpy().reshape(-1)
    return tag.moved(lambda array: array.take(places, axis=dim + 1) if array.shape[dim + 1] > 1 else array)


def _index(call: Call) -> Tag | None:
    """`x[i, :, j]` with tensors as indices."""
    tag, shape = call.tag("self"), tuple(call["self"].shape)
    wanted = [place for place, index in enumerate(call["indices"]) if index is not None]
    values = [None if index is None else call.value_of(index) for index in call["indices"]]
    if tag is None or any(values[place] is None for place in wanted):
        row = len(wanted) == 1 and call["indices"][wanted[0]].dim() == 1
        return _anywhere(call, wanted if row and call.output.dim() == len(shape) else None)
    masks = any(value is not None and value.dtype in (torch.bool, torch.uint8) for value in values)
    if masks:
        if call["self"].numel() > movement.LARGEST:
            return _anywhere(call)
        index = tuple(slice(None) if value is None else value for value in values)
        return compact(tag.moved(movement.gathered(shape, numbered(call["self"])[index].numpy())))
    indices = tuple(slice(None) if value is None else value.numpy() for value in values)

    def move(array: Array) -> Array:
        full = [shape[d] if d in wanted else array.shape[d + 1] for d in range(len(shape))]
        picked = prod(np.broadcast_shapes(*(index.shape for index in indices if isinstance(index, np.ndarray))))
        room_for(array, (picked, *(size for d, size in enumerate(full) if d not in wanted)))
        # the axis of components goes last: with indices that are apart numpy would move it elsewhere
        last = np.moveaxis(np.broadcast_to(array, (len(array), *full)), 0, -1)
        return np.moveaxis(last[(*indices, ...)], -1, 0)

    return compact(tag.moved(move))


def _gather(call: Call) -> Tag | None:
    values, tag, tensor = call.value_of(call["index"]), call.tag("self"), call["self"]
    dim = whole(call["dim"], tensor.dim())
    if tag is None or values is None or tensor.numel() > movement.LARGEST:
        if tag is None or not tensor.dim():
            return _anywhere(call)
        made = tag.joined_along([dim])
        for other, size in enumerate(call["index"].shape):
            if other != dim:
                made = made.moved(movement.sliced(other, tensor.shape[other], slice(0, size)))
        own = call.tag("index")
        return joined([made, own and own.joined_along([dim])])
    return compact(
        tag.moved(movement.gathered(tuple(tensor.shape), numbered(tensor).gather(call["dim"], values).numpy()))
    )


def _masked_select(call: Call) -> Tag | None:
    mask = call.value_of(call["mask"])
    tag, tensor = call.tag("self"), call["self"]
    if tag is None or mask is None or tensor.numel() > movement.LARGEST:
        return _anywhere(call)
    return compact(
        tag.moved(movement.gathered(tuple(tensor.shape), numbered(tensor).masked_select(mask.cpu()).numpy()))
    )


def _anywhere(call: Call, dims: Sequence[int] | None = None) -> Tag | None:
    """Each result may be any element of the first tensor along `dims` (all by default), wherever the indices point."""
    rank, own = call.output.dim(), call.tag("self")
    rest = [call.tag_of(tensor) for tensor in call.tensors if tensor is not call["self"]]
    parts = [tag.melted(rank) for tag in rest if tag is not None]
    if own is not None:
        parts.append(own.melted(rank) if dims is None else own.joined_along(dims))
    return joined(parts)


def _put(call: Call) -> Tag | None:
    """Elements of another tensor put where known indices lead; where they are not known, each may be anywhere."""
    own, tensor = call.tag("self"), call["self"]
    numbers = numbered(tensor) if tensor.numel() <= movement.LARGEST else None
    where = None if numbers is None else _WHERE[call.name](call, numbers)
    content = next((call[name] for name in _CONTENT if isinstance(call.get(name), Tensor)), None)
    new = None if content is None else call.tag_of(content)
    if where is None:
        rank = call.output.dim()
        others = [call.tag_of(one) for one in call.tensors if one is not tensor]
        return joined([own, *(tag.melted(rank) for tag in others if tag is not None)])
    known = own if own is not None else new
    if known is None:
        return None
    rank = tensor.dim()
    before = own if own is not None else empty_like(known, rank)
    after = new if new is not None else empty_like(known, 0)
    added = call.name in ("index_add", "scatter_add", "scatter_reduce") or bool(call.get("accumulate"))
    taken = tuple(content.shape) if content is not None else ()
    if call.name in ("scatter", "scatter_add", "scatter_reduce") and content is not None:
        # an index smaller than the source takes its first elements
        for dim, size in enumerate(where.shape):
            after = after.moved(movement.sliced(dim, taken[dim], slice(0, size)))
    axes = []
    for old, fresh in zip(before.axes, after.axes, strict=True):
        parts = [
            _put_array(a, b, tuple(tensor.shape), where.numpy(), added)
            for a, b in ((old.hull, fresh.hull), (old.short, fresh.short), (old.bits, fresh.bits))
            if a is not None and b is not None
        ]
        axes.append(Plain(parts[0], parts[1], parts[2] if len(parts) > 2 else None))
    because = tuple(a or b for a, b in zip(before.because, after.because, strict=True))
    return compact(Tag(tuple(axes), because))


_CONTENT = ("values", "src", "source", "value")


def _put_array(old: Array, new: Array, shape: tuple[int, ...], where: NDArray[np.int64], added: bool) -> Array:
    room_for(old, shape)
    room_for(old, where.shape)
    flat = np.broadcast_to(old, (len(old), *shape)).reshape(len(old), -1).copy()
    places = where.reshape(-1)
    if not added:
        flat[:, places] = fill_of(old)[:, None]
    content = np.broadcast_to(aligned(new, where.ndim), (len(old), *where.shape)).reshape(len(old), -1)
    # of several that go to one place one wins, nobody knows which: all are joined
    join_ufunc(old).at(flat, (slice(None), places), content)
    return flat.reshape(len(old), *shape)


def _at_indices(call: Call, numbers: Tensor) -> Tensor | None:
    values = [None if index is None else call.value_of(index) for index in call["indices"]]
    if any(v is None and index is not None for v, index in zip(values, call["indices"], strict=True)):
        return None
    return numbers[tuple(slice(None) if value is None else value.cpu() for value in values)]


def _along_dim(call: Call, numbers: Tensor) -> Tensor | None:
    values = call.value_of(call["index"])
    return None if values is None else numbers.index_select(call["dim"], values.cpu().reshape(-1))


def _scattered(call: Call, numbers: Tensor) -> Tensor | None:
    values = call.value_of(call["index"])
    return None if values is None else numbers.gather(call["dim"], values.cpu())


def _sliced(call: Call, numbers: Tensor) -> Tensor | None:
    return torch.ops.aten.slice(numbers, call["dim"], call["start"], call["end"], call["step"])  # type: ignore[no-any-return]


_WHERE: dict[str, Callable[[Call, Tensor], Tensor | None]] = {
    "index_put": _at_indices, "_index_put_impl": _at_indices, "_unsafe_index_put": _at_indices,
    "index_add": _along_dim, "index_copy": _along_dim, "index_fill": _along_dim,
    "scatter": _scattered, "scatter_add": _scattered, "scatter_reduce": _scattered,
    "slice_scatter": _sliced,
    "select_scatter": lambda call, numbers: numbers.select(call["dim"], call["index"]),
    "diagonal_scatter": lambda call, numbers: numbers.diagonal(call["offset"], call["dim1"], call["dim2"]),
    "masked_scatter": lambda call, numbers: None,
}  # fmt: skip


def _where(call: Call) -> Tag | None:
    mask = call.value_of(call["condition"])
    if mask is None:
        return joined(call.tags)
    return _chosen(mask, call.tag("self"), call.tag("other"), call.output.dim())


def _masked_fill(call: Call) -> Tag | None:
    mask = call.value_of(call["mask"])
    if mask is None:
        return joined(call.tags)
    return _chosen(mask, call.tag("value"), call.tag("self"), call.output.dim())


def _triangle(call: Call) -> Tag | None:
    ones = torch.ones(call["self"].shape[-2:], dtype=torch.bool)
    mask = torch.tril(ones, call["diagonal"]) if call.name == "tril" else torch.triu(ones, call["diagonal"])
    return _chosen(mask, call.tag("self"), None, call.output.dim())


def _chosen(mask: Tensor, one: Tag | None, other: Tag | None, rank: int) -> Tag | None:
    """The first where the mask holds, the second where it does not."""
    known = one if one is not None else other
    if known is None:
        return None
    one, other = (tag if tag is not None else empty_like(known, rank) for tag in (one, other))
    choice = aligned(mask.cpu().bool().numpy()[None], rank)

    def pick(a: Array, b: Array) -> Array:
        room_for(a, np.broadcast_shapes(*(aligned(one, rank).shape[1:] for one in (a, b, choice))))
        return np.where(choice, aligned(a, rank), aligned(b, rank))

    axes = []
    for a, b in zip(one.axes, other.axes, strict=True):
        bits = pick(a.bits, b.bits) if a.bits is not None and b.bits is not None else None
        axes.append(uniform(pick(a.hull, b.hull), pick(a.short, b.short), bits))
    because = tuple(x or y for x, y in zip(one.because, other.because, strict=True))
    return compact(Tag(tuple(axes), because))


def knows_its_mask(call: Call) -> bool:
    """Whether an operation that chooses by a mask does so by known values, so that what is chosen passes whole."""
    mask = call.get("condition", call.get("mask"))
    return isinstance(mask, Tensor) and call.value_of(mask) is not None


def blind(call: Call) -> bool:
    """Whether an index or a mask that does not depend on the input has values that nobody knows."""
    if call.name not in INDEXING:
        return False
    indices = [tensor for tensor in call.tensors if not (tensor.is_floating_point() or tensor.is_complex())]
    return any(call.tag_of(index) is None and call.value_of(index) is None for index in indices)


INDEXING: dict[str, Transfer] = {
    "index_select": _index_select, "index": _index, "_unsafe_index": _index, "gather": _gather,
    "masked_select": _masked_select, "where": _where, "masked_fill": _masked_fill,
    "tril": _triangle, "triu": _triangle, **dict.fromkeys(_WHERE, _put),
}  # fmt: skip
