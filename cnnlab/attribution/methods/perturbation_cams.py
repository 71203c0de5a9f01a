"""Class activation maps without gradients: channels or places are taken away or kept, and the score is looked at."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Literal, TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from cnnlab.attribution.cam_pieces import channel_maps, layer_maps, tail_behind
from cnnlab.attribution.capture import SCORE, LayerCapture
from cnnlab.attribution.maps import least_to_largest
from cnnlab.attribution.method import Batch, Known, Method, MethodMaps, Steps, Work, is_affine, passes_for, row_chunks
from cnnlab.attribution.passes import frozen_logits, in_runs
from cnnlab.attribution.tail import tail_logits
from cnnlab.attribution.target import Target

ScoreWeights: TypeAlias = Literal["softmax", "probability"]
"""Score-CAM: softmax over channels of the scores (paper), or each mask's class probability (its authors' code)."""


def score_cam(
    model: nn.Module,
    images: Float[Tensor, "n c hi wi"],
    target: Target,
    activations: Float[Tensor, "n k h w"],
    *,
    weights: ScoreWeights = "softmax",
    align_corners: bool = False,
    max_batch: int = 64,
) -> Steps[Float[Tensor, "n t k"]]:
    """Weights of channels: the score of the image seen through each channel, brought to its size and 0 … 1.

    Wang et al. 2020, arXiv:1910.01279, definition 2 and algorithm 1; the black image's score cancels in the softmax.
    Channels that are constant show nothing and get weight 0. Images and channels go through together, masks are made
    `max_batch` at a time.
    """
    live = live_channels(activations)
    found = torch.full((*live.shape, target.count), float("-inf"), dtype=activations.dtype, device=activations.device)
    size = images.shape[-2:]
    score = target.scores if weights == "softmax" else target.probabilities

    def passes() -> Iterator[None]:
        for row, channel in _pairs(live, max_batch):
            small = activations[row, channel][:, None]
            grown = F.interpolate(small, size=size, mode="bilinear", align_corners=align_corners)
            mask = least_to_largest(grown, (2, 3)).to(images.device, images.dtype)
            logits = frozen_logits(model, images[row.to(images.device)] * mask)
            found[row, channel] = score(logits, row).to(found)
            yield

    yield from in_runs(model, passes())
    if weights == "probability":
        return found.where(live[..., None], 0).transpose(1, 2)
    # an image whose channels are all constant has no score at all
    return found.softmax(1).where(live.any(1)[:, None, None], 0).transpose(1, 2)


def _losses(work: Work, layer: LayerCapture) -> Steps[Float[Tensor, "n t k"]]:
    """What the score loses when a channel is set to 0, y − y_k; channels that are 0 already are not tried.

    Desai and Ramaswamy 2020 (WACV), equation 3. Behind a head that is affine in A it is Σ_ij g_ij A_ij, without a pass.
    """
    batch, scores, activations = work.batch, work.capture.scores, layer.activations
    if is_affine(batch, layer.name):
        return torch.einsum("ntkhw,nkhw->ntk", layer.gradients[SCORE], activations)
    tail = tail_behind(batch, layer)
    losses = activations.new_zeros(*activations.shape[:2], batch.target.count)
    for row, channel in _pairs(activations.flatten(2).abs().amax(2) > 0, batch.max_batch):
        tried = activations[row].clone()
        tried[torch.arange(len(row)), channel] = 0
        losses[row, channel] = scores[row] - batch.target.scores(tail_logits(tail, tried, row), row).to(scores)
        yield 1
    return losses.transpose(1, 2)


def _alone(batch: Batch, layer: LayerCapture) -> Steps[Float[Tensor, "n t h w"]]:
    """The map of Recipro-CAM: the score when one place alone keeps its values, less that of maps without any.

    Byun and Lee 2022, arXiv:2209.14074, equation 3. They bring the map to 0 … 1, so that a constant cancels; taking
    off the empty maps' score makes 0 mean no evidence. Behind a global average and a linear layer it is Grad-CAM's map.
    """
    tail, activations, target = tail_behind(batch, layer), layer.activations, batch.target
    n, _, height, width = activations.shape
    found = activations.new_zeros(n, height * width + 1, target.count)
    for row, place in row_chunks(n, height * width + 1, batch.max_batch):
        # the last item keeps no place
        kept = F.one_hot(place, height * width + 1)[:, :-1].reshape(-1, 1, height, width).to(activations)
        found[row, place] = target.scores(tail_logits(tail, activations[row] * kept, row), row).to(found)
        yield 1
    return (found[:, :-1] - found[:, -1:]).transpose(1, 2).reshape(n, target.count, height, width)


def live_channels(activations: Float[Tensor, "n k h w"]) -> Bool[Tensor, "n k"]:
    """Which channels are not constant over places."""
    flat = activations.flatten(2)
    return flat.amax(2) > flat.amin(2)


def _pairs(chosen: Bool[Tensor, "n k"], max_batch: int) -> list[tuple[Tensor, Tensor]]:
    """(images, channels) of the chosen channels, image by image, at most `max_batch` pairs at a time."""
    return [(part[:, 0], part[:, 1]) for part in chosen.nonzero().cpu().split(max_batch) if len(part)]


def _sizes(batch: Batch) -> dict[str, tuple[int, int, int]]:
    """Channels, height and width of each layer's output."""
    assert batch.layouts is not None
    return {name: batch.layouts.of(name, several=True).size for name in batch.layers}


