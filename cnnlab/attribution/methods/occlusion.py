"""Occlusion: how much of the score goes when a window of the image is covered."""

from collections.abc import Iterator
from typing import Annotated

import torch
from jaxtyping import Bool
from pydantic import Field
from torch import Tensor

from cnnlab.attribution.baseline import MEANING, Baseline, baseline_of
from cnnlab.attribution.method import Batch, Method, MethodMaps, Steps, Work, passes_for, row_chunks
from cnnlab.attribution.passes import frozen_logits, in_runs
from cnnlab.attribution.target import check_classes
from cnnlab.core.errors import RequestError


def _passes(batch: Batch, *, window: int | None, stride: int | None, **options: object) -> int:
    height, width = batch.images.shape[2:]
    side, step = _sides(batch, window, stride)
    places = len(window_starts(height, side, step)) * len(window_starts(width, side, step))
    return passes_for(batch, places)


def _sides(batch: Batch, window: int | None, stride: int | None) -> tuple[int, int]:
    """Window and stride in pixels."""
    side = window or max(1, min(batch.images.shape[2:]) // 4)
    return side, stride or max(1, side // 2)


@Method(
    name="occlusion",
    label="occlusion",
    kind="pixel",
    sentence="how much of the score goes when the place is covered",
    paper="arXiv:1311.2901",
    passes=_passes,
    perturbs=True,
    unasked=("gallery",),
)
def occlusion(
    work: Work,
    *,
    window: Annotated[
        Annotated[int, Field(ge=1, le=1_000_000)] | None,
        Field(description="Side of the covered square in pixels; null is a quarter of the image's shorter side."),
    ] = None,
    stride: Annotated[
        Annotated[int, Field(ge=1, le=1_000_000)] | None,
        Field(description="Pixels from one window to the next; null is half of the window."),
    ] = None,
    baseline: Annotated[Baseline, Field(description=MEANING)] = "zero",
) -> Steps[MethodMaps]:
    """How much of the score goes when a window is covered: S(x) − S(covered), the mean over the windows at each pixel.

    Zeiler and Fergus 2013, arXiv:1311.2901, section 4.2. Windows of `window` pixels begin every `stride` pixels, and
    those at the right and the lower border end there; `baseline` is what covers.

    Raises: RequestError where `stride` leaves pixels that nothing covers: they would have no value.
    """
    batch = work.batch
    model, images, target, scores = batch.model, batch.images, batch.target, work.capture.scores
    n, _, height, width = images.shape
    side, step = _sides(batch, window, stride)
    cover = baseline_of(batch, baseline)
    tops, lefts = window_starts(height, side, step), window_starts(width, side, step)
    within = [_within(starts, size, side).to(images.device) for starts, size in ((tops, height), (lefts, width))]
    drops = torch.zeros(n, len(tops) * len(lefts), target.count, dtype=scores.dtype, device=images.device)

    def passes() -> Iterator[None]:
        for rows, items in row_chunks(n, drops.shape[1], batch.max_batch):
            covered = within[0][items // len(lefts), :, None] & within[1][items % len(lefts), None, :]
            logits = frozen_logits(model, torch.where(covered[:, None], cover[rows], images[rows]))
            check_classes(target, logits.shape[1])
            drops[rows, items] = scores[rows].to(drops) - target.scores(logits, rows).to(drops)
            yield

    yield from in_runs(model, passes())
    vertical, horizontal = (one.to(drops) for one in within)
    grid = drops.unflatten(1, (len(tops), len(lefts)))
    total = torch.einsum("nijt,iy,jx->ntyx", grid, vertical, horizontal)  # over the windows at each pixel
    return MethodMaps((total / torch.outer(vertical.sum(0), horizontal.sum(0)),))


def _within(starts: list[int], size: int, side: int) -> Bool[Tensor, "k n"]:
    """Which of `size` pixels along an axis each window covers."""
    behind = torch.arange(size) - torch.tensor(starts)[:, None]
    return (behind >= 0) & (behind < side)


def window_starts(size: int, window: int, stride: int) -> list[int]:
    """First pixels of the windows along an axis of `size` pixels: every `stride`, until one reaches the end.

    Raises: RequestError where pixels between two windows would be covered by none.
    """
    count = 1 + max(0, -(-(size - window) // stride))
    if count > 1 and stride > window:
        raise RequestError(
            f"stride: is {stride} with windows of {window} pixels, so that none would cover the pixels in between; "
            f"expected at most {window}"
        )
    return [stride * i for i in range(count)]
