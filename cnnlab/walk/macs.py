"""Multiply-accumulates of one operation: those of convolutions and matrix products, whichever kernel does them.

Sums, comparisons, means, normalisations and elementwise functions count as none. Most formulas are torch's own (half of
its FLOPs, `torch.utils.flop_counter`); here are those of the kernels that it leaves out.

Attention is counted as the products that it is made of, which fused kernels and the fast path would hide.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import ScriptObject, Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import flop_registry

from cnnlab.walk.call import Call


def macs_of(func: Any, args: tuple[Any, ...], kwargs: Any, result: Any, call: Call, *, known: bool) -> int | None:
    """Count the multiply-accumulates for one image; None where that cannot be: the whole is then a lower bound.

    known: what kind of operation it is. One of unknown kind may multiply where it gets a tensor that does not come from
    the image, which is what weights are, as they are or worked out; those of quantized layers are packed objects.
    """
    formula = flop_registry.get(func._overloadpacket)
    if formula is not None:
        return int(formula(*args, **kwargs, out_val=result)) // 2
    own = FORMULAS.get(call.name)
    if own is not None:
        return own(call)
    if call.name in HEAVY or (call.name.startswith("linalg_") and not known):
        return None
    if known or call.name in WITHOUT:
        return 0
    weights = any(t.is_floating_point() and t.numel() > 1 and call.tag_of(t) is None for t in call.tensors)
    weights = weights or any(isinstance(one, ScriptObject) for one in call.arguments.values())
    return None if weights and any(result.is_floating_point() for result in call.results) else 0


def _convolution(call: Call) -> int:
    return int(call.output.numel() * prod(call["weight"].shape[1:]))


def _matrix_vector(call: Call) -> int:
    return int((call.get("mat") if "mat" in call.arguments else call["self"]).numel())


def _attention(call: Call) -> int:
    query, key, value = call["query"], call["key"], call["value"]
    return int(prod(query.shape[:-1]) * key.shape[-2] * (query.shape[-1] + value.shape[-1]))


def _recurrent_layer(call: Call) -> int:
    """oneDNN's: one layer in one direction, input (steps, batch, features)."""
    return int(prod(call["input"].shape[:2]) * (call["weight0"].numel() + call["weight1"].numel()))


def _recurrent(call: Call) -> int:
    """cuDNN's and MIOpen's: all layers and directions, whose biases are vectors."""
    matrices = sum(weight.numel() for weight in call["weight"] if weight.dim() > 1)
    return int(prod(call["input"].shape[:2]) * matrices)


def _trilinear(call: Call) -> int:
    """Multiply-accumulates of `F.bilinear`: a product for each output, left and right feature."""
    sizes: dict[int, int] = {}
    for number in (1, 2, 3):
        shape = list(call[f"i{number}"].shape)
        for dim in call[f"expand{number}"]:
            shape.insert(dim, 1)
        sizes |= {dim: max(size, sizes.get(dim, 1)) for dim, size in enumerate(shape)}
    return prod(sizes.values())


def _distances(call: Call) -> int:
    one, other = call["x1"], call["x2"]
    return int(one.numel() * other.shape[-2])


def _sampled(call: Call) -> int:
    """Bilinear, nearest, bicubic: a weighted sum of 4 (8 in space), 1 or 16 values."""
    corners = 2 ** (call["input"].dim() - 2)
    return int(call.output.numel() * {0: corners, 1: 0, 2: 16}[call["interpolation_mode"]])


def _bag(call: Call) -> int:
    weighted = isinstance(call.get("per_sample_weights"), Tensor)
    return int(call["indices"].numel() * call["weight"].shape[1]) if weighted else 0


FORMULAS: dict[str, Callable[[Call], int]] = {
    **dict.fromkeys(("mv", "addmv"), _matrix_vector),
    **dict.fromkeys(("dot", "vdot"), lambda call: int(call["self"].numel())),
    "addr": lambda call: call.output.numel(),
    "addbmm": lambda call: int(call["batch1"].numel() * call["batch2"].shape[-1]),
    "_int_mm": lambda call: int(call["self"].numel() * call["mat2"].shape[-1]),
    "mkldnn_linear": lambda call: int(call["self"].numel() * call["weight"].shape[0]),
    "linear": lambda call: int(call["input"].numel() * call["weight"].shape[0]),
    "conv_tbc": lambda call: int(call.output.numel() * prod(call["weight"].shape[:2])),
    **dict.fromkeys(
        ("mkldnn_convolution", "miopen_convolution", "miopen_depthwise_convolution", "slow_conv_dilated2d",
         "slow_conv_dilated3d", "slow_conv3d_forward", "_conv_depthwise2d", "conv_depthwise3d", "deform_conv2d"),
        _convolution,
    ),
    "_trilinear": _trilinear,
    **dict.fromkeys(("_cdist_forward", "_euclidean_dist"), _distances),
    "mkldnn_rnn_layer": _recurrent_layer,
    **dict.fromkeys(("_cudnn_rnn", "miopen_rnn"), _recurrent),
    **dict.fromkeys(("scaled_dot_product_attention", "_scaled_dot_product_attention_math",
                     "_scaled_dot_product_flash_attention_for_cpu",
                     "_scaled_dot_product_fused_attention_overrideable"), _attention),
    **dict.fromkeys(("grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "_grid_sampler_2d_cpu_fallback"), _sampled),
    **dict.fromkeys(("_embedding_bag", "_embedding_bag_forward_only"), _bag),
}  # fmt: skip

HEAVY = frozenset(
    ("_fft_r2c", "_fft_c2c", "_fft_c2r", "cholesky", "cholesky_inverse", "cholesky_solve", "geqrf", "orgqr", "ormqr",
     "triangular_solve", "lu_unpack", "_linalg_svd", "_linalg_eigh", "_linalg_det", "_linalg_slogdet",
     "_linalg_solve_ex", "_linalg_eigvals", "_sparse_mm", "_sparse_addmm", "_native_multi_head_attention",
     "_transformer_encoder_layer_fwd")
)  # fmt: skip
"""Work of many products for which there is no one number."""

WITHOUT = frozenset(
    ("_weight_norm_interface", "_weight_norm", "renorm", "embedding_renorm", "embedding", "affine_grid_generator",
     "roi_align", "ps_roi_align", "roi_pool", "ps_roi_pool", "nms", "_local_scalar_dense", "equal", "_to_sparse")
)  # fmt: skip
"""Operations whose dependencies are not known, but of which it is known that they are no products."""


@contextmanager
def attention_as_products() -> Iterator[None]:
    """A walk sees them then, and a NaN passes through masked products as the rules say."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
