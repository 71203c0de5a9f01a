"""How many images a rule of rejection accepts, and how many of those are answered correctly."""

from dataclasses import dataclass
from typing import Any

import torch

from cnnlab.data.dataset import Dataset
from cnnlab.fit.predict import Predictions
from cnnlab.network.network import Network
from cnnlab.network.numbered_batches import numbered_batches
from cnnlab.rejection.kept import Rejection
from cnnlab.stats.confidence import wilson_interval
from cnnlab.view.blocks import Text, shown


@dataclass(frozen=True)
class Acceptance:
    """Counts of images that are of the classes."""

    n: int
    accepted: int
    correct: int
    """Among the accepted."""
    correct_of_rejected: int
    score: str
    threshold: float

    def as_json(self) -> dict[str, Any]:
        """Plain values; shares are 0 … 1, None of no images."""
        interval, rejected = wilson_interval(self.accepted, self.n), self.n - self.accepted
        return {
            "score": self.score,
            "threshold": self.threshold,
            "accepted": self.accepted,
            "accepted_rate": self.accepted / self.n,
            "accepted_ci95": [interval.low, interval.high],
            "accuracy_of_accepted": self.correct / self.accepted if self.accepted else None,
            "accuracy_of_rejected": self.correct_of_rejected / rejected if rejected else None,
        }

    def text(self) -> Text:
        """The same in words."""
        interval, rejected = wilson_interval(self.accepted, self.n), self.n - self.accepted
        words = (
            f"The rule of cnnlab reject ({self.score}, threshold {self.threshold:.4g}) accepts "
            f"{shown(self.accepted / self.n, '.1%')} of the images (95 % interval {shown(interval.low, '.1%')} to "
            f"{shown(interval.high, '.1%')})"
        )
        for count, correct, which in (
            (self.accepted, self.correct, "accepted"),
            (rejected, self.correct_of_rejected, "rejected"),
        ):
            words += f"; {shown(correct / count, '.1%')} of the {which} are answered correctly" if count else ""
        return Text(words + ".")


def acceptance(network: Network, dataset: Dataset, predictions: Predictions, rule: Rejection) -> Acceptance:
    """Ask a rule about images of the network's classes.

    Arguments:
        network: the rule was made for it.
        dataset: the images, one at least.
        predictions: the network's answers to them, in their order.
        rule: from `kept`, or of `net.reject()`.

    Example:
        acceptance(network, images, predictions_of(network, images), kept(network, session)).accepted
    """
    scores = torch.cat([rule.scores(network, inputs) for inputs, _, _ in numbered_batches(network, dataset)])
    inside = scores >= rule.threshold
    right = predictions.logits.argmax(1).cpu() == predictions.labels.cpu()
    return Acceptance(
        n=len(dataset),
        accepted=int(inside.sum()),
        correct=int((inside & right).sum()),
        correct_of_rejected=int((~inside & right).sum()),
        score=rule.score.name,
        threshold=rule.threshold,
    )
