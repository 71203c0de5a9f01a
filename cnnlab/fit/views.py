"""Test-time augmentation: an image is answered by the mean of a network's logits over several views of it."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.fit.distributed.ranks import ALONE, Ranks
from cnnlab.stats.probabilities import class_logits

ViewsName = Literal["none", "flip", "six"]

Images: TypeAlias = Float[Tensor, "n c h w"]
Logits: TypeAlias = Float[Tensor, "n k"]
Answer: TypeAlias = Callable[[Tensor], Tensor]
"""A batch of images → its logits, in float32."""


@dataclass(frozen=True)
class View:
    """What is shown in place of an image."""

    weight: float = 1.0
    """In the mean of the logits."""
    shift: int = 0
    """Pixels to the right and down, or left and up where it is negative; the edge is reflected."""
    mirrored: bool = False

    def of(self, images: Images) -> Images:
        """The view of each image.

        Raises: RequestError for images that are too small to be shifted.
        """
        if self.shift:
            height, width = images.shape[-2:]
            reach = abs(self.shift)
            if min(height, width) <= reach:
                raise RequestError(f"`tta` shifts images by {reach} px, and these are {height} × {width}; try flip")
            padded, begin = F.pad(images, (reach,) * 4, mode="reflect"), reach - self.shift
            images = padded[..., begin : begin + height, begin : begin + width]
        return images.flip(-1) if self.mirrored else images


VIEWS: dict[ViewsName, tuple[View, ...]] = {
    "none": (View(),),
    "flip": (View(0.5), View(0.5, mirrored=True)),
    "six": tuple(View(w, s, m) for s, w in ((0, 0.25), (1, 0.125), (-1, 0.125)) for m in (False, True)),
}
"""The image itself comes first. `six`: half of the mean over an image and its mirror image, and half of that over the
same two moved by a pixel along the diagonal, either way (Jordan 2024, arXiv:2404.00498)."""

SAID: dict[ViewsName, str] = {
    "none": "",
    "flip": "averaged with the mirror image's",
    "six": "averaged over six views (the image, its shifts by a pixel along the diagonal, and their mirror images)",
}
"""How the answers are made, in words."""


@dataclass(frozen=True)
class AveragedViews:
    """Which views the answers are averaged over, and of which images."""

    name: ViewsName = "none"
    least_sure: float = 1.0
    """Share of the images, 0 … 1, that are shown in more than one view: those with the smallest margin. The others keep
    the answer to the image itself, which saves time, as it seldom changes."""

    def __post_init__(self) -> None:
        if self.least_sure < 1 and len(VIEWS[self.name]) == 1:
            raise RequestError("`least_sure` chooses the images that get further views; `tta` flip or six names those")

    @property
    def slug(self) -> str:
        """What tells it from others in the name of a folder: ``, `-flip`, `-six-25`."""
        share = "" if self.least_sure == 1 else f"-{100 * self.least_sure:g}"
        return "" if self.name == "none" else f"-{self.name}{share}"

    @property
    def sentence(self) -> str:
        """How the answers are made; empty where they are the network's own."""
        some = "" if self.least_sure == 1 else f" to the {100 * self.least_sure:g} % least sure images"
        words = SAID[self.name]
        return f"Answers{some} {words}." if words else ""

    def as_json(self) -> dict[str, str | float]:
        """Its options, as JSON documents have them."""
        return {"views": self.name, "least_sure": self.least_sure}

    def answers(self, answer: Answer, batches: Iterable[Images], ranks: Ranks = ALONE) -> Logits:
        """The logits of all images, in order, on their device.

        Arguments:
            answer: the network.
            batches: gone through twice where only the least sure images get further views.
            ranks: the processes that share the images; `batches` are those of this one, the logits those of all.

        Raises:
            RequestError: for images that are too small to be shifted.
        """
        views = VIEWS[self.name]
        if self.least_sure == 1:
            return ranks.joined([_summed(answer, images, views) for images in batches])[0]
        first, *further = views
        logits, begin = ranks.joined([answer(images) for images in batches])
        unsure, own = self._unsure(logits), []
        for images in batches:
            part = slice(begin, begin + len(images))
            some, begin = unsure[part], part.stop
            if some.any():
                rest = _summed(answer, images[some], further)
                logits[part][some] = first.weight * logits[part][some] + rest
            own.append(logits[part])
        return ranks.joined(own)[0]

    def _unsure(self, logits: Logits) -> Bool[Tensor, "n"]:
        """Which images have the smallest margins: the difference of the two largest logits."""
        largest = class_logits(logits).topk(2, dim=1).values
        count = math.ceil(round(self.least_sure * len(logits), 6))  # 0.1 of 30 is a little more than 3 in binary
        unsure = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
        unsure[(largest[:, 0] - largest[:, 1]).argsort(stable=True)[:count]] = True
        return unsure


PLAIN = AveragedViews()
"""No test-time augmentation."""


def _summed(answer: Answer, images: Images, views: Sequence[View]) -> Logits:
    """The weighted sum of the logits over `views`."""
    first, *further = views
    total = first.weight * answer(first.of(images))
    for view in further:
        total = total + view.weight * answer(view.of(images))
    return total
