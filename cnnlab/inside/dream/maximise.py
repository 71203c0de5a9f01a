"""Activation maximisation: gradient ascent on an image's spectrum until a channel or class answers strongly.

C. Olah, A. Mordvintsev, L. Schubert, "Feature visualization", Distill 2017, doi:10.23915/distill.00007. What comes out
is *a* strong stimulus, and depends on the parametrisation: it shows what suffices, not all that a channel answers to.
What an image is made for is its objective: a channel of a layer, or the score of a class.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError, unknown
from cnnlab.core.seeds import derive_seed
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
from cnnlab.models.tensors import lone_tensor
from cnnlab.models.undisturbed import undisturbed
from cnnlab.walk.layouts import Layouts, layouts_of


@dataclass(frozen=True)
class Channel:
    """The mean of one channel of a layer over all its places; of a flat layer, one feature."""

    layer: str
    channel: int

    def __str__(self) -> str:
        return f"channel {self.channel} of {self.layer}"


@dataclass(frozen=True)
class ClassScore:
    """The logit of one class. Not its probability, which also rises where the other classes fall."""

    index: int

    def __str__(self) -> str:
        return f"class {self.index}"


Objective = Channel | ClassScore


def check_objective(model: nn.Module, objective: Objective) -> None:
    """Refuse an objective whose layer is not there.

    Raises: RequestError for a name that is no layer of the model.
    """
    if isinstance(objective, Channel):
        names = [name for name, _ in model.named_modules() if name]
        if objective.layer not in names:
            raise RequestError(unknown("layer", objective.layer, names))


def score(
    model: nn.Module, images: Float[Tensor, "n c h w"], objective: Objective, *, layouts: Layouts | None = None
) -> Float[Tensor, "n"]:
    """The objective for each image, differentiable; of a layer that runs several times, its last output.

    `layouts` are the network's for images of this size, where the caller has them.

    Raises: RequestError for a class or channel that is not there, and for a layer without channels.
    """
    if isinstance(objective, ClassScore):
        scores = model(images)
        if not isinstance(scores, Tensor) or scores.dim() != 2:
            raise RequestError("this network gives no row of class scores, so no class can be maximised")
        if scores.shape[1] == 1:  # which speaks for class 1 of two, and against class 0
            scores = torch.cat([-scores, scores], dim=1)
        _check_index("class", objective.index, scores.shape[1])
        return scores[:, objective.index].float()
    found: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: object) -> None:
        tensor = lone_tensor(output)
        if tensor is not None:
            # a copy: a later in-place layer would change it
            found[:] = [tensor.clone()]

    handle = model.get_submodule(objective.layer).register_forward_hook(keep)
    try:
        model(images)
    finally:
        handle.remove()
    if not found or found[0].dim() < 2:
        raise RequestError(f"layer '{objective.layer}' gives no channels, or does not run in a forward pass")
    output = found[0]
    if output.dim() > 2:
        output = (layouts or layouts_of(model, images.shape[1:])).of(objective.layer).maps(output)
    _check_index(f"channel of layer '{objective.layer}'", objective.channel, output.shape[1])
    channel = output[:, objective.channel].float()
    return channel.flatten(1).mean(1) if channel.dim() > 1 else channel


def _check_index(what: str, index: int, count: int) -> None:
    if not 0 <= index < count:
        raise RequestError(f"no {what} {index}: there are {count}, from 0 to {count - 1}")


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
    """Of every step: of the views that it was made from, before it, in the objective's own unit."""


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
) -> Iterator[Advance | Dream]:
    """How far the ascent is, after each step; then the `Dream`.

    A step is Adam's but for its floor, see `FLOOR`.

    `shape` is (channels, height, width); `mean` and `std` of each channel are those that the network's images are
    normalised with. `octaves` of frequencies are opened one after another (see `highest_frequency`), fewer the smaller
    the image. `colours` is a basis of them (c, c), a direction in each column; without one, images of three channels
    use ImageNet's, others none. On a CPU the same seed gives the same bits.

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
    views, lowest = views or Views(), highest_frequency(0, steps, octaves)
    contrast = _waking_contrast(canvas, spectrum, views, lowest, seed)
    spectrum = contrast * spectrum
    direction, square = torch.zeros_like(spectrum), torch.zeros_like(spectrum)
    start, scores = _still_score(canvas, spectrum, lowest), []
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
        yield Advance("dreaming", step + 1, steps)
    with torch.no_grad():
        image = canvas.image(spectrum)
        normalised = canvas.normalised(image)
    end = _still_score(canvas, spectrum)
    yield Dream(objective, image.cpu(), normalised.cpu(), start, end, contrast, tuple(scores))


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


def _waking_contrast(canvas: _Canvas, spectrum: Tensor, views: Views, highest: float, seed: int) -> float:
    """The first of `CONTRASTS` at which something moves the score."""
    for contrast in CONTRASTS:
        generator = torch.Generator().manual_seed(derive_seed(seed, "dream", "contrast"))
        value, gradient = _gradient(canvas, contrast * spectrum, views, generator, highest)
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
