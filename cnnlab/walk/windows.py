"""Operations with a window: convolution, pooling, interpolation, and windows as columns."""

from math import log2
from typing import Any

from cnnlab.core.arithmetic import Sliding
from cnnlab.walk import taps
from cnnlab.walk.arrays import Array, Move
from cnnlab.walk.call import Call, Transfer
from cnnlab.walk.joining import chosen_channels
from cnnlab.walk.movement import permuted, reshaped
from cnnlab.walk.tag import Tag, compact, joined


def numbers_of(value: Any, count: int) -> list[int]:
    """An option of a window for each of `count` dimensions; torch lets one number stand for all."""
    values = [value] if isinstance(value, int) else list(value or [0])
    return values * count if len(values) == 1 else values


def _convolution(call: Call) -> Tag | None:
    tag, weight = call.tag("input"), call["weight"]
    others = joined([call.tag("weight"), call.tag("bias")])
    made = None
    if tag is not None:
        rank = call["input"].dim()
        first = rank - (weight.dim() - 2)
        spatial, outputs = range(first, rank), call.output.shape[first - 1]
        options = [numbers_of(call[name], len(spatial)) for name in ("stride", "padding", "dilation")]
        table = taps.transposed if call["transposed"] else taps.window
        made = tag.each(lambda axis: chosen_channels(axis, first - 1, call["groups"], outputs))
        for place, dim in enumerate(spatial):
            size, out = call["input"].shape[dim], call.output.shape[dim]
            stride, padding, dilation = (option[place] for option in options)
            rows = table(size, out, weight.shape[2 + place], stride, padding, dilation)
            made = call.slid(made, dim, rows, size)
        made = flat(made)
    if others is not None:
        made = joined([made, others.melted(call.output.dim())])
    return made


def _pool(call: Call) -> Tag | None:
    tag, tensor = call.tag("self"), call["self"]
    if tag is None:
        return None
    count = 1 if "1d" in call.name else 2 if "2d" in call.name else 3
    kernel = numbers_of(call["kernel_size"], count)
    stride = numbers_of(call.get("stride") or kernel, count)
    padding, dilation = numbers_of(call["padding"], count), numbers_of(call.get("dilation", 1), count)
    for place in range(count):
        dim = tensor.dim() - count + place
        size, out = tensor.shape[dim], call.output.shape[dim]
        rows = taps.window(size, out, kernel[place], stride[place], padding[place], dilation[place])
        tag = call.slid(tag, dim, rows, size)
    return flat(tag)


def _adaptive_pool(call: Call) -> Tag | None:
    tag, tensor = call.tag("self"), call["self"]
    if tag is None:
        return None
    count = 1 if "1d" in call.name else 2 if "2d" in call.name else 3
    for dim in range(tensor.dim() - count, tensor.dim()):
        size, out = tensor.shape[dim], call.output.shape[dim]
        rows = taps.adaptive(size, out)
        tag = call.slid(tag, dim, rows, size)
    return tag


def flat(tag: Tag) -> Tag:
    """Without the repetition that padding around a plane leaves behind a window: rows depend on rows alone again."""
    return compact(tag) if any(sum(size > 1 for size in axis.hull.shape[1:]) > 1 for axis in tag.axes) else tag


_MODES = {"nearest_exact": "nearest-exact", "nearest": "nearest", "linear": "linear", "cubic": "cubic"}


def _interpolate(call: Call) -> Tag | None:
    name = "self" if "self" in call.arguments else "input"
    tag, tensor = call.tag(name), call[name]
    if tag is None:
        return None
    mode = next(mode for word, mode in _MODES.items() if word in call.name)
    count = tensor.dim() - 2
    listed = list(call.get("scale_factors") or [])
    single = ["scales"] if count == 1 else ["scales_d", "scales_h", "scales_w"][-count:]
    factors = listed or [call.get(name) for name in single]
    for place in range(count):
        dim = 2 + place
        size, out = tensor.shape[dim], call.output.shape[dim]
        corners = bool(call.get("align_corners", False))
        rows = taps.interpolated(size, out, mode, corners, factors[place], call.name.endswith("_aa"))
        tag = call.slid(tag, dim, rows, size)
    return tag


def _im2col(call: Call) -> Tag | None:
    """`F.unfold`: windows as columns, (n, c, h, w) → (n, c·kh·kw, places)."""
    tag, tensor = call.tag("self"), call["self"]
    if tag is None:
        return None
    names = ("kernel_size", "stride", "padding", "dilation")
    kernel, stride, padding, dilation = (numbers_of(call[name], 2) for name in names)
    rank = tensor.dim() - 2
    shape: list[int] = list(tensor.shape[:-2])
    for place in (0, 1):
        size, dim = tensor.shape[rank + place], rank + 2 * place  # the first of the two is two dimensions by then
        out = Sliding(size, kernel[place], stride[place], padding[place], dilation[place]).outputs
        table = taps.window(size, out, kernel[place], stride[place], padding[place], dilation[place])
        tag = call.slid(tag, dim, table.T.reshape(-1, 1), size)
        tag = tag.moved(_parted(dim, kernel[place], out))
        shape += [kernel[place], out]
    order = (*range(rank), rank, rank + 2, rank + 1, rank + 3)
    target = tuple(call.output.shape)
    return tag.moved(permuted(order)).moved(reshaped([shape[place] for place in order], target))


