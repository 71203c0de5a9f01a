"""Class activation maps without gradients: channels or places are taken away or kept, and the score is looked at."""

from typing import Annotated, Literal, TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from cnnlab.attribution.cam_pieces import channel_maps, layer_maps, tail_behind
from cnnlab.attribution.capture import SCORE, GradientTarget, LayerCapture
from cnnlab.attribution.maps import least_to_largest
from cnnlab.attribution.method import Known, Method, Work, register
from cnnlab.attribution.passes import logits_of
from cnnlab.attribution.piece import Batch, MethodMaps, Steps, is_affine, passes_for, row_chunks
from cnnlab.attribution.tail import Tail, tail_logits
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
    for row, channel in _pairs(live, max_batch):
        small = activations[row, channel][:, None]
        grown = F.interpolate(small, size=size, mode="bilinear", align_corners=align_corners)
        mask = least_to_largest(grown, (2, 3)).to(images.device, images.dtype)
        logits = logits_of(model, images[row.to(images.device)] * mask)
        score = target.scores if weights == "softmax" else target.probabilities
        found[row, channel] = score(logits, row).to(found)
        yield 1
    if weights == "probability":
        return found.where(live[..., None], 0).transpose(1, 2)
    # an image whose channels are all constant has no score at all
    return found.softmax(1).where(live.any(1)[:, None, None], 0).transpose(1, 2)


def ablation_cam(
    tail: Tail,
    target: Target,
    activations: Float[Tensor, "n k h w"],
    scores: Float[Tensor, "n t"],
    *,
    max_batch: int = 64,
) -> Steps[Float[Tensor, "n t k"]]:
    """Weights of channels: the share of the score that goes when the channel is set to 0, (y − y_k) / |y|.

    Desai and Ramaswamy 2020 (WACV), equation 3. The paper divides by y, which turns the map round where the score is
    negative. Channels that are 0 already are not tried.
    """
    drops = torch.zeros(*activations.shape[:2], target.count, dtype=activations.dtype, device=activations.device)
    for row, channel in _pairs(activations.flatten(2).abs().amax(2) > 0, max_batch):
        tried = activations[row].clone()
        tried[torch.arange(len(row)), channel] = 0
        drops[row, channel] = scores[row] - target.scores(tail_logits(tail, tried, row), row).to(scores)
        yield 1
    return _shares(drops.transpose(1, 2), scores)


def ablation_cam_affine(
    activations: Float[Tensor, "n k h w"], gradients: Float[Tensor, "n t k h w"], scores: Float[Tensor, "n t"]
) -> Float[Tensor, "n t k"]:
    """`ablation_cam` without a pass, for a head that is affine in A: the score loses Σ_ij g_ij A_ij with channel k."""
    return _shares(torch.einsum("ntkhw,nkhw->ntk", gradients, activations), scores)


def recipro_cam(
    tail: Tail,
    target: Target,
    activations: Float[Tensor, "n k h w"],
    *,
    max_batch: int = 64,
) -> Steps[Float[Tensor, "n t h w"]]:
    """The map itself: the score when one place alone keeps its values, less that of maps without any.

    Byun and Lee 2022, arXiv:2209.14074, equation 3. They bring the map to 0 … 1, so that a constant cancels; taking
    off the empty maps' score makes 0 mean no evidence. Behind a global average and a linear layer it is Grad-CAM's map.
    """
    n, _, height, width = activations.shape
    found = torch.zeros(n, height * width + 1, target.count, dtype=activations.dtype, device=activations.device)
    for row, place in row_chunks(n, height * width + 1, max_batch):
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


def _shares(drops: Tensor, scores: Tensor) -> Tensor:
    size = scores.abs()[..., None]
    return drops / size.where(size > 0, 1)


def _sizes(batch: Batch) -> dict[str, tuple[int, int, int]]:
    """Channels, height and width of each layer's output."""
    assert batch.layouts is not None
    return {name: batch.layouts.of(name, several=True).size for name in batch.layers}


def _score_cam_passes(batch: Batch, **options: object) -> int:
    n, most = len(batch.images), batch.max_batch
    return sum(passes_for(n * channels, most) for channels, _, _ in _sizes(batch).values())


@register(
    Method(
        name="scorecam",
        label="Score-CAM",
        kind="cam",
        sentence="channels weighted by the score of what they let through",
        paper="arXiv:1910.01279",
        passes=_score_cam_passes,
        signed=False,
    )
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

    return (yield from layer_maps(work, of_layer))


def _ablation_cam_wants(batch: Batch) -> tuple[GradientTarget, ...]:
    return (SCORE,) if any(is_affine(batch, name) for name in batch.layers) else ()


def _ablation_cam_passes(batch: Batch) -> int:
    n, most = len(batch.images), batch.max_batch
    tried = (size for name, size in _sizes(batch).items() if not is_affine(batch, name))
    return sum(passes_for(n * channels, most) for channels, _, _ in tried)


@register(
    Method(
        name="ablationcam",
        label="Ablation-CAM",
        kind="cam",
        sentence="channels weighted by the share of the score that goes without them",
        paper="doi:10.1109/WACV45572.2020.9093360",
        needs=(Known.head,),
        wants=_ablation_cam_wants,
        passes=_ablation_cam_passes,
        unasked=("gallery",),
    )
)
def ablationcam(work: Work) -> Steps[MethodMaps]:
    """Channels weighted by the share of the score that goes without them; behind an affine head by one gradient."""
    batch, scores = work.batch, work.capture.scores

    def of_layer(layer: LayerCapture) -> Steps[Tensor]:
        if is_affine(batch, layer.name):
            weights = ablation_cam_affine(layer.activations, layer.gradients[SCORE], scores)
        else:
            tail = tail_behind(batch, layer)
            weights = yield from ablation_cam(tail, batch.target, layer.activations, scores, max_batch=batch.max_batch)
        return channel_maps(batch, layer, weights)

    return (yield from layer_maps(work, of_layer))


def _recipro_cam_passes(batch: Batch) -> int:
    n, most = len(batch.images), batch.max_batch
    return sum(passes_for(n * (height * width + 1), most) for _, height, width in _sizes(batch).values())


@register(
    Method(
        name="reciprocam",
        label="Recipro-CAM",
        kind="cam",
        sentence="the score that one place of the layer gives alone",
        paper="arXiv:2209.14074",
        needs=(Known.head,),
        passes=_recipro_cam_passes,
    )
)
def reciprocam(work: Work) -> Steps[MethodMaps]:
    """The score that one place of the layer gives alone; a pass for every place, and no gradient."""
    batch = work.batch

    def of_layer(layer: LayerCapture) -> Steps[Tensor]:
        tail = tail_behind(batch, layer)
        return (yield from recipro_cam(tail, batch.target, layer.activations, max_batch=batch.max_batch))

    return (yield from layer_maps(work, of_layer))
