"""Scores that say how much an image is like those that a network has learned from, without a second network.

Each is a registered function of the training images' features and logits, whose keyword-only parameters are its
options. It gives a `Fitted`: the statistics that are kept, and with them the score of any image; larger is more like
the training images.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from cnnlab.core.quantities import Positive, Probability
from cnnlab.core.registry import Component, Registry, component
from cnnlab.stats.probabilities import class_logits, class_probabilities


@dataclass(frozen=True, eq=False)
class Seen:
    """What the head of a network sees of some images, and the logits that it makes of it."""

    features: Float[Tensor, "n d"]
    logits: Float[Tensor, "n k"]
    labels: Int64[Tensor, "n"]
    """The class of each; looked at of training images alone."""


@dataclass(frozen=True)
class ScoreFacts:
    """What is known of a score beside its function."""

    label: str
    """The name as the field writes it."""
    paper: str
    of: Callable[[Seen, Mapping[str, Tensor]], Tensor]
    """The score of each image, from what is kept of the training images; float64."""


Statistics = dict[str, Tensor]

SCORES = Registry("score", supplies=("train",))
"""Each makes the `Statistics` that are kept of `train`, what was seen of training images."""


def facts_of_score(score: Component) -> ScoreFacts:
    """What is known of a score beside its function."""
    facts: ScoreFacts = score.entry.facts
    return facts


def default_scores() -> tuple[Component, ...]:
    """Every score, with its options at their defaults."""
    return tuple(component("score", entry.name) for entry in SCORES)


def fitted(score: Component, train: Seen) -> Statistics:
    """What a score keeps of the training images."""
    made: Statistics = score.build(train=train)
    return made


def scored(score: Component, statistics: Mapping[str, Tensor], seen: Seen) -> Float64[Tensor, "n"]:
    """The score of each image; larger is more like the training images."""
    return facts_of_score(score).of(seen, statistics)


def _largest_logit(seen: Seen, statistics: Mapping[str, Tensor]) -> Tensor:
    return class_logits(seen.logits.double()).amax(1)


@SCORES.register(
    "max_logit", facts=ScoreFacts("largest logit", "Hendrycks et al. 2022, arXiv:1911.11132", _largest_logit)
)
def max_logit() -> Statistics:
    """The largest logit."""
    return {}


def _largest_probability(seen: Seen, statistics: Mapping[str, Tensor]) -> Tensor:
    return class_probabilities(seen.logits.double()).amax(1)


@SCORES.register(
    "max_probability",
    facts=ScoreFacts("largest probability", "Hendrycks and Gimpel 2017, arXiv:1610.02136", _largest_probability),
)
def max_probability() -> Statistics:
    """The largest probability of a softmax over the classes."""
    return {}


def _log_sum(seen: Seen, statistics: Mapping[str, Tensor]) -> Tensor:
    return class_logits(seen.logits.double()).logsumexp(1)


@SCORES.register("energy", facts=ScoreFacts("energy", "Liu et al. 2020, arXiv:2010.03759", _log_sum))
def energy() -> Statistics:
    """The negative energy, the logarithm of the sum of the logits' exponentials."""
    return {}


def _nearness_to_classes(seen: Seen, statistics: Mapping[str, Tensor]) -> Tensor:
    whitening = statistics["whitening"].double()
    points, means = seen.features.double() @ whitening, statistics["means"].double() @ whitening
    return -torch.cdist(points, means, compute_mode="donot_use_mm_for_euclid_dist").amin(1)


@SCORES.register(
    "mahalanobis",
    facts=ScoreFacts("Mahalanobis distance", "Lee et al. 2018, arXiv:1807.03888", _nearness_to_classes),
)
def mahalanobis(train: Seen, *, shrinkage: Probability = 0.001) -> Statistics:
    """The negative Mahalanobis distance of the features to the nearest class's mean.

    The covariance is one for all classes, that of the training images' features about their class's mean. `shrinkage`
    is the share of it that gives way to the mean variance in every direction, so that those in which no training image
    varies have a length, too.
    """
    features, labels = train.features.double(), train.labels
    present = labels.unique()
    means = torch.stack([features[labels == label].mean(0) for label in present])
    centred = features - means[torch.searchsorted(present, labels)]
    covariance = centred.T @ centred / len(features)
    variance = covariance.diagonal().mean()
    covariance = (1 - shrinkage) * covariance
    covariance.diagonal().add_(shrinkage * variance)
    values, axes = torch.linalg.eigh(covariance)
    # where nothing varies at all, every direction counts alike
    lengths = values.clamp_min(max(1e-12 * float(values.max()), 1e-24)).rsqrt()
    return {"means": means, "whitening": axes * lengths}


def _cosine_of_neighbour(seen: Seen, statistics: Mapping[str, Tensor]) -> Tensor:
    cosine = F.normalize(seen.features.double(), dim=1) @ F.normalize(statistics["bank"].double(), dim=1).T
    return cosine.topk(int(statistics["neighbour"]), dim=1).values[:, -1]


def _nearness_of_neighbour(seen: Seen, statistics: Mapping[str, Tensor]) -> Tensor:
    distance = torch.cdist(seen.features.double(), statistics["bank"].double())
    return -distance.topk(int(statistics["neighbour"]), dim=1, largest=False).values[:, -1]


def _bank(train: Seen, neighbours: int) -> Statistics:
    return {"bank": train.features.float(), "neighbour": torch.tensor(min(neighbours, len(train.features)))}


@SCORES.register(
    "knn_cosine",
    facts=ScoreFacts("k-th neighbour, cosine", "Sun et al. 2022, arXiv:2204.06507", _cosine_of_neighbour),
)
def knn_cosine(train: Seen, *, neighbours: Positive = 10) -> Statistics:
    """The cosine between the features and their k-th nearest training image's; k is `neighbours`."""
    return _bank(train, neighbours)


@SCORES.register(
    "knn_euclid",
    facts=ScoreFacts("k-th neighbour, distance", "Sun et al. 2022, arXiv:2204.06507", _nearness_of_neighbour),
)
def knn_euclid(train: Seen, *, neighbours: Positive = 10) -> Statistics:
    """The negative distance between the features and their k-th nearest training image's; k is `neighbours`."""
    return _bank(train, neighbours)
