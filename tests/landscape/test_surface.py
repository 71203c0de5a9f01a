"""The loss around weights: its centre is the network's own, and scaling layers against each other changes nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import unchanged
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.landscape.directions import filter_normalised, filters_of, random_direction
from cnnlab.landscape.grid_file import Grid, read_grid, write_grid
from cnnlab.landscape.path import principal_path
from cnnlab.landscape.surface import Images, Plane, losses, take_statistics


def network(*, norm: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    between = [nn.BatchNorm2d(6)] if norm else []
    layers = [nn.Conv2d(3, 6, 3), *between, nn.ReLU(), nn.Conv2d(6, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, 4)]
    return nn.Sequential(*layers).double().eval()


def images(count: int = 20, batch: int = 8) -> Images:
    torch.manual_seed(1)
    return Images(torch.randn(count, 3, 8, 8, dtype=torch.float64), torch.randint(4, (count,)), batch)


def plane_of(model: nn.Module) -> Plane:
    origin = {name: one.clone() for name, one in filters_of(model).items()}
    return Plane(origin, random_direction(origin, 0), random_direction(origin, 1))


PLACES = [(0.0, 0.0), (0.5, -0.25), (-1.0, 1.0), (0.0, 2.0)]


def test_each_filter_of_a_direction_is_as_long_as_that_of_the_network() -> None:
    origin = filters_of(network())
    drawn = random_direction(origin, 3)
    for name, weight in origin.items():
        ours, theirs = (one.flatten(1).norm(dim=1) for one in (drawn[name], weight))
        assert torch.allclose(ours, theirs)
        assert not torch.allclose(drawn[name], random_direction(origin, 4)[name])
    assert "0.bias" not in drawn


def test_a_filter_of_zeros_stays_where_it_is() -> None:
    assert torch.equal(filter_normalised(torch.ones(2, 3), torch.zeros(2, 3)), torch.zeros(2, 3))
    assert torch.equal(filter_normalised(torch.zeros(2, 3), torch.ones(2, 3)), torch.zeros(2, 3))


@given(factor=st.floats(0.1, 10))
@settings(max_examples=8)
def test_scaling_a_relu_layer_and_the_next_one_back_leaves_the_surface_as_it_was(factor: float) -> None:
    """Li et al. 2018, section 4: what filter normalisation is for."""
    model, other = network(), network()
    with torch.no_grad():
        for one in other[0].parameters():
            one.mul_(factor)
        other[2].weight.div_(factor)  # type: ignore[union-attr,operator]
    ours, theirs = (list(losses(one, plane_of(one), PLACES, images(), retake=False)) for one in (model, other))
    assert theirs == pytest.approx(ours, rel=1e-9)
    assert len(set(ours)) == len(PLACES)


def test_the_centre_is_the_loss_of_the_network_and_nothing_is_left_behind() -> None:
    model, some = network(norm=True), images()
    with unchanged(model):
        centre, *others = losses(model, plane_of(model), PLACES, some, retake=False)
        list(losses(model, plane_of(model), PLACES, some, retake=True))
    own = nn.functional.cross_entropy(model.eval()(some.inputs), some.labels)
    assert centre == pytest.approx(own.item(), rel=1e-12)
    assert all(other != centre for other in others)


def test_retaken_statistics_are_the_mean_over_batches() -> None:
    model, some = network(norm=True), images(count=16, batch=8)
    take_statistics(model, some)
    norm, maps = model[1], model[0](some.inputs)
    assert isinstance(norm, nn.BatchNorm2d)
    batches = maps.split(8)
    assert torch.allclose(norm.running_mean, torch.stack([one.mean((0, 2, 3)) for one in batches]).mean(0))  # type: ignore[arg-type]
    assert torch.allclose(norm.running_var, torch.stack([one.var((0, 2, 3)) for one in batches]).mean(0))  # type: ignore[arg-type]
    assert (norm.momentum, norm.training) == (0.1, False)


def test_with_statistics_of_its_own_a_scaled_layer_before_batch_norm_changes_nothing() -> None:
    model, some = network(norm=True), images(batch=20)
    plane = plane_of(model)
    first = {name: one * (name == "0.weight") for name, one in plane.origin.items()}
    grown = Plane(plane.origin, first, plane.along)
    with torch.no_grad():
        model[0].bias.zero_()  # type: ignore[union-attr,operator]
        model[1].eps = 1e-30  # type: ignore[assignment]
    here, there = losses(model, grown, [(0.0, 0.0), (3.0, 0.0)], some, retake=True)
    kept_here, kept_there = losses(model, grown, [(0.0, 0.0), (3.0, 0.0)], some, retake=False)
    assert there == pytest.approx(here, rel=1e-9)
    assert abs(kept_there - kept_here) > 1e-3


def test_a_network_without_weights_has_no_direction() -> None:
    with pytest.raises(RequestError, match="no convolution and no linear layer"):
        filters_of(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)))


def points(count: int, rank: int) -> tuple[dict[str, Tensor], list[dict[str, Tensor]]]:
    """Weights whose differences from the final ones span `rank` dimensions."""
    generator = torch.Generator().manual_seed(count)
    shapes = {"a": (4, 3), "b": (2, 5)}
    final = {name: torch.randn(shape, generator=generator).double() for name, shape in shapes.items()}
    basis = [{n: torch.randn(s, generator=generator).double() for n, s in shapes.items()} for _ in range(rank)]
    by = torch.randn(count, rank, generator=generator).double()
    return final, [
        {n: final[n] + sum(by[t, k] * basis[k][n] for k in range(rank)) for n in final} for t in range(count)
    ]


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (4, 1), (5, 2), (6, 4)])
def test_the_plane_of_a_path_holds_it_as_far_as_two_dimensions_can(count: int, rank: int) -> None:
    final, weights = points(count, rank)
    path = principal_path(final, count, weights.__getitem__)
    flat = torch.stack([torch.cat([(w[n] - final[n]).flatten() for n in final]) for w in weights])
    values = torch.linalg.svdvals(flat) ** 2
    shares = [*(values / values.sum()).tolist(), 0.0]
    assert path.shares == pytest.approx((shares[0], shares[1]), abs=1e-9)
    axes = torch.stack([torch.cat([one[n].flatten() for n in final]) for one in path.directions])
    places = torch.tensor(path.places)
    assert torch.allclose(places.double(), flat @ axes.T, atol=1e-6)
    if rank <= 2:
        assert torch.allclose(places.double() @ axes, flat, atol=1e-6)


def test_a_path_that_stands_still_is_none() -> None:
    final, _ = points(1, 1)
    with pytest.raises(RequestError, match="no path"):
        principal_path(final, 3, lambda _: final)


def test_a_grid_is_read_back_only_for_what_it_was_made_of(tmp_path: Path) -> None:
    path, key = tmp_path / "grid.npz", {"weights": "abc", "seed": 0}
    grid = Grid.empty(np.linspace(-1, 1, 3), np.linspace(-2, 2, 5))
    grid.losses[:2] = 1.5
    grid.losses[2, 0] = np.inf
    assert read_grid(path, key) is None
    write_grid(path, grid, key)
    found: Any = read_grid(path, key)
    assert np.array_equal(found.losses, grid.losses, equal_nan=True)
    assert read_grid(path, {**key, "seed": 1}) is None
    path.write_bytes(path.read_bytes()[:50])
    assert read_grid(path, key) is None
