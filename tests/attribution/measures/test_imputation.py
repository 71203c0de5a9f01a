import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cnnlab.attribution.measures.road import impute, laplacian


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense_solve(image: Tensor, removed: Tensor) -> Tensor:
    """The same equations, one pixel at a time, in a dense matrix."""
    _, height, width = image.shape
    matrix, right = torch.eye(height * width, dtype=torch.float64), image.flatten(1).mT.clone()
    for y, x in removed.nonzero().tolist():
        i = y * width + x
        neighbours = [
            (v * width + u, 1 / 12 if v != y and u != x else 1 / 6)
            for v in range(y - 1, y + 2)
            for u in range(x - 1, x + 2)
            if (v, u) != (y, x) and 0 <= v < height and 0 <= u < width
        ]
        total = sum(weight for _, weight in neighbours)
        right[i] = 0
        for j, weight in neighbours:
            matrix[i, j] = -weight / total
    return torch.linalg.solve(matrix, right).mT.reshape(image.shape)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(2, 8), st.floats(0, 0.95))
def test_it_is_the_dense_solution(seed: int, height: int, width: int, part: float) -> None:
    image = drawn(seed, 3, height, width)
    removed = torch.rand(height, width, generator=torch.Generator().manual_seed(seed)) < part
    removed[seed % height, seed % width] = False
    torch.testing.assert_close(impute(image, removed), dense_solve(image, removed), rtol=0, atol=1e-9)


def test_a_slope_is_continued() -> None:
    """Weights are symmetric, so that inside an image a plane solves the equations exactly."""
    plane = 0.3 * torch.arange(9).double()[:, None] - 0.7 * torch.arange(11).double()[None, :] + 2
    removed = torch.zeros(9, 11, dtype=torch.bool)
    removed[2:7, 3:8] = True
    holed = plane.masked_fill(removed, 99.0)[None]
    torch.testing.assert_close(impute(holed, removed)[0], plane, rtol=0, atol=1e-10)


def test_noise_is_on_imputed_pixels_alone_and_the_image_is_left() -> None:
    image, noise = drawn(1, 2, 6, 6), drawn(2, 2, 6, 6)
    before, removed = image.clone(), torch.rand(6, 6, generator=torch.Generator().manual_seed(3)) < 0.5
    found = impute(image, removed, noise=noise)
    assert torch.equal(image, before)
    assert torch.equal(found[:, ~removed], image[:, ~removed])
    torch.testing.assert_close(found[:, removed], (impute(image, removed) + noise)[:, removed])


def test_values_stay_between_those_that_are_kept() -> None:
    image = drawn(4, 1, 20, 20)
    removed = torch.rand(20, 20, generator=torch.Generator().manual_seed(5)) < 0.9
    found, kept = impute(image, removed)[0], image[0][~removed]
    assert float(found.max()) <= float(kept.max()) + 1e-12
    assert float(found.min()) >= float(kept.min()) - 1e-12


def test_nothing_and_everything() -> None:
    image = drawn(6, 1, 3, 3)
    assert torch.equal(impute(image, torch.zeros(3, 3, dtype=torch.bool)), image)
    with pytest.raises(ValueError, match="nothing left to impute from"):
        impute(image, torch.ones(3, 3, dtype=torch.bool))


def test_weights_inside_sum_to_one_and_rows_to_nothing() -> None:
    matrix = torch.from_numpy(laplacian(5, 6).toarray())
    assert float(matrix.sum(1).abs().max()) < 1e-15
    assert torch.equal(matrix, matrix.mT)
    assert float(matrix[2 * 6 + 3, 2 * 6 + 3]) == pytest.approx(1)
