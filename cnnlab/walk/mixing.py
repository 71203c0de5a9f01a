"""Operations in which an output depends on whole dimensions: reductions, normalisations, products of matrices.

Where paths meet, how far apart their fields lie is noted.
"""

from collections.abc import Callable, Sequence

from torch import Tensor

from cnnlab.walk.arrays import Array, Move, aligned, join_ufunc
from cnnlab.walk.call import Call, Transfer, whole
from cnnlab.walk.joining import chosen_channels
from cnnlab.walk.movement import sliced, unsqueezed
from cnnlab.walk.tag import Tag, joined


def _dims(call: Call, tensor: Tensor) -> list[int]:
    dim = call.get("dim")
    if dim is None or dim == []:
        return list(range(tensor.dim()))
    return [whole(one, tensor.dim()) for one in ([dim] if isinstance(dim, int) else dim)]


def _reduction(call: Call) -> Tag | list[Tag | None] | None:
    """Sums, means, extremes, norms: everything along the dimensions, which go unless they are kept."""
    tensor = call.tensors[0]
    tag = call.tag_of(tensor)
    if tag is None:
        return None
    dims = _dims(call, tensor)
    made = tag.joined_along(dims)
    if call.output.dim() != tensor.dim():
        kept = [dim for dim in range(tensor.dim()) if dim not in dims]
        made = made.moved(lambda array: array.reshape(len(array), *(array.shape[dim + 1] for dim in kept)))
    return made if len(call.results) == 1 else [made] * len(call.results)


def _along(call: Call) -> Tag | list[Tag | None] | None:
    """Softmax, sorting, Fourier transforms: everything along the dimensions, in each element there."""
    tensor = call.tensors[0]
    tag = call.tag_of(tensor)
    if tag is None:
        return None
    made = tag.joined_along(_dims(call, tensor))
    return made if len(call.results) == 1 else [made] * len(call.results)


