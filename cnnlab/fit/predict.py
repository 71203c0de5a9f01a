"""Predictions of a network over batches, without changing it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.data.batches import Batch
from cnnlab.fit.device import Precision, autocast, evaluating

TestTimeAugmentation = Literal["none", "flip"]


@dataclass(frozen=True)
class Predictions:
    """Logits and labels of the same images, on the CPU."""

    logits: Float[Tensor, "n classes"]
    labels: Int64[Tensor, "n"]

    @property
    def accuracy(self) -> float:
        """The share of images whose largest logit is that of their label."""
        return float((self.logits.argmax(1) == self.labels).double().mean())

    @property
    def loss(self) -> float:
        """Mean cross-entropy, without smoothing or weights."""
        return float(nn.functional.cross_entropy(self.logits.double(), self.labels))


def predict(
    model: nn.Module, batches: Iterable[Batch], *, tta: TestTimeAugmentation = "none", precision: Precision = "fp32"
) -> Predictions:
    """Logits of every image, in evaluation mode; the model's modes come back.

    `tta: flip` averages the logits of each image and of its mirror image.
    """
    logits, labels = [], []
    with evaluating(model):
        for batch in batches:
            with autocast(batch.images.device, precision):
                scores = model(batch.images).float()
                if tta == "flip":
                    scores = (scores + model(batch.images.flip(-1)).float()) / 2
            logits.append(scores)
            labels.append(batch.targets)
    # inference tensors cannot take part in autograd later (temperature is fitted by gradient)
    return Predictions(torch.cat(logits).cpu().clone(), torch.cat(labels).cpu().clone())
