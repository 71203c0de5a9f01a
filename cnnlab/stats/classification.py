"""How well images are told apart, and which class is taken for which: everything that logits and labels say."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cnnlab.core.errors import WorkError
from cnnlab.stats.calibration import Calibration, Temperature, calibration
from cnnlab.stats.confidence import Interval, wilson_interval

TOP = 5


@dataclass(frozen=True)
class ClassMeasures:
    """One class against the rest, each 0 … 1; NaN where there is nothing to divide by (no image, no answer)."""

    name: str
    precision: float
    """Share of the images called this class that are of it."""
    recall: float
    """Share of the images of this class that are called so."""
    f1: float
    """Harmonic mean of the two."""
    support: int
    """Images of this class."""


@dataclass(frozen=True)
class Mistake:
    """An image that was called something else, by its place in the set."""

    index: int
    truth: int
    predicted: int
    confidence: float
    """Probability given to the wrong class."""
    p_truth: float
    """Probability given to the right class."""


@dataclass(frozen=True)
class GroupAccuracy:
    """Accuracy on the images of one group (a session, a patient, a place)."""

    name: str
    accuracy: float
    interval: Interval
    n: int


@dataclass(frozen=True)
class Confusion:
    """`truth` was called `predicted`, one direction."""

    truth: int
    predicted: int
    n: int
    share: float
    """Share of the images of `truth`, 0 … 1."""


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes that are taken for one another, both directions together."""

    first: int
    second: int
    n: int
    first_as_second: int
    second_as_first: int


@dataclass(frozen=True, eq=False)
class Classification:
    """What a network's answers are worth on one set of images. Shares are 0 … 1."""

    classes: tuple[str, ...]
    n: int
    accuracy: float
    interval: Interval
    """Wilson's, 95 %."""
    loss: float
    """Mean cross-entropy in nats."""
    top5: float | None
    """None with five classes or fewer, where it would always be 1."""
    macro_f1: float
    """Mean of F1 over the classes that have images here: each class counts the same."""
    per_class: tuple[ClassMeasures, ...]
    matrix: Int64[Tensor, "k k"]
    """Rows truth, columns prediction."""
    confusions: tuple[Confusion, ...]
    pairs: tuple[ConfusedPair, ...]
    calibration: Calibration
    temperature: Temperature | None
    scaled: Calibration | None
    """The calibration of logits divided by `temperature`."""
    mistakes: tuple[Mistake, ...]
    """The most confident mistakes, the surest first."""