def _glu(call: Call) -> Tag | None:
    """One half times the sigmoid of the other."""
    tag, tensor = call.tag("self"), call["self"]
    if tag is None:
        return None
    dim = whole(call["dim"], tensor.dim())
    size = tensor.shape[dim]
    halves = (slice(0, size // 2), slice(size // 2, size))
    return joined(tag.moved(sliced(dim, size, half)) for half in halves)


def _running(call: Call) -> Tag | None:
    """Cumulative sums and extremes: an element depends on those before it."""
    tag = call.tag("self")
    if tag is None:
        return None
    dim = whole(call["dim"], call["self"].dim())

    def running(array: Array) -> Array:
        return join_ufunc(array).accumulate(array, axis=dim + 1)  # type: ignore[no-any-return]

    return tag.each(lambda axis: axis.changed(running))


def _layer_norm(call: Call) -> list[Tag | None] | None:
    tag, rank = call.tag("input"), call["input"].dim()
    if tag is None:
        return None
    dims = range(rank - len(call["normalized_shape"]), rank)
    return _first_of(call, tag.joined_along(dims))


def _rms_norm(call: Call) -> list[Tag | None] | Tag | None:
    tag, rank = call.tag("input"), call["input"].dim()
    if tag is None:
        return None
    made = tag.joined_along(range(rank - len(call["normalized_shape"]), rank))
    return made if len(call.results) == 1 else _first_of(call, made)


def _group_norm(call: Call) -> list[Tag | None] | None:
    tag, tensor = call.tag("input"), call["input"]
    if tag is None:
        return None
    made = tag.joined_along(range(2, tensor.dim()))
    channels = tensor.shape[1]
    return _first_of(call, made.each(lambda axis: chosen_channels(axis, 1, call["group"], channels)))


def _batch_norm(call: Call) -> list[Tag | None] | Tag | None:
    """Stored statistics leave each element alone; those of the batch join all elements of a channel."""
    tag, tensor = call.tag("input"), call["input"]
    if tag is None:
        return None
    from_batch = call.get("training", call.name in ("batch_norm_stats", "_batch_norm_with_update"))
    if from_batch and "no_training" not in call.name:
        tag = tag.joined_along([dim for dim in range(tensor.dim()) if dim != 1])
    return tag if len(call.results) == 1 else _first_of(call, tag)


def _first_of(call: Call, tag: Tag) -> list[Tag | None]:
    return [tag, *[None] * (len(call.results) - 1)]


def _product(call: Call) -> Tag | None:
    """Rows of the one by columns of the other, with what is added to them."""
    names = next(
        pair
        for pair in (("mat1", "mat2"), ("batch1", "batch2"), ("mat", "vec"), ("self", "mat2"), ("self", "vec"),
                     ("self", "tensor"), ("self", "other"))
        if all(name in call.arguments for name in pair)
    )  # fmt: skip
    left, right = (call[name] for name in names)
    rows, columns = call.tag_of(left), call.tag_of(right)
    if rows is not None:
        rows = rows.joined_along([left.dim() - 1])
        if right.dim() == 1:
            rows = rows.moved(_without(left.dim() - 1))
    if columns is not None:
        columns = columns.joined_along([max(right.dim() - 2, 0)])
        if right.dim() == 1:
            columns = columns.moved(_without(0))
    return joined([rows, columns, call.tag("self") if "self" not in names else None])


def _without(dim: int) -> Move:
    return lambda array: array.squeeze(axis=dim + 1)


def _trilinear(call: Call) -> Tag | None:
    """Products of three factors, summed along dimensions, which go: what `F.bilinear` is made of."""
    parts = []
    for number in (1, 2, 3):
        tag = call.tag(f"i{number}")
        if tag is not None:
            for dim in call[f"expand{number}"]:
                tag = tag.moved(unsqueezed(dim))
            parts.append(tag)
    made = joined(parts)
    if made is None:
        return None
    made = made.joined_along(call["sumdim"])
    for dim in sorted(call["sumdim"], reverse=True):
        made = made.moved(_without(dim))
    return made


def _attention(call: Call) -> list[Tag | None] | Tag | None:
    """softmax(q·kᵀ)·v: a query's own row, and all keys and values."""
    query, others, rank = call.tag("query"), [call.tag("key"), call.tag("value")], call["query"].dim()
    made = joined(
        [
            query and query.joined_along([rank - 1]),
            *(tag and tag.joined_along([rank - 2, rank - 1]) for tag in others),
            call.tag("attn_mask") or call.tag("attn_bias"),
        ]
    )
    return made if len(call.results) == 1 or made is None else _first_of(call, made)


def _multiply(call: Call) -> Tag | None:
    """A product of elements; a factor of one number per channel is left out where gates are ignored."""
    whole, plane = joined(call.tags), None if call.gates == "kept" else gated(call)
    if plane is None or whole is None:
        return whole
    without = plane.moved(lambda array: aligned(array, call.output.dim()))
    if call.gates == "ignored":
        return without
    first, second = whole.halves()[0], without.halves()[1]
    return Tag(first.axes + second.axes, first.because + second.because, whole.widened)


def gated(call: Call) -> Tag | None:
    """The tag of what a gate multiplies: a gate comes from the image too, and is one number per channel."""
    if call.name not in GATES or len(call.tensors) != 2 or len(call.tags) != 2:
        return None
    one, other = call.tensors
    planes = [call.tag_of(plane) for gate, plane in ((one, other), (other, one)) if _is_gate(gate, plane)]
    return planes[0] if planes else None


def _is_gate(gate: Tensor, plane: Tensor) -> bool:
    return (
        gate.dim() == plane.dim() > 2
        and all(size == 1 for size in gate.shape[2:])
        and any(size > 1 for size in plane.shape[2:])
    )


REDUCTIONS = (
    "mean", "sum", "nansum", "amax", "amin", "aminmax", "var", "std", "norm", "linalg_vector_norm", "prod", "logsumexp",
    "max", "min", "median", "nanmedian", "mode", "kthvalue", "all", "any", "argmax", "argmin", "var_mean", "std_mean",
    "count_nonzero",
)  # fmt: skip
ALONG = (
    "_softmax", "_log_softmax", "_safe_softmax", "softmax", "log_softmax", "sort", "topk", "argsort", "_fft_r2c",
    "_fft_c2c", "_fft_c2r",
)  # fmt: skip

MIXING: dict[str, Transfer] = {
    **dict.fromkeys(REDUCTIONS, _reduction), **dict.fromkeys(ALONG, _along),
    "glu": _glu, "cumsum": _running, "cumprod": _running, "cummax": _running, "cummin": _running,
    "logcumsumexp": _running,
    "native_layer_norm": _layer_norm, "_fused_rms_norm": _rms_norm, "rms_norm": _rms_norm,
    "native_group_norm": _group_norm, "native_batch_norm": _batch_norm, "cudnn_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm, "_native_batch_norm_legit_no_training": _batch_norm,
    "_batch_norm_no_update": _batch_norm, "_batch_norm_with_update": _batch_norm,
    "_trilinear": _trilinear,
    **dict.fromkeys(("mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot"), _product),
    **dict.fromkeys(("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention",
                     "_scaled_dot_product_efficient_attention", "_scaled_dot_product_attention_math",
                     "_scaled_dot_product_fused_attention_overrideable", "scaled_dot_product_attention"), _attention),
}  # fmt: skip


def _in_its_place(call: Call) -> Tag | list[Tag | None] | None:
    """What else comes in, all along some dimension, moves no element."""
    tag = call.tag_of(call.tensors[0])
    return tag if len(call.results) == 1 or tag is None else _first_of(call, tag)


NARROW: dict[str, Transfer] = dict.fromkeys(
    ("native_layer_norm", "_fused_rms_norm", "rms_norm", "native_group_norm", "native_batch_norm", "cudnn_batch_norm",
     "_native_batch_norm_legit", "_batch_norm_with_update", "_softmax", "_log_softmax", "_safe_softmax", "softmax",
     "log_softmax", "_fft_c2c"),
    _in_its_place,
)  # fmt: skip
"""Rules in place of the above in a narrow walk, which asks where an element stands."""

GATES: dict[str, Transfer] = {"mul": _multiply}


def misalignment(tensors: Sequence[Tensor], tag_of: Callable[[Tensor], Tag | None]) -> tuple[float, ...] | None:
    """The largest distance, at the central unit, between the centres of the paths' fields along each axis, in pixels.

    None where fewer than two planes meet; paths whose units all see the same have no place.
    """
    planes = [(tensor, tag_of(tensor)) for tensor in tensors if tensor.dim() > 2]
    tags = [tag for tensor, tag in planes if tag is not None and any(size > 1 for size in tensor.shape[2:])]
    if len(tags) < 2:
        return None
    apart = []
    for axis in range(len(tags[0].axes)):
        fields = [tag.axes[axis] for tag in tags if tag.axes[axis].single is None]
        centres = [value for field in fields for value in field.centres]
        apart.append((max(centres) - min(centres)) / 2 if centres else 0.0)
    return tuple(apart)
