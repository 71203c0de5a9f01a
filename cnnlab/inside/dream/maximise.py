"""Activation maximisation: gradient ascent on an image's spectrum until a channel or class answers strongly.

C. Olah, A. Mordvintsev, L. Schubert, "Feature visualization", Distill 2017, doi:10.23915/distill.00007. What comes out
is *a* strong stimulus, and depends on the parametrisation: it shows what suffices, not all that a channel answers to.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.seeds import derive_seed
from cnnlab.inside.dream.objective import Channel, Objective, check_objective, score
from cnnlab.inside.dream.parametrisation import (
    IMAGENET_COLOURS,
    UNMOVED,
    Views,
    decorrelated,
    default_octaves,
    drawn_views,
    fresh_spectrum,
    highest_frequency,
    pixels,
)
from cnnlab.models.undisturbed import undisturbed
from cnnlab.walk.layouts import Layouts, layouts_of

CONTRASTS = (1.0, 4.0, 16.0)
"""Times the usual contrast of a start: a rectified channel that a grey image leaves at 0 has no gradient to follow,
so the first of these starts that has one is taken. 16 is noise over the whole range of pixels."""

DIRECTION_MEMORY, SIZE_MEMORY = 0.9, 0.999
"""Share that is kept of the running means of the gradient and of its square: Adam's usual betas (arXiv:1412.6980)."""
FLOOR = 0.1
"""Added to the size that each coefficient's gradient is divided by, as a share of the root mean square of all sizes.
Adam adds next to nothing, so that waves of no consequence move as far as those that matter; pixels where such waves
meet are driven to the wrong end of their range and stay there: mean red − blue of 16×16 pixels, at most 1, stops at
0.84 after 128 steps, and at 0.985 with this floor. One size for all (a floor of ∞) lets the coarsest waves win over all
others: a filter for gratings then gets a single edge, and a quarter of the score."""


@dataclass(frozen=True)
class DreamStep:
    """After a step of ascent."""

    step: int
    """From 1."""
    steps: int
    score: float
    """Score of the views that the step was made from, before it: in the objective's own units."""


@dataclass(frozen=True, eq=False)
class Dream:
    """The image at the end of the ascent."""

    objective: Objective
    image: Float[Tensor, "c h w"]
    """Pixels in 0 … 1."""
    normalised: Float[Tensor, "c h w"]
    """The image as the network gets it."""
    start: float
    """The score of the image as it was first, without transformations …"""
    end: float
    """The score of `image`."""
    contrast: float
    """Contrast of the start, see `CONTRASTS`: above 1 for a channel that is silent on grey."""
    scores: tuple[float, ...]
    """Score of every step, see `DreamStep`."""
    seed: int


def maximise(
    model: nn.Module,
    objective: Objective,
    shape: tuple[int, int, int],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    steps: int = 256,
    learning_rate: float = 0.1,
    seed: int = 0,
    views: Views | None = None,
    octaves: int | None = None,
    colours: Float[Tensor, "c c"] | None = None,
) -> Iterator[DreamStep | Dream]:
    """A `DreamStep` after each step of ascent, then the `Dream`.

    A step is Adam's but for its floor, see `FLOOR`.

    `shape` is (channels, height, width); `mean` and `std` of each channel are those that the network's images are
    normalised with. `octaves` of frequencies are opened one after another (see `fourier.highest_frequency`), fewer the
    smaller the image. `colours` is a basis of them (c, c), a direction in each column; without one, images of three
    channels use ImageNet's, others none. On a CPU the same seed gives the same bits.

    The model is in evaluation mode within a step only; parameters, their gradients and modes stay as they were.

    Raises: RequestError for a layer, channel or class that is not there, or options out of range; WorkError where the
    score is not finite, or where nothing moves it (a channel that is dead for this start).
    """
    channels, height, width = shape
    octaves = default_octaves(height, width) if octaves is None else octaves
    if steps < 1 or not 1 <= octaves <= steps or not 0 < learning_rate < math.inf:
        raise RequestError(
            f"{steps} steps in {octaves} octaves with learning rate {learning_rate}: expected at least one step for "
            "each octave, one octave or more, and a finite learning rate above 0"
        )
    if not len(mean) == len(std) == channels:
        raise RequestError(f"mean and std of {len(mean)} and {len(std)} channels for an image of {channels}")
    check_objective(model, objective)
    if colours is None:
        colours = torch.tensor(IMAGENET_COLOURS) if channels == 3 else torch.eye(channels)
    first = next(model.parameters(), torch.empty(0))
    shift, scale = torch.tensor(list(mean)), torch.tensor([s if s > 0 else 1.0 for s in std])
    canvas = _Canvas(
        model=model,
        objective=objective,
        width=width,
        colours=colours.to(first.device),
        mean=shift.to(first.device)[:, None, None],
        std=scale.to(first.device)[:, None, None],
        dtype=first.dtype,
        layouts=layouts_of(model, shape) if isinstance(objective, Channel) else None,
    )
    generator = torch.Generator().manual_seed(derive_seed(seed, "dream"))
    spectrum = fresh_spectrum(channels, height, width, generator).to(first.device)
    return _ascent(
        canvas, spectrum, generator, Views() if views is None else views, steps, learning_rate, octaves, seed
    )


