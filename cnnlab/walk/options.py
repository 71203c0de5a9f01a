"""What decides, beside the tensors, what an operation reads: windows, strides and places, compared across sizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.walk.call import Call, whole
from cnnlab.walk.movement import groups
from cnnlab.walk.windows import numbers_of

_KEPT_INDICES = 2**18
"""Numbers of an index up to which it is compared."""


@dataclass(frozen=True, eq=False)
class Either:
    """An option that is the same if it is so in one of its readings: a place from the front or from the far end."""

    readings: tuple[object, ...]

    def matches(self, other: "Either") -> bool:
        """Whether both agree in a reading that both have."""
        return any(a is not None and a == b for a, b in zip(self.readings, other.readings, strict=True))


@dataclass(frozen=True, eq=False)
class Regrouped:
    """Dimensions read as others."""

    shape: tuple[int, ...]
    target: tuple[int, ...]

    def matches(self, other: "Regrouped") -> bool:
        """Whether the same dimensions are merged and split, in `other` of a larger image.

        `view(-1, 320)` makes one row of a whole map at one size, and at another size several.
        """
        if len(self.shape) != len(other.shape) or len(self.target) != len(other.target):
            return False
        return all(self._alike(other, old, new) for old, new in groups(other.shape, other.target))

    def _alike(self, other: "Regrouped", old: Sequence[int], new: Sequence[int]) -> bool:
        here = [self.shape[dim] for dim in old], [self.target[dim] for dim in new]
        there = [other.shape[dim] for dim in old], [other.target[dim] for dim in new]
        if np.prod(here[0]) != np.prod(here[1]):
            return False
        if min(map(_varying, there)) < 2:
            return True  # dimensions of the larger one are merged into one, or one is split
        runs = [one for one in groups(*here) if any(here[0][d] > 1 for d in one[0])]
        return len(runs) == 1 and list(map(_varying, here)) == list(map(_varying, there))


def _varying(sizes: Sequence[int]) -> int:
    return sum(size > 1 for size in sizes)


@dataclass(frozen=True, eq=False)
class Places:
    """Known indices along a dimension of `size` elements."""

    values: NDArray[Any]
    size: int

    def matches(self, other: "Places") -> bool:
        """Whether both lead to the same places, from the front or from the far end, as far as both go."""
        if self.values.ndim != other.values.ndim:
            return False
        block = tuple(slice(0, min(a, b)) for a, b in zip(self.values.shape, other.values.shape, strict=True))
        one, two = self.values[block], other.values[block]
        if one.dtype == bool or two.dtype == bool:
            return bool((one == two).all())
        return bool(((one == two) | (one - self.size == two - other.size)).all())


def _place(value: int | None, size: int) -> Either:
    value = 0 if value is None else max(-size, value)
    value = value + size if value < 0 else value
    return Either((value, value - size))


def _part(call: Call) -> tuple[object, ...]:
    tensor = call["self"]
    dim = whole(call["dim"], tensor.dim())
    size = tensor.shape[dim]
    start = call["start"] or 0
    end = start + call["length"] if call.name == "narrow" else call["end"]
    end = size if end is None else min(end, size)
    return dim, _place(start, size), Either((end, end - size)), call.get("step", 1)


def _window(call: Call, name: str, count: int, *, over: Sequence[int] = ()) -> tuple[object, ...]:
    """Kernel, stride, padding and dilation of each axis; or that one window covers all of it."""
    kernel = numbers_of(call[name], count)
    listed = [numbers_of(call.get("stride") or kernel, count), numbers_of(call["padding"], count)]
    listed.append(numbers_of(call.get("dilation", 1), count))
    axes = [(k, *(one[place] for one in listed)) for place, k in enumerate(kernel)]
    return tuple(
        Either((axis, None if not over or axis[2] or axis[0] < over[place] else "all of it"))
        for place, axis in enumerate(axes)
    )


def _convolution(call: Call) -> tuple[object, ...]:
    names = ("stride", "padding", "dilation", "output_padding", "transposed", "groups")
    return (tuple(call["weight"].shape), *(str(call.get(name)) for name in names))


def _axes(call: Call) -> int:
    return next(count for count in (1, 2, 3) if f"{count}d" in call.name)


def _pool(call: Call) -> tuple[object, ...]:
    count = _axes(call)
    return _window(call, "kernel_size", count, over=call["self"].shape[-count:])


def _ratios(call: Call) -> tuple[object, ...]:
    """Ratios of adaptive pooling and interpolation: the windows follow from how many go into how many."""
    name = "self" if "self" in call.arguments else "input"
    count = _axes(call)
    sizes = zip(call[name].shape[-count:], call.output.shape[-count:], strict=True)
    to_one = "adaptive" in call.name
    ratios = [Either((Fraction(size, out), "one" if (out if to_one else size) == 1 else None)) for size, out in sizes]
    return bool(call.get("align_corners", False)), *ratios


def _unfold(call: Call) -> tuple[object, ...]:
    dim = whole(call["dimension"], call["self"].dim())
    whole_axis = "all of it" if call["size"] == call["self"].shape[dim] else None
    return dim, Either(((call["size"], call["step"]), whole_axis))


def _roll(call: Call) -> tuple[object, ...]:
    tensor, dims = call["self"], [whole(dim, call["self"].dim()) for dim in call["dims"]]
    shifts = call["shifts"] if isinstance(call["shifts"], list | tuple) else [call["shifts"]]
    if not dims:
        return tuple(shifts)
    places = zip(shifts, dims, strict=True)
    return tuple(dims), *(_place(shift % max(tensor.shape[dim], 1), tensor.shape[dim]) for shift, dim in places)


def _repeat(call: Call) -> tuple[object, ...]:
    times = list(call["repeats"])
    shape = [1] * (len(times) - call["self"].dim()) + list(call["self"].shape)
    return tuple(Either((count, "one" if size == 1 else None)) for count, size in zip(times, shape, strict=True))


def _regrouped(call: Call) -> tuple[object, ...]:
    return (Regrouped(tuple(call["self"].shape), tuple(call.output.shape)),)


def _indices(call: Call) -> tuple[object, ...]:
    tensor, given = call["self"], call.get("indices")
    if given is None:
        listed = [(whole(call["dim"], tensor.dim()), call["index"])]
    else:
        listed = [(dim, index) for dim, index in enumerate(given) if index is not None]
    found: list[object] = [tuple(dim for dim, _ in listed)]
    for dim, index in listed:
        values = call.value_of(index) if isinstance(index, Tensor) else None
        if values is not None and values.numel() <= _KEPT_INDICES and dim < tensor.dim():
            found.append(Places(values.numpy().copy(), tensor.shape[dim]))
        else:
            found.append(None)
    return tuple(found)


def _mask(call: Call) -> tuple[object, ...]:
    """A mask that does not depend on the image, so that what it lets through can follow from the size alone."""
    mask = call["condition"] if call.name == "where" else call["mask"]
    values = call.value_of(mask)
    if call.tag_of(mask) is not None:
        return ("of the image",)
    return (None if values is None or values.numel() > _KEPT_INDICES else Places(values.numpy().copy(), 0),)


def _named(*names: str) -> Callable[[Call], tuple[object, ...]]:
    """The arguments of these names, as they are."""
    return lambda call: tuple(str(call.get(name)) for name in names)


def _dims(*names: str) -> Callable[[Call], tuple[object, ...]]:
    """The arguments of these names, which are dimensions."""

    def options(call: Call) -> tuple[object, ...]:
        rank = call.tensors[0].dim()
        given = (call.get(name) for name in names)
        listed = ([one] if isinstance(one, int) else one or [] for one in given)
        return tuple(tuple(whole(dim, rank) for dim in one) for one in listed)

    return options


OPTIONS: dict[str, Callable[[Call], tuple[object, ...]]] = {
    **dict.fromkeys(("convolution", "_convolution", "convolution_overrideable", "mkldnn_convolution",
                     "cudnn_convolution", "miopen_convolution"), _convolution),
    **{f"{kind}_pool{n}d{more}": _pool for kind in ("max", "avg") for n in (1, 2, 3) for more in ("", "_with_indices")},
    **{f"{kind}adaptive_{what}_pool{n}d": _ratios for kind in ("", "_") for what in ("avg", "max") for n in (1, 2, 3)},
    **{f"{kind}upsample_{mode}": _ratios for kind in ("", "_") for mode in (
        "nearest1d", "nearest2d", "nearest3d", "linear1d", "bilinear2d", "trilinear3d", "bicubic2d", "nearest_exact1d",
        "nearest_exact2d", "nearest_exact3d", "bilinear2d_aa", "bicubic2d_aa")},
    **dict.fromkeys(("im2col", "col2im"), lambda call: _window(call, "kernel_size", 2)),
    "constant_pad_nd": _named("pad"),
    **{f"{kind}_pad{n}d": _named("padding") for kind in ("reflection", "replication") for n in (1, 2, 3)},
    **dict.fromkeys(("slice", "narrow"), _part),
    "select": lambda call: (
        whole(call["dim"], call["self"].dim()),
        _place(call["index"], call["self"].shape[whole(call["dim"], call["self"].dim())]),
    ),
    "unfold": _unfold, "roll": _roll, "repeat": _repeat,
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "_reshape_alias"), _regrouped),
    **dict.fromkeys(("index", "_unsafe_index", "index_select", "gather", "index_put", "_index_put_impl", "index_add",
                     "_unsafe_index_put", "index_copy", "scatter", "scatter_add"), _indices),
    **dict.fromkeys(("where", "masked_fill"), _mask),
    "permute": _dims("dims"), "transpose": _dims("dim0", "dim1"), "flip": _dims("dims"),
    "rot90": _named("k", "dims"), "diagonal": _named("offset", "dim1", "dim2"),
    "pixel_shuffle": _named("upscale_factor"), "pixel_unshuffle": _named("downscale_factor"),
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), _named("groups")),
    "native_group_norm": _named("group"), **dict.fromkeys(("tril", "triu"), _named("diagonal")),
    "native_layer_norm": lambda call: (len(call["normalized_shape"]),),
    **dict.fromkeys(("mean", "sum", "amax", "amin", "var", "std", "var_mean", "std_mean", "linalg_vector_norm", "max",
                     "min", "argmax", "argmin", "prod", "logsumexp", "_softmax", "_log_softmax", "softmax", "sort",
                     "topk", "cumsum", "cumprod", "glu", "any", "all", "median"), _dims("dim")),
    **dict.fromkeys(("cat", "concat", "stack"), lambda call: (call["dim"], len(call["tensors"]))),
}  # fmt: skip
"""What decides, beside the tensors, what an operation reads; of other operations the name tells all."""
