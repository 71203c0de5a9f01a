"""Class activation maps without gradients: channels or places are taken away or kept, and the score is looked at."""

from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from cnnlab.attribution.passes import logits_of
from cnnlab.attribution.steps import Steps, row_chunks
from cnnlab.attribution.tail import Tail, tail_logits
from cnnlab.attribution.target import Target

ScoreWeights: TypeAlias = Literal["softmax", "probability"]
"""Of Score-CAM: softmax over channels of the scores (paper), or each mask's class probability (its authors' code)."""


def score_cam(
    model: nn.Module,
    images: Float[Tensor, "n c hi wi"],
    target: Target,
    activations: Float[Tensor, "n k h w"],
    *,
    weights: ScoreWeights = "softmax",
    align_corners: bool = False,
    scale_first: bool = False,
    max_batch: int = 64,
) -> Steps[Float[Tensor, "n t k"]]:
    """Weights of channels: the score of the picture seen through each channel, brought to its size and 0 … 1.

    Wang et al. 2020, arXiv:1910.01279, definition 2 and algorithm 1; the black picture's score cancels in the softmax.
    Channels that are constant show nothing and get weight 0. Pictures and channels go through together, masks are made
    `max_batch` at a time. `scale_first` brings channels to 0 … 1 before they grow and not after.
    """
    live = live_channels(activations)
    found = torch.full((*live.shape, target.count), float("-inf"), dtype=activations.dtype, device=activations.device)
    size = images.shape[-2:]
    for row, channel in _pairs(live, max_batch):
        small = activations[row, channel][:, None]
        if scale_first:
            small = _unit(small)
        mask = F.interpolate(small, size=size, mode="bilinear", align_corners=align_corners)
        mask = (mask if scale_first else _unit(mask)).to(images.device, images.dtype)
        logits = logits_of(model, images[row.to(images.device)] * mask)
        score = target.scores if weights == "softmax" else target.probabilities
        found[row, channel] = score(logits, row).to(found)
        yield 1
    if weights == "probability":
        return found.where(live[..., None], 0).transpose(1, 2)
    # a picture whose channels are all constant has no score at all
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
    """(pictures, channels) of the chosen channels, picture by picture, at most `max_batch` pairs at a time."""
    return [(part[:, 0], part[:, 1]) for part in chosen.nonzero().cpu().split(max_batch) if len(part)]


def _unit(maps: Tensor) -> Tensor:
    low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    return (maps - low) / (high - low).where(high > low, 1)


def _shares(drops: Tensor, scores: Tensor) -> Tensor:
    size = scores.abs()[..., None]
    return drops / size.where(size > 0, 1)