def _col2im(call: Call) -> Tag | None:
    """`F.fold`: (n, c·kh·kw, places) → (n, c, h, w), windows that overlap added up."""
    tag, tensor = call.tag("self"), call["self"]
    if tag is None:
        return None
    names = ("kernel_size", "stride", "padding", "dilation", "output_size")
    kernel, stride, padding, dilation, plane = (numbers_of(call[name], 2) for name in names)
    places = [Sliding(plane[i], kernel[i], stride[i], padding[i], dilation[i]).outputs for i in (0, 1)]
    lead = tuple(tensor.shape[:-2])
    channels, rank = tensor.shape[-2] // (kernel[0] * kernel[1]), len(lead)
    shape = (*lead, channels, *kernel, *places)
    order = (*range(rank + 1), rank + 1, rank + 3, rank + 2, rank + 4)
    merged = (*lead, channels, kernel[0] * places[0], kernel[1] * places[1])
    tag = tag.moved(reshaped(tuple(tensor.shape), shape)).moved(permuted(order))
    tag = tag.moved(reshaped([shape[place] for place in order], merged))
    for axis in (0, 1):
        table = taps.folded(plane[axis], kernel[axis], places[axis], stride[axis], padding[axis], dilation[axis])
        tag = call.slid(tag, rank + 1 + axis, table, merged[rank + 1 + axis])
    return tag


def _parted(dim: int, taps_: int, places: int) -> Move:
    """Dimension `dim` as (taps, places)."""

    def move(array: Array) -> Array:
        parts = (1, 1) if array.shape[dim + 1] == 1 and taps_ * places > 1 else (taps_, places)
        return array.reshape(*array.shape[: dim + 1], *parts, *array.shape[dim + 2 :])

    return move


def covers(call: Call) -> bool:
    """Whether each window of a pool holds all of the map along some axis: it pools whatever there is."""
    if "pool" not in call.name:
        return False
    count = next(count for count in (1, 2, 3) if f"{count}d" in call.name)
    sizes = zip(call["self"].shape[-count:], call.output.shape[-count:], strict=True)
    if "adaptive" in call.name:
        return any(out == 1 for _, out in sizes)
    kernel, padding = numbers_of(call["kernel_size"], count), numbers_of(call["padding"], count)
    return any(k >= n and not p for k, p, (n, _) in zip(kernel, padding, sizes, strict=True))


def widening(call: Call, side: int) -> float:
    """By how many pixels of an image of `side` a convolution or a pool makes fields wider, about."""
    weight = call.get("weight")
    tensor = call["self"] if weight is None else call["input"]
    if tensor.dim() < 3 or (weight is None and ("kernel_size" not in call.arguments or covers(call))):
        return 0.0
    count = tensor.dim() - 2
    kernel = numbers_of(call["kernel_size"], count) if weight is None else weight.shape[2:]
    dilation = numbers_of(call.get("dilation", 1), count)
    sizes = zip(kernel, dilation, tensor.shape[-count:], strict=False)
    # what pixels lie between neighbours is most often a power of two, and more fit in where no border is padded
    return max(((k - 1) * d * 2.0 ** round(log2(side / size)) for k, d, size in sizes), default=0.0)


WINDOWS: dict[str, Transfer] = {
    "convolution": _convolution, "_convolution": _convolution, "convolution_overrideable": _convolution,
    "mkldnn_convolution": _convolution, "cudnn_convolution": _convolution, "miopen_convolution": _convolution,
    **{f"{kind}_pool{n}d": _pool for kind in ("max", "avg") for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices": _pool for n in (1, 2, 3)},
    **{f"{kind}adaptive_{what}_pool{n}d": _adaptive_pool for kind in ("", "_") for what in ("avg", "max")
       for n in (1, 2, 3)},
    **{f"upsample_{mode}": _interpolate for mode in (
        "nearest1d", "nearest2d", "nearest3d", "linear1d", "bilinear2d", "trilinear3d", "bicubic2d")},
    **{f"_upsample_{mode}": _interpolate for mode in (
        "nearest_exact1d", "nearest_exact2d", "nearest_exact3d", "bilinear2d_aa", "bicubic2d_aa")},
    "im2col": _im2col, "col2im": _col2im,
}  # fmt: skip
