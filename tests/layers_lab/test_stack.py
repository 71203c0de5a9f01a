"""Shapes and costs against torch run for real; fields and their gaps against gradients in float64."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from networks import small, unchanged
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import cnnlab.models.catalog  # noqa: F401
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.registry import component
from cnnlab.layers_lab.stack import Arithmetic, arithmetic
from cnnlab.layers_lab.unit import LARGEST_PATTERN
from cnnlab.models.build import parameter_count, sequence
from cnnlab.models.layers.convolution import LocallyConnected2d


def stack(*layers: tuple[str, dict[str, object]], shape: tuple[int, ...] = (2, 40, 40)) -> nn.Sequential:
    return sequence([component("layer", name, **options) for name, options in layers], shape, classes=3)[0]


windows = st.one_of(
    st.tuples(
        st.just("conv"),
        st.fixed_dictionaries(
            {
                "channels": st.just(2),
                "kernel": st.tuples(st.sampled_from((1, 3, 5)), st.sampled_from((1, 3))),
                "stride": st.tuples(st.integers(1, 2), st.integers(1, 2)),
                "dilation": st.tuples(st.integers(1, 3), st.integers(1, 3)),
                "padding": st.sampled_from(("same", 0, (1, 2))),
            }
        ),
    ),
    st.tuples(st.just("avg_pool"), st.fixed_dictionaries({"kernel": st.integers(1, 3)})),
    st.tuples(st.just("depthwise_separable"), st.fixed_dictionaries({"channels": st.just(2)})),
)


def read_by(network: nn.Module, shape: tuple[int, ...], *, all_units: bool = False) -> tuple[Tensor, Tensor]:
    """(rows, columns) of the input that the central unit, or any, depends on; no weight is negative: none cancels."""
    network = network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0)
    image = torch.ones(1, *shape, dtype=torch.float64, requires_grad=True)
    output = network(image)
    wanted = output if all_units else output[:, :, output.shape[2] // 2, output.shape[3] // 2]
    (gradient,) = torch.autograd.grad(wanted.sum(), image)
    plane = gradient[0].abs().sum(0) > 0
    return plane.any(1).nonzero()[:, 0], plane.any(0).nonzero()[:, 0]


@settings(deadline=None, max_examples=25)
@given(st.lists(windows, min_size=1, max_size=3))
def test_the_field_and_its_gaps_are_those_of_the_gradient(layers) -> None:
    shape = (2, 160, 160)  # large enough that no border cuts the central unit's field
    network = stack(*layers, shape=shape)
    found = arithmetic(network, shape)
    assert found.unit is not None
    assert found.unit.exact
    rows, columns = read_by(network, shape)
    assert found.unit.size == (int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)
    assert found.unit.rows == tuple((rows - rows[0]).tolist())
    assert found.unit.columns == tuple((columns - columns[0]).tolist())
    assert found.unit.taps == len(rows) * len(columns)
    assert found.unit.density == pytest.approx(found.unit.taps / (found.unit.size[0] * found.unit.size[1]))
    pattern = found.unit.pattern
    assert pattern is not None
    assert sum(map(sum, pattern)) == found.unit.taps


@settings(deadline=None, max_examples=25)
@given(st.lists(windows, min_size=1, max_size=3), st.integers(32, 41), st.integers(32, 41))
def test_what_no_window_reads_has_no_gradient(layers, height, width) -> None:
    shape = (2, height, width)
    network = stack(*layers, shape=shape)
    found = arithmetic(network, shape)
    rows, columns = read_by(network, shape, all_units=True)
    assert found.unread == (height - len(rows), width - len(columns))


@settings(deadline=None, max_examples=25)
@given(st.lists(windows, min_size=1, max_size=3))
def test_shapes_costs_and_memory_are_torchs(layers) -> None:
    shape = (2, 40, 37)
    try:
        network = stack(*layers, ("global_avg_pool", {}), ("linear", {}), shape=shape)
    except RequestError:
        assume(False)  # a window that does not fit what the ones before it left
    found = arithmetic(network, shape)
    outputs: list[int] = []
    leaves = [module for module in network.modules() if not any(True for _ in module.children())]
    hooks = [leaf.register_forward_hook(lambda m, i, o: outputs.append(o.numel())) for leaf in leaves]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        result = network(torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    assert found.output == tuple(result.shape[1:]) == (3,)
    assert found.macs == counter.get_total_flops() // 2 == sum(part.macs for part in found.parts)
    assert found.weights + found.biases == parameter_count(network)
    assert found.activation_values == sum(outputs)
    assert found.activation_bytes == 4 * sum(outputs)
    assert sum(part.weights for part in found.parts) == found.weights
    assert sum(part.biases for part in found.parts) == found.biases


def one(name: str, shape: tuple[int, ...] = (3, 32, 32), **options: object) -> Arithmetic:
    return arithmetic(stack((name, options), shape=shape), shape)


def test_a_convolution_by_hand() -> None:
    found = one("conv", channels=16, stride=2, padding=1)
    assert (found.output, found.weights, found.biases) == ((16, 16, 16), 432, 16)
    assert (found.macs, found.places, found.macs_per_pixel) == (432 * 256, 256, 432)
    assert found.peak_bytes == 4 * (3 * 32 * 32 + 16 * 16 * 16)
    assert found.unit is not None
    assert (found.unit.size, found.unit.stride, found.unit.padding) == ((3, 3), (2.0, 2.0), (1.0, 1.0))


def test_dilation_spreads_nine_taps() -> None:
    unit = one("conv", channels=1, dilation=2).unit
    assert unit is not None
    assert (unit.size, unit.taps, unit.rows, unit.density) == ((5, 5), 9, (0, 2, 4), pytest.approx(9 / 25))


def test_parameters_do_not_depend_on_the_image_and_activations_do() -> None:
    thumbnail, photo = one("conv", channels=16), one("conv", (3, 4096, 4096), channels=16)
    assert thumbnail.weights + thumbnail.biases == photo.weights + photo.biases == 448
    assert photo.macs == thumbnail.macs * 128**2
    assert photo.activation_bytes == thumbnail.activation_bytes * 128**2


def test_a_pool_discards_and_has_no_weights() -> None:
    found = one("max_pool", (1, 8, 8))
    assert (found.weights, found.macs, found.output_values) == (0, 0, 16)


def test_a_field_that_is_cut_by_every_border_is_told_from_one_that_is_not() -> None:
    cut = arithmetic(nn.Sequential(LocallyConnected2d((1, 4, 4), 1, (5, 5), padding=(2, 2))), (1, 4, 4)).unit
    assert cut is not None
    assert (cut.size, cut.exact) == ((4, 4), False)
    whole = one("conv", (1, 3, 3), channels=1, kernel=5).unit
    assert whole is not None
    assert (whole.size, whole.exact) == ((5, 5), True)


def test_a_unit_that_sees_everything_has_no_pattern() -> None:
    unit = one("global_avg_pool").unit
    assert unit is not None
    assert (unit.is_global, unit.size, unit.pattern, unit.taps, unit.stride) == (True, (32, 32), None, None, None)


def test_a_large_field_has_its_size_only() -> None:
    side = LARGEST_PATTERN + 2
    unit = one("conv", channels=1, kernel=side, padding=0, shape=(1, 99, 99)).unit
    assert unit is not None
    assert (unit.size, unit.pattern) == ((side, side), None)


def test_a_flat_input_has_no_field() -> None:
    found = arithmetic(nn.Sequential(nn.Linear(12, 5)), (12,))
    assert (found.unit, found.macs, found.weights, found.biases, found.macs_per_pixel) == (None, 60, 60, 5, None)


def test_nonlinearities_are_counted_in_composites_too() -> None:
    shape = (2, 16, 16)
    layers = [("conv_bn_act", {"channels": 4}), ("repeat", {"times": 3, "layers": ["relu"]}), ("tanh", {})]
    assert arithmetic(stack(*layers, shape=shape), shape).nonlinearities == 5


def test_reshaping_costs_no_memory_and_a_sum_does() -> None:
    assert one("flatten", (2, 4, 4)).activation_values == 0
    found = one("residual", (2, 4, 4), layers=["relu"], activation="none")
    assert found.activation_values == 2 * 32  # the ReLU's output and the sum


def test_the_model_is_as_it_was() -> None:
    model = small(inplace=False)
    with unchanged(model):
        arithmetic(model, (3, 16, 16))
    with unchanged(model), pytest.raises(WorkError, match="conv1"):
        arithmetic(model, (4, 16, 16))


def test_on_the_meta_device_a_terabyte_costs_nothing() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(2**20, 2**20))
    assert arithmetic(model, (2**20,)).weights == 2**40


def test_products_that_nobody_can_count_are_said() -> None:
    class Spectrum(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.rfft2(x).abs()

    found = arithmetic(nn.Sequential(nn.Conv2d(3, 2, 1), Spectrum()), (3, 4, 4))
    assert (found.macs, found.uncounted) == (96, ("_fft_r2c",))
