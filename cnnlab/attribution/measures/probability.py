"""The probability a network gives to a target, a bounded number of images at a time, without changing it.

Average drop and increase in confidence: the probability when only what the map shows is left. Chattopadhay et al. 2018
(Grad-CAM++), arXiv:1710.11063, section 4.1: the image times the map scaled to 0 … 1, with Y the probability for the
whole image and O for what is left. Maps that keep everything have no drop: a measure to be read beside the controls,
never alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.attribution.maps import at_image_size, positive_scaled
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.forward import forward
from cnnlab.stats.probabilities import Activation, class_probabilities


def target_probabilities(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    targets: Int64[Tensor, "n"],
    *,
    max_batch: int,
    activation: Activation = "softmax",
) -> Float[Tensor, "n"]:
    """Probability of each image's target class, in float64 on the CPU.

    Raises: what `composite_probabilities` raises.
    """
    return composite_probabilities(
        model, lambda rows: images[rows], targets, max_batch=max_batch, activation=activation
    )


def composite_probabilities(
    model: nn.Module,
    make: Callable[[Int64[Tensor, "b"]], Float[Tensor, "b c h w"]],
    targets: Int64[Tensor, "n"],
    *,
    max_batch: int,
    activation: Activation = "softmax",
) -> Float[Tensor, "n"]:
    """Probability of `targets` for images that `make` makes from their numbers, `max_batch` at a time.

    Raises: RequestError for a target that the model has no class for; WorkError where its answers are NaN or infinite;
    ValueError unless `max_batch` ≥ 1.
    """
    if max_batch < 1:
        raise ValueError(f"max_batch is {max_batch}, expected at least 1 image")
    found = []
    with undisturbed(model), torch.no_grad():
        for rows in torch.arange(len(targets), device=targets.device).split(max_batch):
            wanted = targets[rows].cpu()
            logits = _checked(forward(model, make(rows)), wanted)
            found.append(class_probabilities(logits, activation).gather(1, wanted[:, None])[:, 0])
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64)


def _checked(answer: object, targets: Tensor) -> Tensor:
    """The logits in float64 on the CPU."""
    if not isinstance(answer, Tensor) or answer.ndim != 2 or answer.shape[1] < 1:
        found = f"has shape {tuple(answer.shape)}" if isinstance(answer, Tensor) else f"is a {type(answer).__name__}"
        raise RequestError(f"the model's answer {found}; expected logits (images, classes)")
    logits = answer.cpu().double()
    classes = max(2, logits.shape[1])
    if int(targets.min()) < 0 or int(targets.max()) >= classes:
        wrong = targets[(targets < 0) | (targets >= classes)]
        raise RequestError(f"no target class {int(wrong[0])}: the model has classes 0 to {classes - 1}")
    if not bool(logits.isfinite().all()):
        raise WorkError(
            "the network's answers to images with removed pixels are NaN or infinite; "
            "its weights diverged, or the images were not normalised as in training"
        )
    return logits


@dataclass(frozen=True, eq=False)
class Drop:
    """The probability of each image's target, whole and as far as its map shows it."""

    whole: Float[Tensor, "n"]
    """Y."""
    shown: Float[Tensor, "n"]
    """O."""

    @property
    def drop(self) -> Float[Tensor, "n"]:
        """max(0, Y − O)/Y, 0 … 1: the share of the confidence that is lost. 0 where Y is 0: nothing is left to lose."""
        some = self.whole > 0
        return (self.whole - self.shown).clamp(min=0) / torch.where(some, self.whole, torch.ones_like(self.whole))

    @property
    def increase(self) -> Float[Tensor, "n"]:
        """1 where O > Y, otherwise 0."""
        return (self.shown > self.whole).double()


def confidence_drop(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    targets: Tensor,
    maps: Float[Tensor, "n h2 w2"],
    *,
    max_batch: int = 256,
    activation: Activation = "softmax",
) -> Drop:
    """Both probabilities of each (normalised) image, in float64.

    The map's positive part is divided by its largest value; what it hides becomes 0, the data set's mean. A map without
    positive evidence shows nothing, and so its image is all mean.

    Raises: RequestError and WorkError as `composite_probabilities`; what `at_image_size` raises.
    """
    height, width = images.shape[2:]
    shown = positive_scaled(at_image_size(maps, (height, width))).to(images)
    return Drop(
        target_probabilities(model, images, targets, max_batch=max_batch, activation=activation),
        composite_probabilities(
            model, lambda rows: images[rows] * shown[rows, None], targets, max_batch=max_batch, activation=activation
        ),
    )
