import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import small, unchanged
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.inside.embedding.components import principal_components
from cnnlab.network.penultimate import Features, joined, penultimate_features
from cnnlab.stats.nearest import nearest_neighbours

GENERATOR = torch.Generator().manual_seed(0)
IMAGES, LABELS = torch.randn(10, 3, 12, 12, generator=GENERATOR), torch.arange(10) % 4


def features_of(network: nn.Module, size: int = 4, layer: str | None = None) -> Features:
    parts = ((IMAGES[i : i + size], LABELS[i : i + size], i) for i in range(0, 10, size))
    return joined(penultimate_features(network, parts, layer=layer))


def test_the_head_turns_the_features_into_the_scores() -> None:
    network = small()
    found = features_of(network)
    with torch.no_grad():
        torch.testing.assert_close(network.linear(found.features), network.eval()(IMAGES))
    assert (found.layer, found.features.shape) == ("linear", (10, 8))
    assert found.indices.tolist() == list(range(10))
    assert torch.equal(found.labels, LABELS)
    torch.testing.assert_close(features_of(network, 10).features, found.features)


class Sized(nn.Module):
    """Two linear layers with a row per class, and a convolution with as many channels as classes, in odd order."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 4)
        self.maps = nn.Conv2d(3, 4, 3)
        self.before = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(self.head(self.before(self.maps(x).mean((2, 3))).relu_()), inplace=True)


def test_of_several_layers_that_would_fit_the_last_that_runs_is_the_head() -> None:
    network = Sized().eval()
    found = features_of(network)
    assert found.layer == "head"
    with torch.no_grad():
        torch.testing.assert_close(nn.functional.relu(network.head(found.features)), network(IMAGES))
    assert features_of(network, layer="before").layer == "before"


def test_a_convolutional_head_in_front_of_a_mean_is_linear_in_averaged_features() -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = features_of(network)
    assert (found.layer, found.features.shape) == ("2", (10, 5))
    with torch.no_grad():
        torch.testing.assert_close(network[2](found.features[:, :, None, None])[:, :, 0, 0], network(IMAGES))


def test_nothing_is_changed() -> None:
    network = small()
    with unchanged(network):
        features_of(network)
    with unchanged(network), pytest.raises(RuntimeError):
        next(penultimate_features(network, [(torch.zeros(1, 7, 12, 12), LABELS[:1], 0)]))


def test_networks_without_a_head() -> None:
    with pytest.raises(RequestError, match="name the layer"):
        features_of(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(3)))
    with pytest.raises(RequestError, match=r"no layer 'lineal'.*Did you mean 'linear'"):
        features_of(small(), layer="lineal")
    network = small()
    network.spare = nn.Linear(2, 2)
    network.forward = lambda x: network.linear(network[:8](x))  # type: ignore[method-assign]
    with pytest.raises(RequestError, match="'spare' does not run"):
        features_of(network, layer="spare")
    with pytest.raises(RequestError, match="no images"):
        joined([])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(3, 30), st.integers(2, 12))
def test_components_are_eigenvectors_of_the_covariance(seed: int, n: int, d: int) -> None:
    features = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3 + 5
    count = min(n - 1, d)
    found = principal_components(features, count=count)
    covariance = features.T.cov().reshape(d, d)
    torch.testing.assert_close(covariance @ found.axes.T, found.axes.T * found.variance, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found.axes @ found.axes.T, torch.eye(count).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(found.variance, torch.linalg.eigvalsh(covariance).flip(0)[:count], atol=1e-9, rtol=1e-9)
    assert float(found.share.sum()) == pytest.approx(1)
    torch.testing.assert_close(found.coordinates @ found.axes + found.mean, features, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found.coordinates.T.cov().reshape(count, count).diagonal(), found.variance)
    assert bool((found.axes.gather(1, found.axes.abs().argmax(1, keepdim=True)) > 0).all())


def test_components_are_sklearn_s() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    features = torch.randn(40, 7, generator=torch.Generator().manual_seed(1)) @ torch.diag(torch.arange(1.0, 8))
    found = principal_components(features, count=3)
    theirs = decomposition.PCA(3, svd_solver="full").fit(features.double().numpy())
    torch.testing.assert_close(found.variance, torch.tensor(theirs.explained_variance_))
    torch.testing.assert_close(found.share, torch.tensor(theirs.explained_variance_ratio_))
    torch.testing.assert_close(found.axes.abs(), torch.tensor(theirs.components_).abs())


def test_features_that_do_not_vary() -> None:
    found = principal_components(torch.ones(4, 3))
    assert found.share.tolist() == [0, 0]
    assert found.coordinates.abs().max() == 0
    for n, count in ((1, 1), (4, 0), (4, 4)):
        with pytest.raises(RequestError, match="principal components of"):
            principal_components(torch.ones(n, 3), count=count)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(2, 20))
def test_neighbours_are_those_of_all_cosines(seed: int, n: int) -> None:
    features = torch.randn(n, 6, generator=torch.Generator().manual_seed(seed))
    found = nearest_neighbours(features, features[1], count=n - 1, leave_out=1)
    cosines = torch.nn.functional.cosine_similarity(features.double(), features[1].double()[None])
    rest = sorted((i for i in range(n) if i != 1), key=lambda i: -float(cosines[i]))
    assert found.indices.tolist() == rest
    torch.testing.assert_close(found.similarity, cosines[rest])


def test_neighbours_by_hand() -> None:
    features = torch.tensor([[1.0, 0], [0, 0], [2, 2], [0, 5], [-3, 0], [4, 0]])
    found = nearest_neighbours(features, torch.tensor([10.0, 0]), count=6)
    assert found.indices.tolist() == [0, 5, 2, 1, 3, 4]
    assert found.similarity.tolist() == pytest.approx([1, 1, 2**-0.5, 0, 0, -1])
    assert nearest_neighbours(features, features[0], count=1, leave_out=0).indices.tolist() == [5]
    for count in (0, 6):
        with pytest.raises(RequestError, match="neighbours among 5 images"):
            nearest_neighbours(features, features[0], count=count, leave_out=0)