def classify(
    logits: Float[Tensor, "n k"],
    labels: Int64[Tensor, "n"],
    *,
    classes: Sequence[str],
    temperature: Temperature | None = None,
) -> Classification:
    """Every measure of the answers `logits` to images of classes `labels`.

    `temperature` comes from `calibration.fit_temperature` on *other* images; it says itself on which.
    An image whose logits tie is answered with the first of the tied classes.

    Raises: WorkError where a logit is NaN or infinite; ValueError where shapes, labels and classes do not fit.
    """
    logits, labels = logits.detach().cpu().double(), labels.cpu()
    n, k = logits.shape
    _check(logits, labels, len(classes))
    predicted = logits.argmax(1)
    right = int((predicted == labels).sum())
    matrix = torch.bincount(labels * k + predicted, minlength=k * k).reshape(k, k)
    support, answered, hits = matrix.sum(1), matrix.sum(0), matrix.diagonal().double()
    # 0 / 0 is NaN: a class without an image or an answer has no such measure
    precision, recall, f1 = hits / answered, hits / support, 2 * hits / (support + answered)
    top5 = float((logits.topk(TOP).indices == labels[:, None]).any(1).double().mean()) if k > TOP else None
    return Classification(
        classes=tuple(classes),
        n=n,
        accuracy=right / n,
        interval=wilson_interval(right, n),
        loss=float(torch.nn.functional.cross_entropy(logits, labels)),
        top5=top5,
        macro_f1=float(f1[support > 0].mean()),
        per_class=tuple(
            ClassMeasures(name, float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
            for i, name in enumerate(classes)
        ),
        matrix=matrix,
        confusions=confusions(matrix),
        pairs=confused_pairs(matrix),
        calibration=calibration(logits, labels),
        temperature=temperature,
        scaled=calibration(logits / temperature.value, labels) if temperature else None,
        mistakes=most_wrong(logits, labels),
    )


def confusions(matrix: Int64[Tensor, "k k"]) -> tuple[Confusion, ...]:
    """Every wrong cell that is not empty (rows truth, columns prediction), most images first, then largest share."""
    support = matrix.sum(1).tolist()
    found = [
        Confusion(truth, predicted, n, n / support[truth])
        for truth, row in enumerate(matrix.tolist())
        for predicted, n in enumerate(row)
        if n and truth != predicted
    ]
    return tuple(sorted(found, key=lambda c: (-c.n, -c.share, c.truth, c.predicted)))


def confused_pairs(matrix: Int64[Tensor, "k k"]) -> tuple[ConfusedPair, ...]:
    """Every pair of classes with a mistake between them, both directions summed, most images first."""
    rows = matrix.tolist()
    found = [
        ConfusedPair(i, j, rows[i][j] + rows[j][i], rows[i][j], rows[j][i])
        for i in range(len(rows))
        for j in range(i + 1, len(rows))
        if rows[i][j] + rows[j][i]
    ]
    return tuple(sorted(found, key=lambda pair: (-pair.n, pair.first, pair.second)))


def most_wrong(logits: Float[Tensor, "n k"], labels: Int64[Tensor, "n"], *, count: int = 25) -> tuple[Mistake, ...]:
    """The images called wrong with the highest confidence; among equals, the least probable truth first."""
    log_probabilities = logits.detach().cpu().double().log_softmax(1)
    labels = labels.cpu()
    confidence, predicted = log_probabilities.max(1)
    truth = log_probabilities.gather(1, labels[:, None])[:, 0]
    wrong = (predicted != labels).nonzero()[:, 0].tolist()
    # Two stable keys: confidences that are 1.0 in double precision still differ in what is left for the truth.
    wrong.sort(key=lambda i: (-float(confidence[i].exp()), float(truth[i]), i))
    return tuple(
        Mistake(i, int(labels[i]), int(predicted[i]), float(confidence[i].exp()), float(truth[i].exp()))
        for i in wrong[:count]
    )


def by_group(
    logits: Float[Tensor, "n k"], labels: Int64[Tensor, "n"], groups: Sequence[str]
) -> tuple[GroupAccuracy, ...]:
    """Accuracy in each group, the worst first.

    Raises: ValueError unless there is one group name per image.
    """
    if len(groups) != len(labels):
        raise ValueError(f"{len(groups)} group names for {len(labels)} images")
    answers: dict[str, list[bool]] = {}
    for group, right in zip(groups, (logits.argmax(1) == labels).tolist(), strict=True):
        answers.setdefault(group, []).append(right)
    made = (
        GroupAccuracy(name, sum(rights) / len(rights), wilson_interval(sum(rights), len(rights)), len(rights))
        for name, rights in answers.items()
    )
    return tuple(sorted(made, key=lambda group: (group.accuracy, group.name)))


def _check(logits: Tensor, labels: Tensor, classes: int) -> None:
    n, k = logits.shape
    if n == 0 or len(labels) != n or k != classes:
        raise ValueError(f"logits of shape ({n}, {k}) for {len(labels)} labels and {classes} classes")
    if int(labels.min()) < 0 or int(labels.max()) >= k:
        raise ValueError(f"labels {int(labels.min())} to {int(labels.max())} for {k} classes: expected 0 to {k - 1}")
    finite = logits.isfinite().all(1)
    if not bool(finite.all()):
        first = int((~finite).nonzero()[0, 0])
        raise WorkError(
            f"the network's answers to {int((~finite).sum())} of {n} images are NaN or infinite "
            f"(first: image {first}); "
            "its weights diverged, or the images were not normalised as in training"
        )
