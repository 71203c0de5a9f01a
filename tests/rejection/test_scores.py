"""Against closed forms, scipy and scikit-learn."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from scipy.special import logsumexp, softmax
from sklearn.neighbors import NearestNeighbors

from cnnlab.core.registry import component
from cnnlab.rejection.scores import Seen, default_scores, fitted, scored


def seen(count: int, seed: int) -> Seen:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, 5, generator=generator) @ torch.randn(5, 5, generator=generator)
    return Seen(features, 4 * torch.randn(count, 3, generator=generator), torch.arange(count) % 3)


TRAIN, ASKED = seen(40, 0), seen(12, 1)


def score(name: str, **options: object) -> np.ndarray:
    chosen = component("score", name, **options)
    return scored(chosen, fitted(chosen, TRAIN), ASKED).numpy()


def test_what_comes_from_logits_is_its_closed_form() -> None:
    logits = ASKED.logits.double().numpy()
    np.testing.assert_allclose(score("max_logit"), logits.max(1))
    np.testing.assert_allclose(score("max_probability"), softmax(logits, axis=1).max(1))
    np.testing.assert_allclose(score("energy"), logsumexp(logits, axis=1))


@pytest.mark.parametrize("shrinkage", [0.0, 0.001, 1.0])
def test_the_distance_to_the_nearest_class_is_scipys(shrinkage: float) -> None:
    features, labels = TRAIN.features.double().numpy(), TRAIN.labels.numpy()
    means = np.stack([features[labels == label].mean(0) for label in range(3)])
    covariance = np.cov((features - means[labels]).T, bias=True)
    inverse = np.linalg.inv((1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / 5 * np.eye(5))
    expected = [-min(mahalanobis(one, mean, inverse) for mean in means) for one in ASKED.features.double().numpy()]
    np.testing.assert_allclose(score("mahalanobis", shrinkage=shrinkage), expected, rtol=1e-8)


@pytest.mark.parametrize(("name", "metric"), [("knn_cosine", "cosine"), ("knn_euclid", "euclidean")])
@pytest.mark.parametrize("neighbours", [1, 4, 99])
def test_the_neighbour_is_scikit_learns(name: str, metric: str, neighbours: int) -> None:
    near = NearestNeighbors(n_neighbors=min(neighbours, 40), metric=metric).fit(TRAIN.features.double().numpy())
    distance = near.kneighbors(ASKED.features.double().numpy())[0][:, -1]
    expected = 1 - distance if metric == "cosine" else -distance
    np.testing.assert_allclose(score(name, neighbours=neighbours), expected, atol=1e-6)


def test_features_that_never_vary_are_no_obstacle() -> None:
    flat = Seen(torch.zeros(6, 4), torch.zeros(6, 2), torch.arange(6) % 2)
    for one in default_scores():
        assert bool(scored(one, fitted(one, flat), flat).isfinite().all()), one.name
