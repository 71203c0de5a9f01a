"""Operations that move elements and compute nothing: views, copies to other places, indexing."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from cnnlab.walk import movement
from cnnlab.walk.arrays import Move, join_ufunc
from cnnlab.walk.call import Call, Transfer, numbered, whole
from cnnlab.walk.reach import Reach
from cnnlab.walk.stacked import side_by_side
from cnnlab.walk.tag import Tag, empty_like
from cnnlab.walk.taps import padded


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


def _view(call: Call, tensor: Tensor) -> Move | None:
    if tensor.numel() != call.output.numel():
        return None  # the same bytes read as numbers of another size
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
    for part in call.results:
        end = begin + part.shape[dim]
        moves.append(movement.sliced(dim, tensor.shape[dim], slice(begin, end)))
        begin = end
    return moves


def _unsqueeze(call: Call, tensor: Tensor) -> Move:
    return movement.unsqueezed(whole(call["dim"], tensor.dim() + 1))


def _flip(call: Call, tensor: Tensor) -> Move:
    return movement.flipped([whole(dim, tensor.dim()) for dim in call["dims"]])


def _roll(call: Call, tensor: Tensor) -> Move | None:
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


def _rot90(call: Call, tensor: Tensor) -> Move:
    one, other = (whole(dim, tensor.dim()) for dim in call["dims"])
    turns = call["k"] % 4
    order = list(range(tensor.dim()))
    if turns % 2:
        order[one], order[other] = order[other], order[one]
    back = movement.flipped([[], [other], [one, other], [one]][turns])
    turned = movement.permuted(order)
    return lambda array: turned(back(array))


def _same(call: Call, tensor: Tensor) -> Move:
    return movement.same()


def _view_as_real(call: Call, tensor: Tensor) -> Move:
    # a copy: who writes into one part of a number must not be taken to have written the whole
    return lambda array: array[..., None].copy()


def _view_as_complex(call: Call, tensor: Tensor) -> Move:
    return lambda array: join_ufunc(array).reduce(array, axis=-1)


def _as_strided(call: Call, tensor: Tensor) -> Move | None:
    if tuple(call["size"]) == tuple(tensor.shape) and tuple(call["stride"]) == tensor.stride():
        return movement.same()
    if tensor.numel() > movement.LARGEST:
        return None
    offset = tensor.storage_offset() if call["storage_offset"] is None else call["storage_offset"]
    length = tensor.untyped_storage().nbytes() // tensor.element_size()
    held = torch.full((length,), -1)
    torch.as_strided(held, tensor.shape, tensor.stride(), tensor.storage_offset()).copy_(numbered(tensor))
    index = torch.as_strided(held, call["size"], call["stride"], offset)
    return None if (index < 0).any() else movement.gathered(tuple(tensor.shape), index.numpy())


def _replayed(call: Call, tensor: Tensor, function: Callable[..., Tensor], *arguments: Any) -> Move | None:
    """Any movement, element by element: what it does to the numbers of the elements it does to the elements."""
    if tensor.numel() > movement.LARGEST:
        return None
    # numbers from 1, since 0 is what is put where there is no element
    index = function(numbered(tensor) + 1, *arguments) - 1
    return movement.gathered(tuple(tensor.shape), index.numpy())


def _diagonal(call: Call, tensor: Tensor) -> Move:
    one, other = whole(call["dim1"], tensor.dim()), whole(call["dim2"], tensor.dim())
    return movement.diagonal(one, other, (tensor.shape[one], tensor.shape[other]), call["offset"])


def _diag_embed(call: Call, tensor: Tensor) -> Move | None:
    return _replayed(call, tensor, torch.diag_embed, call["offset"], call["dim1"], call["dim2"])


MOVES: dict[str, Callable[[Call, Tensor], Move | list[Move] | None]] = {
    "permute": _permute, "transpose": _transpose, "t": _t, "numpy_T": _t,
    "view": _view, "_unsafe_view": _view, "reshape": _view, "_reshape_alias": _view, "squeeze": _view,
    "expand": _expand, "slice": _slice, "narrow": _narrow, "select": _select, "unbind": _unbind, "split": _split,
    "split_with_sizes": _split, "unsafe_split": _split, "unsafe_split_with_sizes": _split, "unsqueeze": _unsqueeze,
    "flip": _flip, "roll": _roll, "repeat": _repeat, "unfold": _unfold, "rot90": _rot90, "diagonal": _diagonal,
    "pixel_shuffle": _shuffled, "pixel_unshuffle": _shuffled, "channel_shuffle": _shuffled,
    "native_channel_shuffle": _shuffled, "as_strided": _as_strided, "diag_embed": _diag_embed,
    "view_as_real": _view_as_real, "view_as_complex": _view_as_complex,
    **dict.fromkeys(("alias", "detach", "lift_fresh", "_conj", "_neg_view", "resolve_conj", "resolve_neg"), _same),
}  # fmt: skip


def _cat(call: Call) -> Tag | None:
    tensors = [tensor for tensor in call["tensors"] if tensor.shape != (0,)]
    return _together(call, tensors, whole(call["dim"], tensors[0].dim()), [t.dim() for t in tensors])


def _stack(call: Call) -> Tag | None:
    tensors = call["tensors"]
    dim = whole(call["dim"], tensors[0].dim() + 1)
    return _together(call, tensors, dim, [t.dim() for t in tensors], stacked=True)


def _together(
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
    made: dict[tuple[Reach, ...], Reach] = {}
    together = list(zip(*(tag.axes for tag in full), strict=True))
    for parts in dict.fromkeys(together):
        made[parts] = side_by_side(parts, sizes, dim)
    because = tuple(next(filter(None, why), None) for why in zip(*(tag.because for tag in full), strict=True))
    return Tag(tuple(made[parts] for parts in together), because, max(tag.widened for tag in full))


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
            tag = call.slid(tag, dim, table, size)
    return tag


PLACES: dict[str, Transfer] = {
    "cat": _cat, "concat": _cat, "stack": _stack, "constant_pad_nd": _pad,
    **dict.fromkeys([f"{kind}_pad{n}d" for kind in ("reflection", "replication") for n in (1, 2, 3)], _pad),
}  # fmt: skip
"""Operations that put several tensors together, or something around one."""
