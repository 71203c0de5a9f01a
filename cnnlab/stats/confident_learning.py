"""Likely label errors from probabilities of images that a network has not learned from: confident learning.

C. Northcutt, L. Jiang, I. Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70 (2021),
https://arxiv.org/abs/1911.00068. Counts, choice and order are those of cleanlab's `find_label_issues` with
`filter_by="confident_learning"`.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

Ranking = Literal["self_confidence", "normalized_margin"]

TOLERANCE = 1e-6
"""How far below its threshold a probability may lie, and how far another may lie above that of the label."""

NEVER = 2.0
"""The threshold of a class that no image is labelled with: no probability reaches it."""


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """Which labels are likely wrong."""

    indices: Int64[Tensor, "count"]
    """Indices of the images, the likeliest error first."""
    likely: Int64[Tensor, "count"]
    """The class that each most likely is."""
    quality: Float64[Tensor, "n"]
    """`label_quality` of every image, by which the errors are ordered."""
    thresholds: Float64[Tensor, "k"]
    """The mean probability of each class over the images labelled so; 2 for a class that no image has."""
    joint: Int64[Tensor, "k k"]
    """Images by their label (rows) and by the class that they confidently are (columns)."""

    counts: Int64[Tensor, "k"]
    """Images with each label."""

    @property
    def calibrated(self) -> Int64[Tensor, "k k"]:
        """The joint as an estimate for all images, as `calibrated_joint` has it."""
        return calibrated_joint(self.joint, self.counts)

    @property
    def estimated(self) -> int:
        """How many labels are wrong, estimated: all of the calibrated joint that is off its diagonal."""
        calibrated = self.calibrated
        return int(calibrated.sum() - calibrated.diagonal().sum())


def label_quality(
    labels: Int64[Tensor, "n"], probabilities: Float[Tensor, "n k"], ranking: Ranking = "self_confidence"
) -> Float64[Tensor, "n"]:
    """How likely each label is right, 0 … 1.

    Arguments:
        labels: that are in question.
        probabilities: of the classes, by networks that have not learned from the image.
        ranking: `self_confidence` is the probability p of the label; `normalized_margin` is (p − q + 1) / 2 with the
            largest probability q of the other classes.

    Returns:
        A number for each image; 0 where another class is certain.
    """
    values = probabilities.double()
    own = values.gather(1, labels[:, None])[:, 0]
    if ranking == "self_confidence":
        return own
    others = values.scatter(1, labels[:, None], -torch.inf)
    return (own - others.amax(1) + 1) / 2


def confident_thresholds(labels: Int64[Tensor, "n"], probabilities: Float[Tensor, "n k"]) -> Float64[Tensor, "k"]:
    """The probability from which an image is confidently of a class: the class's mean over the images labelled so.

    Arguments:
        labels, probabilities: as of `label_errors`.

    Returns:
        One for each class; 2, which no probability reaches, for a class that no image is labelled with.
    """
    values = probabilities.double()
    found = torch.full((values.shape[1],), NEVER, dtype=torch.float64)
    for label in labels.unique().tolist():
        found[label] = values[labels == label, label].mean()
    return found.clamp_min(2 * TOLERANCE)


def confident_classes(
    probabilities: Float[Tensor, "n k"], thresholds: Float64[Tensor, "k"]
) -> tuple[Bool[Tensor, "n"], Int64[Tensor, "n"]]:
    """Whether each image is confidently of any class, and of which.

    Where it is of several, the likeliest of all classes counts, as in cleanlab; the paper takes that of those it is of.

    Arguments:
        probabilities: as of `label_errors`.
        thresholds: of the classes.
    """
    values = probabilities.double()
    confident = values >= thresholds - TOLERANCE
    return confident.any(1), torch.where(confident.sum(1) > 1, values.argmax(1), confident.int().argmax(1))


def calibrated_joint(joint: Int64[Tensor, "k k"], counts: Int64[Tensor, "k"]) -> Int64[Tensor, "k k"]:
    """A confident joint scaled to all images: each row has as many as are labelled so.

    Arguments:
        joint: images by label (rows) and by the class that they confidently are; those of no class are not in it.
        counts: images with each label.

    Returns:
        Whole images, the rows' sums kept. A class is taken to be right of one image at least.
    """
    least = joint + torch.diag((1 - joint.diagonal()).clamp_min(0))
    exact = least.double() / least.sum(1, keepdim=True) * counts[:, None]
    return torch.stack([_rounded(row) for row in exact])


def _rounded(exact: Float64[Tensor, "k"]) -> Int64[Tensor, "k"]:
    """Whole numbers of the same sum: what was rounded furthest goes the other way, as often as the sum needs."""
    whole = exact.round()
    while missing := round(float(exact.sum()) - float(whole.sum())):
        by = 1 if missing > 0 else -1
        furthest = (exact - whole).argsort(stable=True)
        chosen = (furthest.flip(0) if by > 0 else furthest)[: abs(missing)]
        whole[chosen] += by
    return whole.long()


def label_errors(
    labels: Int64[Tensor, "n"], probabilities: Float[Tensor, "n k"], *, ranking: Ranking = "self_confidence"
) -> LabelErrors:
    """The labels that are likely wrong, the likeliest first.

    An image is confidently of a class where its probability is at least the mean over the images labelled so; where it
    is of several, the likeliest counts. Its label is in question where that is another one, unless the label is the
    likeliest class all the same.

    Arguments:
        labels: that are in question.
        probabilities: of the classes, by networks that have not learned from the image.
        ranking: as of `label_quality`.

    Returns:
        The images in question, what they likely are, and the counts that this rests on.

    Example:
        >>> p = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.05, 0.95]])
        >>> label_errors(torch.tensor([0, 0, 1, 0]), p).indices.tolist()
        [3]
    """
    values, classes = probabilities.double(), probabilities.shape[1]
    thresholds = confident_thresholds(labels, values)
    known, guess = confident_classes(values, thresholds)
    joint = torch.bincount(labels[known] * classes + guess[known], minlength=classes**2).view(classes, classes)
    favoured = values.clone()
    favoured[torch.arange(len(labels)), labels] += TOLERANCE
    wrong = known & (guess != labels) & (favoured.argmax(1) != labels)
    quality = label_quality(labels, values, ranking)
    indices = wrong.nonzero()[:, 0]
    indices = indices[quality[indices].argsort(stable=True)]
    counts = torch.bincount(labels, minlength=classes)
    return LabelErrors(indices, guess[indices], quality, thresholds, joint, counts)
