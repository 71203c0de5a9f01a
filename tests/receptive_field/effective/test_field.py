import math

import pytest
import torch
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.receptive_field.effective.field import EffectiveField, effective_field, random_weight_fields
from cnnlab.receptive_field.effective.measures import THRESHOLD, Measures, measure


def uniform_stack(layers: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    """`layers` convolutions of one channel whose weights are all 1/k²; float64."""
    padding = dilation * (kernel // 2)
    net = nn.Sequential(
        *(nn.Conv2d(1, 1, kernel, padding=padding, dilation=dilation, bias=False) for _ in range(layers))
    ).double()
    for parameter in net.parameters():
        parameter.data.fill_(1 / kernel**2)
    return net


def theoretical(layers: int, kernel: int) -> int:
    return layers * (kernel - 1) + 1


def stack_field(layers: int, kernel: int) -> EffectiveField:
    """On a canvas that is larger than the theoretical field."""
    size = theoretical(layers, kernel) + 8
    image = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    *_, field = effective_field(uniform_stack(layers, kernel), image, layer=None)
    return field


def measured(field: EffectiveField, layers: int, kernel: int) -> Measures:
    side = theoretical(layers, kernel)
    return measure(field.influence, centre=field.centre, theoretical=(side, side))


def side_of(field: EffectiveField) -> float:
    """√count of the pixels above the threshold's share of the largest: steadier than of a central one."""
    return math.sqrt(int((field.influence > THRESHOLD * field.influence.max()).sum()))


@pytest.mark.parametrize(("layers", "kernel"), [(1, 3), (4, 3), (12, 3), (5, 5), (3, 7)])
def test_a_linear_stack_is_the_convolution_of_its_kernels(layers: int, kernel: int) -> None:
    row = torch.ones(1, 1, 1, dtype=torch.float64)
    for _ in range(layers):
        row = nn.functional.conv1d(row, torch.full((1, 1, kernel), 1 / kernel, dtype=torch.float64), padding=kernel - 1)
    field = stack_field(layers, kernel)
    expected = nn.functional.pad(torch.outer(row[0, 0], row[0, 0]), (4, 4, 4, 4))
    torch.testing.assert_close(field.influence, expected, rtol=1e-10, atol=1e-18)


# n-fold convolution of 3 × 3 equal weights, threshold 4.55 % (Luo et al. 2016): layers, theoretical side, effective
# side, ratio, σ.
THREES = [
    (1, 3, 3.00, 1.000, 0.8165),
    (5, 11, 8.31, 0.755, 1.8257),
    (10, 21, 11.70, 0.557, 2.5820),
    (20, 41, 16.16, 0.394, 3.6515),
    (40, 81, 22.74, 0.281, 5.1640),
    (80, 161, 32.26, 0.200, 7.3030),
]


@pytest.mark.parametrize(("layers", "full", "side", "ratio", "sigma"), THREES)
def test_known_values_of_stacks_of_threes(layers: int, full: int, side: float, ratio: float, sigma: float) -> None:
    found = measured(stack_field(layers, 3), layers, 3)
    assert found.theoretical == (full, full)
    assert found.extent is not None
    assert found.extent.side == pytest.approx(side, abs=0.005)
    assert not found.extent.reaches_border
    assert found.ratio == pytest.approx(ratio, abs=0.0005)
    for axis in (found.gaussian.sigma_h, found.gaussian.sigma_w, found.gaussian.sigma_long, found.gaussian.sigma_short):
        assert axis == pytest.approx(sigma, abs=0.00005)
        assert axis == pytest.approx(math.sqrt(layers * 8 / 12), rel=1e-9)
    assert found.gaussian.orientation is None
    if layers >= 5:
        assert found.gaussian.r_squared is not None
        assert found.gaussian.r_squared > 0.997
        assert found.extent.side == pytest.approx(4.406 * sigma, rel=0.035)


@pytest.mark.parametrize(
    ("kernel", "sides"), [(5, (13.89, 19.82, 28.02)), (7, (20.12, 28.02, 39.56))], ids=["fives", "sevens"]
)
def test_known_values_of_larger_kernels(kernel: int, sides: tuple[float, ...]) -> None:
    for layers, side in zip((5, 10, 20), sides, strict=True):
        found = measured(stack_field(layers, kernel), layers, kernel)
        assert found.extent is not None
        assert found.extent.side == pytest.approx(side, abs=0.005)
        assert found.gaussian.sigma_h == pytest.approx(math.sqrt(layers * (kernel**2 - 1) / 12), rel=1e-9)


def test_the_side_grows_as_the_root_of_the_depth() -> None:
    """Slopes on double logarithmic axes over 5 … 80 layers: near ½ and −½."""
    depths = [layers for layers, *_ in THREES[1:]]
    found = [measured(stack_field(layers, 3), layers, 3) for layers in depths]

    def slope(values: list[float]) -> float:
        x = [math.log(depth) - sum(map(math.log, depths)) / len(depths) for depth in depths]
        return sum(a * math.log(value) for a, value in zip(x, values, strict=True)) / sum(a * a for a in x)

    assert slope([m.extent.side for m in found if m.extent]) == pytest.approx(0.487, abs=0.0005)
    assert slope([m.ratio for m in found if m.ratio]) == pytest.approx(-0.482, abs=0.0005)


def rectified() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace=True)
    ).double()


