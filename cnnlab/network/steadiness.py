"""Whether a network gives an image the same answer each time, and whatever is beside it in the batch."""

import random
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.models.failure import LAYER_FAILURES
from cnnlab.models.undisturbed import undisturbed

TOLERANCE = 1e-2
"""Share of the largest logit: kernels for one image and for two round differently, in half precision most."""


@dataclass(frozen=True)
class Steadiness:
    """What an answer in evaluation mode depends on beside the image."""

    draws: bool
    """Whether the network draws random numbers as it runs."""
    mixes: bool
    """Whether an image's answer changes with the other images of its batch; not told of one that draws."""

    @property
    def cautions(self) -> tuple[str, ...]:
        """A sentence for each."""
        found = []
        if self.draws:
            found.append(
                "the network draws random numbers as it runs, in evaluation mode too (dropout that is left on, noise): "
                "another pass gives other answers, and other maps"
            )
        if self.mixes:
            found.append(
                "the network's answer to an image depends on the others in its batch (batch normalisation without "
                "running statistics does so): another batch gives other answers, and other maps"
            )
        return tuple(found)


def steadiness(model: nn.Module, images: Float[Tensor, "n c h w"]) -> Steadiness:
    """Find out in two passes, of two images and of one; the network is as it was afterwards.

    Arguments:
        model: a network from images to logits.
        images: on its device and of its type; a single one is put beside its mirror image.
    """
    pair = images[:2] if len(images) > 1 else torch.cat([images, images.flip(-1)])
    beside, draws = _answer(model, pair)
    if draws or beside is None or len(beside) != 2:
        return Steadiness(draws, mixes=False)
    alone, _ = _answer(model, images[:1])
    if alone is None or alone.shape != beside[:1].shape:
        return Steadiness(draws, mixes=False)
    return Steadiness(draws, mixes=float((alone - beside[:1]).abs().max()) > TOLERANCE * float(beside.abs().max()))


def _answer(model: nn.Module, images: Tensor) -> tuple[Tensor | None, bool]:
    """The answer, if it is a tensor, and whether random numbers were drawn for it."""
    with undisturbed(model), torch.no_grad():
        before = _generators(images)
        try:
            found = model(images)
        except LAYER_FAILURES:
            found = None
        return found if isinstance(found, Tensor) else None, before != _generators(images)


def _generators(images: Tensor) -> list[object]:
    own = torch.cuda.get_rng_state(images.device) if images.is_cuda else torch.empty(0, dtype=torch.uint8)
    states = (torch.get_rng_state(), own)
    return [*(state.numpy().tobytes() for state in states), str(np.random.get_state()), random.getstate()]
