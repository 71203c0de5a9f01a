"""Operations that move elements and compute nothing: views, copies to other places, indexing."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnlab.analysis.walk import movement
from cnnlab.analysis.walk.call import Call, Transfer, whole
from cnnlab.analysis.walk.reach import Move, Tag, compact, empty_like, joined, slid, uniform
from cnnlab.analysis.walk.taps import padded


def moves_of(call: Call) -> list[Move] | None:
    """The moves that make each result from the first argument, for operations that are no more than that."""
    rule = MOVES.get(call.name)
    if rule is None:
        return None
    made = rule(call, call["self"])
    return made if made is None or isinstance(made, list) else [made]


def _permute(call: Call, tensor: Tensor) -> Move:
    return movement.permuted([whole(dim, tensor.dim()) for dim in call["dims"]])


def _transpose(call: Call, tensor: Tensor) -> Move:
    order = list(range(tensor.dim()))
    if order:
        one, other = whole(call.get("dim0", 0), tensor.dim()), whole(call.get("dim1", -1), tensor.dim())
        order[one], order[other] = order[other], order[one]
    return movement.permuted(order)


def _t(call: Call, tensor: Tensor) -> Move:
    return movement.permuted(list(reversed(range(tensor.dim()))))


def _view(call: Call, tensor: Tensor) -> Move:
    return movement.reshaped(tuple(tensor.shape), tuple(call.output.shape))


def _expand(call: Call, tensor: Tensor) -> Move:
    return movement.expanded(call.output.dim())


def _slice(call: Call, tensor: Tensor) -> Move:
    dim = whole(call["dim"], tensor.dim())
    end = call["end"]
    part = slice(call["start"], None if end is None or end > tensor.shape[dim] else end, call["step"])
    return movement.sliced(dim, tensor.shape[dim], part)


def _narrow(call: Call, tensor: Tensor) -> Move:
    dim = whole(call["dim"], tensor.dim())
    return movement.sliced(dim, tensor.shape[dim], slice(call["start"], call["start"] + call["length"]))


def _select(call: Call, tensor: Tensor) -> Move:
    return movement.selected(whole(call["dim"], tensor.dim()), call["index"])


def _unbind(call: Call, tensor: Tensor) -> list[Move]:
    dim = whole(call["dim"], tensor.dim())
    return [movement.selected(dim, place) for place in range(tensor.shape[dim])]


def _split(call: Call, tensor: Tensor) -> list[Move]:
    dim = whole(call["dim"], tensor.dim())
    moves, begin = [], 0
    for part in call.result:
        end = begin + part.shape[dim]
        moves.append(movement.sliced(dim, tensor.shape[dim], slice(begin, end)))
        begin = end
    return moves


def _unsqueeze(call: Call, tensor: Tensor) -> Move:
    return movement.unsqueezed(whole(call["dim"], tensor.dim() + 1))


def _flip(call: Call, tensor: Tensor) -> Move:
    return movement.flipped([whole(dim, tensor.dim()) for dim in call["dims"]])


def _roll(call: Call, tensor: Tensor) -> Move:
    if not call["dims"]:
        return _replayed(call, tensor, torch.roll, call["shifts"])
    return movement.rolled([whole(dim, tensor.dim()) for dim in call["dims"]], call["shifts"])


def _repeat(call: Call, tensor: Tensor) -> Move:
    return movement.repeated(tuple(tensor.shape), call["repeats"])


def _unfold(call: Call, tensor: Tensor) -> Move:
    return movement.unfolded(whole(call["dimension"], tensor.dim()), call["size"], call["step"])


def _shuffled(call: Call, tensor: Tensor) -> Move:
    """Views and a permutation, so that no plane is written out."""
    *lead, channels, height, width = tensor.shape
    n = len(lead)
    if call.name == "pixel_shuffle":
        f = call["upscale_factor"]
        first = (*lead, channels // f**2, f, f, height, width)
        order = (*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    elif call.name == "pixel_unshuffle":
        f = call["downscale_factor"]
        first = (*lead, channels, height // f, f, width // f, f)
        order = (*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    else:
        groups = call["groups"]
        batch, channels, *plane = tensor.shape
        first = (batch, groups, channels // groups, *plane)
        order = (0, 2, 1, *range(3, len(first)))
    steps = (
        movement.reshaped(tuple(tensor.shape), first),
        movement.permuted(order),
        movement.reshaped([first[place] for place in order], tuple(call.output.shape)),
    )
    return lambda array: steps[2](steps[1](steps[0](array)))


def _as_strided(call: Call, tensor: Tensor) -> Move | None:
    if tuple(call["size"]) == tuple(tensor.shape):
        return movement.same()
    if not tensor.is_contiguous() or tensor.numel() > movement.LARGEST:
        return None
    return _replayed(call, tensor, torch.as_strided, call["size"], call["stride"], call["storage_offset"] or 0)


def _replayed(call: Call, tensor: Tensor, function: Callable[..., Tensor], *arguments: Any) -> Move:
    """Any movement, element by element: what it does to the numbers of the elements it does to the elements."""
    index = torch.arange(tensor.numel()).reshape(tensor.shape)
    return movement.gathered(tuple(tensor.shape), function(index, *arguments).numpy())


def _diagonal(call: Call, tensor: Tensor) -> Move | None:
    if tensor.numel() > movement.LARGEST:
        return None
    return _replayed(call, tensor, torch.diagonal, call["offset"], call["dim1"], call["dim2"])


MOVES: dict[str, Callable[[Call, Tensor], Move | list[Move] | None]] = {
    "permute": _permute, "transpose": _transpose, "t": _t, "numpy_T": _t,
    "view": _view, "_unsafe_view": _view, "reshape": _view, "_reshape_alias": _view, "squeeze": _view,
    "expand": _expand, "slice": _slice, "narrow": _narrow, "select": _select, "unbind": _unbind, "split": _split,
    "split_with_sizes": _split, "unsafe_split": _split, "unsafe_split_with_sizes": _split, "unsqueeze": _unsqueeze,
    "flip": _flip, "roll": _roll, "repeat": _repeat, "unfold": _unfold, "pixel_shuffle": _shuffled,
    "pixel_unshuffle": _shuffled, "channel_shuffle": _shuffled, "native_channel_shuffle": _shuffled,
    "as_strided": _as_strided, "diagonal": _diagonal,
}  # fmt: skip


def _cat(call: Call) -> Tag | None:
    tensors = [tensor for tensor in call["tensors"] if tensor.shape != (0,)]
    return _side_by_side(call, tensors, whole(call["dim"], tensors[0].dim()), [t.dim() for t in tensors])


def _stack(call: Call) -> Tag | None:
    tensors = call["tensors"]
    dim = whole(call["dim"], tensors[0].dim() + 1)
    return _side_by_side(call, tensors, dim, [t.dim() for t in tensors], stacked=True)


def _side_by_side(
    call: Call, tensors: Sequence[Tensor], dim: int, ranks: Sequence[int], *, stacked: bool = False
) -> Tag | None:
    tags = [call.tag_of(tensor) for tensor in tensors]
    known = next((tag for tag in tags if tag is not None), None)
    if known is None:
        return None
    full = [tag if tag is not None else empty_like(known, rank) for tag, rank in zip(tags, ranks, strict=True)]
    if stacked:
        full = [tag.moved(movement.unsqueezed(dim)) for tag in full]
    sizes = [1 if stacked else tensor.shape[dim] for tensor in tensors]
    axes = []
    for parts in zip(*(tag.axes for tag in full), strict=True):
        bits = [part.bits for part in parts if part.bits is not None]
        axes.append(
            uniform(
                movement.concatenated([part.hull for part in parts], sizes, dim),
                movement.concatenated([part.short for part in parts], sizes, dim),
                movement.concatenated(bits, sizes, dim) if bits else None,
            )
        )
    because = tuple(next(filter(None, why), None) for why in zip(*(tag.because for tag in full), strict=True))
    return Tag(tuple(axes), because)


def _pad(call: Call) -> Tag | None:
    tag, pads, rank = call.tag("self"), call.get("pad") or call["padding"], call["self"].dim()
    if tag is None:
        return None
    mode = next((mode for mode in ("reflect", "replicate") if call.name.startswith(mode[:7])), "constant")
    for place in range(len(pads) // 2):
        left, right = pads[2 * place], pads[2 * place + 1]
        dim = rank - 1 - place
        size = call["self"].shape[dim]
        if left or right:
            table = padded(size, left, right, mode)
            tag = slid(tag, dim, table, size)
    return tag


def _index_select(call: Call) -> Tag | None:
    tag, index = call.tag("self"), call["index"]
    if tag is None:
        return _anywhere(call)
    if (values := call.value_of(index)) is None:
        return _anywhere(call, [whole(call["dim"], call["self"].dim())])
    dim = whole(call["dim"], call["self"].dim())
    places = values.numpy().reshape(-1)
    return tag.moved(lambda array: array.take(places, axis=dim + 1) if array.shape[dim + 1] > 1 else array)


def _index(call: Call) -> Tag | None:
    """`x[i, :, j]` with tensors as indices: exact where they do not depend on the input."""
    tag, shape = call.tag("self"), tuple(call["self"].shape)
    if tag is None:
        return _anywhere(call) if call.tags else None
    values = [None if index is None else call.value_of(index) for index in call["indices"]]
    wanted = [place for place, index in enumerate(call["indices"]) if index is not None]
    if any(values[place] is None for place in wanted):
        return _anywhere(call, wanted if call.output.dim() == len(shape) else None)
    if any(index.dtype == torch.bool for index in call["indices"] if index is not None):
        return _replayed_index(call, tag, values)
    indices = tuple(slice(None) if value is None else value.numpy() for value in values)

    def move(array: Any) -> Any:
        full = [shape[d] if d in wanted else array.shape[d + 1] for d in range(len(shape))]
        # the axis of components goes last: with indices that are apart numpy would move it elsewhere
        last = np.moveaxis(np.broadcast_to(array, (len(array), *full)), 0, -1)
        return np.moveaxis(last[(*indices, ...)], -1, 0)

    return _gathered(tag, move)


def _replayed_index(call: Call, tag: Tag, values: Sequence[Tensor | None]) -> Tag | None:
    if call["self"].numel() > movement.LARGEST:
        return _anywhere(call)
    numbers = torch.arange(call["self"].numel()).reshape(call["self"].shape)
    index = tuple(slice(None) if value is None else value for value in values)
    return _gathered(tag, movement.gathered(tuple(call["self"].shape), numbers[index].numpy()))


def _gathered(tag: Tag, move: Move) -> Tag:
    return compact(tag.moved(move))


def _gather(call: Call) -> Tag | None:
    values = call.value_of(call["index"])
    tag = call.tag("self")
    if tag is None or values is None or call["self"].numel() > movement.LARGEST:
        return _anywhere(call, [whole(call["dim"], call["self"].dim())])
    numbers = torch.arange(call["self"].numel()).reshape(call["self"].shape)
    return _gathered(tag, movement.gathered(tuple(call["self"].shape), numbers.gather(call["dim"], values).numpy()))


def _anywhere(call: Call, dims: Sequence[int] | None = None) -> Tag | None:
    """Each result may be any element along `dims` (all by default), wherever the indices point."""
    rank = call.output.dim()
    parts = []
    for tensor in call.tensors:
        tag = call.tag_of(tensor)
        if tag is None:
            continue
        if dims is None or tensor.dim() != rank:
            parts.append(tag.melted(rank))
        else:
            parts.append(tag.joined_along(dims))
    return joined(parts)


def _scatter(call: Call) -> Tag | None:
    """Elements of another tensor put somewhere: each may be what was there, or any of the new ones."""
    made = _anywhere(call)
    own = call.tag("self")
    if made is None or own is None:
        return made
    rank = call.output.dim()
    others = [call.tag_of(tensor) for tensor in call.tensors if tensor is not call["self"]]
    return joined([own, *(tag.melted(rank) for tag in others if tag is not None)])


PLACES: dict[str, Transfer] = {
    "cat": _cat, "concat": _cat, "stack": _stack, "constant_pad_nd": _pad,
    **dict.fromkeys([f"{kind}_pad{n}d" for kind in ("reflection", "replication") for n in (1, 2, 3)], _pad),
    "index_select": _index_select, "index": _index, "gather": _gather,
    **dict.fromkeys(("scatter", "scatter_add", "index_put", "_index_put_impl", "index_add", "index_copy",
                     "masked_scatter", "scatter_reduce"), _scatter),
}  # fmt: skip
"""The others that only move elements, from several tensors or to places that are data."""