def test_running_fields_are_averages_of_what_was_seen() -> None:
    images = torch.randn(7, 2, 9, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    fields = list(effective_field(rectified(), images, layer="3", max_batch=3))
    assert [(field.done, field.total) for field in fields] == [(3, 7), (6, 7), (7, 7)]
    for field in fields:
        one_by_one = [list(effective_field(rectified(), image[None], layer="3"))[-1] for image in images[: field.done]]
        expected = torch.stack([single.influence for single in one_by_one]).mean(0)
        torch.testing.assert_close(field.influence, expected, rtol=1e-10, atol=1e-15)
    assert (fields[0].input_channels, fields[0].centre) == (2, (4.0, 4.0))
    assert not torch.equal(fields[0].influence, fields[-1].influence)


def test_requests_are_refused_before_the_first_step() -> None:
    image = torch.randn(1, 2, 9, 9, dtype=torch.float64)
    with pytest.raises(RequestError, match="no layer '7'"):
        effective_field(rectified(), image, layer="7")
    with pytest.raises(RequestError, match="max_batch 0"):
        effective_field(rectified(), image, layer="3", max_batch=0)
    with pytest.raises(RequestError, match="count 0: at least one network"):
        random_weight_fields(lambda seed: rectified(), (2, 9, 9), count=0, seed=0, layer=None)


def test_a_dead_unit_is_told() -> None:
    net = rectified()
    net[2].bias.data.fill_(-1e6)
    with pytest.raises(WorkError, match=r"no pixel has an influence on unit \(4, 4\) of layer '3' in 1 image"):
        list(effective_field(net, torch.randn(1, 2, 9, 9, dtype=torch.float64), layer="3"))


@pytest.mark.parametrize(
    ("net", "size"),
    [
        (nn.Conv2d(1, 1, 3, padding=1), 9),
        (nn.Conv2d(1, 1, 5), 11),
        (nn.Sequential(nn.AvgPool2d(2), nn.AvgPool2d(2)), 16),
        (nn.Conv2d(1, 1, 4, stride=4), 12),
        (nn.Conv2d(1, 1, 4, stride=2, padding=1), 12),
    ],
    ids=["same", "valid", "pools", "patches", "even"],
)
def test_the_centre_is_the_middle_of_the_symmetric_windows(net: nn.Module, size: int) -> None:
    image = torch.randn(1, 1, size, size, dtype=torch.float64)
    *_, field = effective_field(net.double(), image, layer=None)
    rows, columns = field.influence.nonzero().double().T
    assert field.centre == (float(rows.min() + rows.max()) / 2, float(columns.min() + columns.max()) / 2)


class Residual(nn.Module):
    """Two convolutions whose result is added to their input."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


def network(seed: int, *, skip: bool = False, dilation: int = 1, relu: bool = True, blocks: int = 4) -> nn.Module:
    """A 3 × 3 convolution, then blocks of two with `dilation`; random weights (He) that depend on the seed alone."""
    generator = torch.Generator().manual_seed(seed)

    def conv(inputs: int, dilation: int) -> nn.Module:
        # Without torch's own initialisation, which draws from the global generator.
        layer = nn.utils.skip_init(nn.Conv2d, inputs, 8, 3, padding=dilation, dilation=dilation, bias=False)
        layer.weight.data.normal_(0, math.sqrt(2 / (9 * inputs)), generator=generator)
        return layer

    def body() -> list[nn.Module]:
        return [conv(8, dilation), nn.ReLU(inplace=True) if relu else nn.Identity(), conv(8, dilation)]

    return nn.Sequential(conv(1, 1), *(Residual(*body()) if skip else nn.Sequential(*body()) for _ in range(blocks)))


def averaged(seed: int, *, count: int = 12, **options: bool | int) -> EffectiveField:
    *_, field = random_weight_fields(
        lambda weights: network(weights, **options),  # type: ignore[arg-type]
        (1, 41, 41),
        count=count,
        seed=seed,
        layer=None,
    )
    return field


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("relu", [True, False], ids=["relu", "linear"])
def test_skip_connections_shrink_the_field(seed: int, relu: bool) -> None:
    plain, skipped = averaged(seed, relu=relu), averaged(seed, relu=relu, skip=True)
    assert side_of(skipped) < 0.95 * side_of(plain)
    assert measure(skipped.influence).gaussian.sigma_long < measure(plain.influence).gaussian.sigma_long


@pytest.mark.parametrize("seed", range(5))
def test_dilation_enlarges_the_field(seed: int) -> None:
    """σ² = (1 + 8 d²) · 2/3 with one dense layer before eight of dilation d: σ grows by √(33/9)."""
    dense, dilated = averaged(seed), averaged(seed, dilation=2)
    assert side_of(dilated) > 1.5 * side_of(dense)
    growth = measure(dilated.influence).gaussian.sigma_h / measure(dense.influence).gaussian.sigma_h
    assert growth == pytest.approx(math.sqrt(33 / 9), rel=0.15)


def test_the_holes_of_a_dilated_stack_are_seen() -> None:
    """Dilation 2 everywhere reads every other pixel: as many as without, in twice the box."""
    dense = measured(stack_field(10, 3), 10, 3)
    *_, field = effective_field(uniform_stack(10, 3, dilation=2), torch.zeros(1, 1, 49, 49).double(), layer=None)
    dilated = measure(field.influence, centre=field.centre)
    assert dense.extent is not None
    assert dilated.extent is not None
    assert dilated.extent.pixels == dense.extent.pixels
    assert dilated.extent.box == tuple(2 * side - 1 for side in dense.extent.box)
    assert dilated.gaussian.sigma_h == pytest.approx(2 * dense.gaussian.sigma_h)


@pytest.mark.parametrize("seed", range(3))
def test_depth_enlarges_the_field_less_than_in_proportion(seed: int) -> None:
    shallow, deep = side_of(averaged(seed, blocks=2)), side_of(averaged(seed, blocks=8))
    assert 1.2 * shallow < deep < 17 / 5 * shallow


def test_random_weights_follow_from_the_seed_alone() -> None:
    torch.manual_seed(0)
    once = averaged(4, count=3)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    again, other = averaged(4, count=3), averaged(5, count=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(once.influence, again.influence)
    assert not torch.equal(once.influence, other.influence)


def test_random_weight_fields_average_over_networks_and_inputs() -> None:
    nets: list[nn.Module] = []

    def make(seed: int) -> nn.Module:
        nets.append(network(seed, relu=False, blocks=1).double())
        return nets[-1]

    fields = list(random_weight_fields(make, (1, 9, 9), count=3, seed=0, layer=None))
    assert [(field.done, field.total) for field in fields] == [(1, 3), (2, 3), (3, 3)]
    # Without rectifiers the gradient does not depend on the inputs: each network's map is that of any image.
    image = torch.ones(1, 1, 9, 9, dtype=torch.float64)
    maps = [list(effective_field(net, image, layer=None))[-1].influence for net in nets]
    torch.testing.assert_close(fields[-1].influence, torch.stack(maps).mean(0), rtol=1e-10, atol=1e-15)


def test_each_network_has_inputs_of_its_own_from_the_standard_normal_distribution() -> None:
    seen: list[Tensor] = []

    def make(seed: int) -> nn.Module:
        net = network(seed, blocks=0).bfloat16()
        net.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().double()))
        return net

    list(random_weight_fields(make, (1, 20, 20), count=4, seed=0, layer=None))
    drawn = torch.cat([batch for batch in seen if not batch.is_meta]).unique(dim=0)
    assert len(drawn) == 4
    assert float(drawn.mean()) == pytest.approx(0, abs=0.06)
    assert float(drawn.std()) == pytest.approx(1, abs=0.05)


def test_random_weight_maps_tend_to_the_gaussian_of_their_depth() -> None:
    """Weights of mean 0: variances of the gradient spread as with equal weights, σ² = 2n/3, since E[g²] convolves."""
    squares = torch.zeros(25, 25, dtype=torch.float64)
    for seed in range(300):
        net = network(seed, relu=False, blocks=1).double()
        image = torch.zeros(1, 1, 25, 25, dtype=torch.float64)
        squares += list(effective_field(net, image, layer=None))[-1].influence ** 2
    assert measure(squares).gaussian.sigma_h == pytest.approx(math.sqrt(3 * 2 / 3), rel=0.03)
