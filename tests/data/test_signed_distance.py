import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from cnnlab.data.signed_distance import SHAPES, polygon

GRID = torch.linspace(-1.6, 1.6, 81)


def grid() -> tuple[torch.Tensor, torch.Tensor]:
    y, x = torch.meshgrid(GRID, GRID, indexing="ij")
    return x[None], y[None]


@given(st.integers(3, 9), st.integers(0, 2**31))
@settings(deadline=None, max_examples=25)
def test_a_polygon_agrees_with_matplotlib_and_with_points_sampled_on_its_outline(corners: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    angles = (torch.arange(corners) + 0.8 * torch.rand(corners, generator=draw)) * math.tau / corners
    radii = 0.3 + torch.rand(corners, generator=draw)
    vertices = torch.stack([radii * angles.cos(), radii * angles.sin()], 1)
    x, y = grid()
    distance = polygon([(a, b) for a, b in vertices.tolist()])(x, y)
    points = torch.stack([x.flatten(), y.flatten()], 1)
    inside = torch.from_numpy(Outline(vertices.numpy()).contains_points(points.numpy())).view_as(distance)
    clear = distance.abs() > 1e-4
    assert torch.equal((distance < 0)[clear], inside[clear])
    steps = torch.linspace(0, 1, 400)[:, None, None]
    outline = (vertices + steps * (vertices.roll(1, 0) - vertices)).flatten(0, 1)
    torch.testing.assert_close(distance.abs().flatten(), torch.cdist(points, outline).amin(1), atol=0.01, rtol=0)


@pytest.mark.parametrize("name", SHAPES)
def test_a_distance_never_changes_faster_than_one_per_unit(name: str) -> None:
    distance = SHAPES[name](*grid())
    step = float(GRID[1] - GRID[0])
    for axis in (1, 2):
        assert distance.diff(dim=axis).abs().max() <= step * 1.001


@pytest.mark.parametrize("name", SHAPES)
def test_distances_near_the_outline_are_true_so_that_edges_are_one_pixel_wide(name: str) -> None:
    distance = SHAPES[name](*grid())[0]
    step = float(GRID[1] - GRID[0])
    slope = torch.hypot(*(d[1:-1, 1:-1] for d in torch.gradient(distance, spacing=step)))
    near = (distance.abs() < 2 * step)[1:-1, 1:-1]
    assert slope[near].median() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_centred_and_about_as_large_as_the_unit_disc(name: str) -> None:
    x, y = grid()
    inside = SHAPES[name](x, y) < 0
    assert torch.hypot(x, y)[inside].max() < 1.12
    assert 0.9 < float(inside.sum()) * float(GRID[1] - GRID[0]) ** 2 < 2.6
    assert torch.hypot(x[inside].mean(), y[inside].mean()) < 0.35
