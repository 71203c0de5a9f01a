"""The exact search in parts, against every cosine at once in float64 and against scikit-learn."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from cnnlab.stats.nearest import NearestSearch, Neighbours


def searched(
    bank: torch.Tensor, queries: torch.Tensor, count: int, size: int, own: list[int]
) -> tuple[Neighbours, ...]:
    search = NearestSearch(queries, count, leave_out=torch.tensor(own))
    for first in range(0, len(bank), size):
        search.add(bank[first : first + size], first)
    return search.found


@given(
    st.lists(st.lists(st.integers(-2, 2).map(float), min_size=3, max_size=3), min_size=1, max_size=12),
    st.integers(1, 14),
    st.integers(1, 5),
    st.lists(st.integers(-1, 11), min_size=2, max_size=2),
)
def test_the_nearest_are_those_of_all_cosines_in_float64(
    rows: list[list[float]], count: int, size: int, own: list[int]
) -> None:
    bank, queries = torch.tensor(rows), torch.tensor([[1.0, -0.5, 2.0], [0.0, 0.0, 0.0]])
    for query, out, found in zip(queries, own, searched(bank, queries, count, size, own), strict=True):
        lengths = np.linalg.norm(bank.double(), axis=1) * np.linalg.norm(query.double())
        dots = bank.double().numpy() @ query.double().numpy()
        cosine = np.divide(dots, lengths, out=np.zeros(len(rows)), where=lengths > 0)
        left = np.delete(np.arange(len(rows)), [out] if 0 <= out < len(rows) else [])
        expected = left[np.argsort(-cosine[left], kind="stable")][:count]
        np.testing.assert_allclose(found.similarity, cosine[expected], atol=1e-12)
        np.testing.assert_allclose(cosine[found.indices], cosine[expected], atol=1e-12)
        assert len(set(found.indices.tolist())) == len(expected)
        assert out not in found.indices.tolist()


def test_the_nearest_are_scikit_learns_and_among_equals_the_first() -> None:
    generator = torch.Generator().manual_seed(0)
    bank, queries = torch.randn(200, 16, generator=generator), torch.randn(5, 16, generator=generator)
    oracle = NearestNeighbors(n_neighbors=7, metric="cosine", algorithm="brute").fit(bank.double())
    distance, rows = oracle.kneighbors(queries.double())
    for i, found in enumerate(searched(bank, queries, 7, 64, [-1] * 5)):
        assert found.indices.tolist() == rows[i].tolist()
        np.testing.assert_allclose(1 - found.similarity.numpy(), distance[i], atol=1e-12)
    (twice,) = searched(torch.ones(6, 2), torch.ones(1, 2), 4, 3, [1])
    assert twice.indices.tolist() == [0, 2, 3, 4]
