"""Two images in one, and their labels in the same shares."""

import math
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cnnlab.core.quantities import PositiveNumber, Probability
from cnnlab.data.augment import Draw, Images, Targets
from cnnlab.data.registry import AUGMENTATIONS


@AUGMENTATIONS.register("mixup")
@dataclass(frozen=True)
class Mixup:
    """Blend each image with another of the batch; the share comes from Beta(alpha, alpha).

    Zhang et al. 2018, "mixup: beyond empirical risk minimization", arXiv:1710.09412. One share per batch.
    """

    classes: int
    _: KW_ONLY
    alpha: PositiveNumber = 0.2
    probability: Probability = 1.0
    on_float: ClassVar[bool] = True

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """A convex combination of images, and the same one of their targets."""
        numbers = draw.host("mixup")
        if numbers.random() >= self.probability:
            return images, targets
        share = numbers.betavariate(self.alpha, self.alpha)
        partners = draw.partners()
        mixed = images.lerp(images[partners], 1 - share)
        return mixed, mixed_targets(targets, targets[partners], share, self.classes)


@AUGMENTATIONS.register("cutmix")
@dataclass(frozen=True)
class CutMix:
    """Paste a rectangle of another image of the batch; its share of the area comes from Beta(alpha, alpha).

    Yun et al. 2019, "CutMix: regularization strategy to train strong classifiers", arXiv:1905.04899. One rectangle per
    batch; `probability` is that of a batch being mixed at all.
    """

    classes: int
    _: KW_ONLY
    alpha: PositiveNumber = 1.0
    probability: Probability = 0.5
    on_float: ClassVar[bool] = False

    def __call__(self, images: Images, targets: Targets, draw: Draw) -> tuple[Images, Targets]:
        """The labels' share is that of the pixels, after the rectangle has been cut at the image's edge."""
        numbers = draw.host("cutmix")
        if numbers.random() >= self.probability:
            return images, targets
        height, width = images.shape[2:]
        side = math.sqrt(1 - numbers.betavariate(self.alpha, self.alpha))
        top, bottom = _interval(numbers.randrange(height), side * height, height)
        left, right = _interval(numbers.randrange(width), side * width, width)
        partners = draw.partners()
        mixed = images.clone()
        mixed[:, :, top:bottom, left:right] = images[partners, :, top:bottom, left:right]
        share = 1 - (bottom - top) * (right - left) / (height * width)
        return mixed, mixed_targets(targets, targets[partners], share, self.classes)


def _interval(center: int, length: float, end: int) -> tuple[int, int]:
    """`length` pixels about `center`, cut to 0 … end."""
    begin = center - int(length) // 2
    return max(0, begin), min(end, begin + int(length))


def mixed_targets(targets: Targets, others: Targets, share: float, classes: int) -> Float[Tensor, "n classes"]:
    """`share` of `targets` and the rest of `others`, as the probability of each class."""
    first, second = (one if one.is_floating_point() else F.one_hot(one, classes).float() for one in (targets, others))
    return second.lerp(first, share)
