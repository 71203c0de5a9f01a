"""Predictions of a network over batches, without changing it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.data.batches import Batch
from cnnlab.fit.device import evaluating
from cnnlab.fit.distributed.ranks import ALONE, Ranks
from cnnlab.fit.precision import Precision, autocast
from cnnlab.fit.views import PLAIN, AveragedViews


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
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    tta: AveragedViews = PLAIN,
    precision: Precision = "fp32",
    ranks: Ranks = ALONE,
) -> Predictions:
    """Logits of every image, in evaluation mode; the model's modes come back.

    Arguments:
        model: its logits are made without gradients.
        batches: gone through twice where `tta` gives further views to some images alone.
        tta: the views that the logits are averaged over.
        precision: of convolutions and products; the logits are averaged in float32.
        ranks: the processes that share the images; `batches` are those of this one.

    Returns:
        Logits and labels in the order of the batches, on the CPU; those of all processes on each.
    """
    shown = _Shown(batches)
    with evaluating(model):
        logits = tta.answers(lambda images: logits_of(model, images, precision), shown, ranks)
    labels, _ = ranks.joined(shown.labels)
    # inference tensors cannot take part in autograd later (temperature is fitted by gradient)
    return Predictions(logits.cpu().clone(), labels.cpu().clone())


def logits_of(model: nn.Module, images: Float[Tensor, "n c h w"], precision: Precision) -> Float[Tensor, "n k"]:
    """The logits of one batch in float32, computed in `precision`, with the model as it stands."""
    with autocast(images.device, precision):
        logits: Tensor = model(images)
    return logits.float()


@dataclass
class _Shown:
    """The images of `batches`, whose labels are kept as they pass."""

    batches: Iterable[Batch]
    labels: list[Tensor] = field(default_factory=list)

    def __iter__(self) -> Iterator[Tensor]:
        self.labels = []
        for batch in self.batches:
            self.labels.append(batch.targets)
            yield batch.images