@Method(
    name="scorecam",
    label="Score-CAM",
    kind="cam",
    sentence="channels weighted by the score of what they let through",
    paper="arXiv:1910.01279",
    passes=lambda batch, weights: sum(passes_for(batch, channels) for channels, _, _ in _sizes(batch).values()),
    perturbs=True,
    signed=False,
)
def scorecam(
    work: Work,
    *,
    weights: Annotated[
        ScoreWeights,
        Field(description="softmax of the scores over channels (paper), or each one's class probability (its code)."),
    ] = "softmax",
) -> Steps[MethodMaps]:
    """Channels weighted by the score of the image seen through each; a pass for every channel, and no gradient."""
    batch = work.batch

    def of_layer(layer: LayerCapture) -> Steps[Tensor]:
        found = yield from score_cam(
            batch.model, batch.images, batch.target, layer.activations, weights=weights, max_batch=batch.max_batch
        )
        return channel_maps(batch, layer, found)

    return layer_maps(work, of_layer)


def _ablation_cam_passes(batch: Batch) -> int:
    tried = (size for name, size in _sizes(batch).items() if not is_affine(batch, name))
    return sum(passes_for(batch, channels) for channels, _, _ in tried)


@Method(
    name="ablationcam",
    label="Ablation-CAM",
    kind="cam",
    sentence="channels weighted by the share of the score that goes without them",
    paper="doi:10.1109/WACV45572.2020.9093360",
    needs=(Known.head,),
    wants=lambda batch: (SCORE,) if any(is_affine(batch, name) for name in batch.layers) else (),
    passes=_ablation_cam_passes,
    perturbs=True,
    unasked=("gallery",),
)
def ablationcam(work: Work) -> Steps[MethodMaps]:
    """Channels weighted by the share of the score that goes without them; behind an affine head by one gradient."""

    def of_layer(layer: LayerCapture) -> Steps[Tensor]:
        # (y − y_k) / |y|: dividing by y, as the paper does, turns the map round where the score is negative
        losses, size = (yield from _losses(work, layer)), work.capture.scores.abs()[..., None]
        return channel_maps(work.batch, layer, losses / size.where(size > 0, 1))

    return layer_maps(work, of_layer)


@Method(
    name="reciprocam",
    label="Recipro-CAM",
    kind="cam",
    sentence="the score that one place of the layer gives alone",
    paper="arXiv:2209.14074",
    needs=(Known.head,),
    passes=lambda batch: sum(passes_for(batch, h * w + 1) for _, h, w in _sizes(batch).values()),
    perturbs=True,
)
def reciprocam(work: Work) -> Steps[MethodMaps]:
    """The score that one place of the layer gives alone; a pass for every place, and no gradient."""
    return layer_maps(work, partial(_alone, work.batch))