@dataclass(frozen=True, eq=False)
class _Canvas:
    """From a spectrum to a score."""

    model: nn.Module
    objective: Objective
    width: int
    colours: Tensor
    mean: Tensor
    std: Tensor
    dtype: torch.dtype
    layouts: Layouts | None

    def image(self, spectrum: Tensor, highest: float = torch.inf) -> Tensor:
        """Pixels in 0 … 1."""
        return torch.sigmoid(decorrelated(pixels(spectrum, self.width, highest=highest), self.colours))

    def normalised(self, image: Tensor) -> Tensor:
        return (image - self.mean) / self.std

    def score(self, spectrum: Tensor, views: Views, generator: torch.Generator, highest: float = torch.inf) -> Tensor:
        """The mean over views."""
        moved = drawn_views(self.normalised(self.image(spectrum, highest)), views, generator)
        return score(self.model, moved.to(self.dtype), self.objective, layouts=self.layouts).mean()


def _ascent(
    canvas: _Canvas,
    spectrum: Tensor,
    generator: torch.Generator,
    views: Views,
    steps: int,
    learning_rate: float,
    octaves: int,
    seed: int,
) -> Iterator[DreamStep | Dream]:
    contrast = _waking_contrast(canvas, spectrum, views, steps, octaves, seed)
    spectrum = contrast * spectrum
    direction, square = torch.zeros_like(spectrum), torch.zeros_like(spectrum)
    start, scores = _still_score(canvas, spectrum, highest_frequency(0, steps, octaves)), []
    for step in range(steps):
        value, gradient = _gradient(canvas, spectrum, views, generator, highest_frequency(step, steps, octaves))
        if not math.isfinite(value):
            raise WorkError(f"the score is {value} at step {step + 1}: the network's weights diverged")
        direction = DIRECTION_MEMORY * direction + (1 - DIRECTION_MEMORY) * gradient
        square = SIZE_MEMORY * square + (1 - SIZE_MEMORY) * gradient.square()
        steady = direction / (1 - DIRECTION_MEMORY ** (step + 1))
        size = (square / (1 - SIZE_MEMORY ** (step + 1))).sqrt()
        size = (size + FLOOR * size.square().mean().sqrt()).clamp_min(torch.finfo(size.dtype).tiny)
        spectrum = spectrum + learning_rate * steady / size
        scores.append(value)
        yield DreamStep(step + 1, steps, value)
    with torch.no_grad():
        image = canvas.image(spectrum)
        normalised = canvas.normalised(image)
    end = _still_score(canvas, spectrum)
    yield Dream(canvas.objective, image.cpu(), normalised.cpu(), start, end, contrast, tuple(scores), seed)


def _waking_contrast(canvas: _Canvas, spectrum: Tensor, views: Views, steps: int, octaves: int, seed: int) -> float:
    """The first of `CONTRASTS` at which something moves the score."""
    for contrast in CONTRASTS:
        generator = torch.Generator().manual_seed(derive_seed(seed, "dream", "contrast"))
        value, gradient = _gradient(canvas, contrast * spectrum, views, generator, highest_frequency(0, steps, octaves))
        if not math.isfinite(value) or bool(gradient.any()):
            return contrast
    raise WorkError(
        f"nothing moves {canvas.objective}: its gradient is 0 on grey and on noise, so it is dead or hard to wake; try "
        "another seed, or the layer before its rectifier"
    )


def _gradient(
    canvas: _Canvas, spectrum: Tensor, views: Views, generator: torch.Generator, highest: float
) -> tuple[float, Tensor]:
    """(score, its gradient); no context is left open, so that whoever iterates may use the model between steps."""
    with undisturbed(canvas.model), torch.enable_grad():
        spectrum = spectrum.detach().requires_grad_(True)
        value = canvas.score(spectrum, views, generator, highest)
        if not value.requires_grad:
            raise WorkError(f"{canvas.objective} has no gradient: the network cuts it off (detach, no_grad, argmax)")
        (gradient,) = torch.autograd.grad(value, [spectrum])
    return float(value.detach()), gradient


def _still_score(canvas: _Canvas, spectrum: Tensor, highest: float = torch.inf) -> float:
    """The score of the image itself; UNMOVED draws from a generator of its own, so that nobody's numbers shift."""
    with undisturbed(canvas.model), torch.no_grad():
        return float(canvas.score(spectrum, UNMOVED, torch.Generator(), highest))
