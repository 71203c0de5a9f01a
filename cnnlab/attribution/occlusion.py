"""Occlusion: how much of the score goes when a window of the picture is covered."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.attribution.passes import logits_of
from cnnlab.attribution.steps import Steps, row_chunks
from cnnlab.attribution.target import Target, check_classes
from cnnlab.core.errors import RequestError


def occlusion(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    target: Target,
    scores: Float[Tensor, "n t"],
    *,
    window: int,
    stride: int,
    baseline: Float[Tensor, "*b"] | None = None,
    max_batch: int = 64,
) -> Steps[Float[Tensor, "n t h w"]]:
    """S(x) − S(x with a window covered), at each pixel the mean over the windows that cover it.

    Zeiler and Fergus 2013, arXiv:1311.2901, section 4.2. Windows of `window` pixels begin every `stride` pixels, and
    those at the right and the lower border end there; `baseline`, which broadcasts against the pictures, is what covers
    (None: 0). `scores` are those of the whole pictures.

    Raises: RequestError where `stride` leaves pixels that nothing covers: they would have no value.
    """
    n, _, height, width = images.shape
    cover = torch.zeros_like(images) if baseline is None else baseline.to(images).expand_as(images)
    rows_of = [slice(y, y + window) for y in window_starts(height, window, stride)]
    columns_of = [slice(x, x + window) for x in window_starts(width, window, stride)]
    boxes = [(y, x) for y in rows_of for x in columns_of]
    total = torch.zeros(n, target.count, height, width, dtype=scores.dtype, device=images.device)
    for rows, items in row_chunks(n, len(boxes), max_batch):
        tried = images[rows].clone()
        for i, (row, item) in enumerate(zip(rows.tolist(), items.tolist(), strict=True)):
            y, x = boxes[item]
            tried[i, :, y, x] = cover[row, :, y, x]
        logits = logits_of(model, tried)
        check_classes(target, logits.shape[1])
        drops = scores[rows].to(total) - target.scores(logits, rows).to(total)
        for i, (row, item) in enumerate(zip(rows.tolist(), items.tolist(), strict=True)):
            y, x = boxes[item]
            total[row, :, y, x] += drops[i, :, None, None]
        yield 1
    covers = torch.zeros(height, width, dtype=scores.dtype, device=images.device)
    for y, x in boxes:
        covers[y, x] += 1
    return total / covers


def window_starts(size: int, window: int, stride: int) -> list[int]:
    """Where windows begin along an axis of `size` pixels: every `stride`, until one reaches the end.

    Raises: RequestError where pixels between two windows would be covered by none.
    """
    count = 1 + max(0, -(-(size - window) // stride))
    if count > 1 and stride > window:
        raise RequestError(
            f"stride: is {stride} with windows of {window} pixels, so that none would cover the pixels in between; "
            f"expected at most {window}"
        )
    return [stride * i for i in range(count)]
