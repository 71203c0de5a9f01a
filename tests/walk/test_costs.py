"""Costs against closed forms, against torchinfo where it counts right, and against torch's autograd."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchinfo
import torchvision
from torch import Tensor, nn
from torch.ao.nn.quantized.dynamic import Linear as DynamicLinear
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.utils.flop_counter import FlopCounterMode

from cnnlab.layers_lab.summary.run import training_memory
from cnnlab.view.layer_rows import at_depth
from cnnlab.walk.costs import Costs, axes_of, layer_costs
from cnnlab.walk.walker import walk


def costs(model: nn.Module, *shape: int, **options: bool) -> Costs:
    found = layer_costs(model, walk(model, shape, count=True, **options), training_memory(model, shape))
    check_sums(found)
    return found


def check_sums(found: Costs) -> None:
    """At whatever depth a table is cut, its rows sum to the totals."""
    rows = found.rows
    tables = [at_depth(rows, depth) for depth in range(1, max((row.depth for row in rows), default=0) + 1)]
    for table in [*tables, at_depth(rows), [row for row in rows if row.leaf]]:
        assert sum(row.parameters for row in table) == found.parameters
        assert sum(row.unused for row in table) == found.unused
        assert sum(row.macs for row in table) == found.macs
        assert any(row.macs_at_least for row in table) == bool(found.uncounted)
        if found.training_bytes is not None:
            assert sum(row.saved_bytes or 0 for row in table) == found.training_bytes
    names = [row.name for row in found.layers]
    assert len(set(names)) == len(names)


def test_smallcnn_of_the_chapter() -> None:
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((3, 32, 1), (32, 32, 2), (32, 64, 1), (64, 64, 2), (64, 128, 1), (128, 128, 2)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))
    found = costs(model, 3, 32, 32)
    assert (found.parameters, found.macs) == (288_746, 17_401_088)
    by_layer = [layer.macs for layer in found.layers if layer.kind == "Conv2d"]
    stages = [a + b for a, b in zip(by_layer[::2], by_layer[1::2], strict=True)]
    assert stages == [3_244_032, 7_077_888, 7_077_888]
    assert sum(layer.parameters for layer in found.layers if layer.leaf) == 288_746


def test_table_of_the_chapter() -> None:
    """32 × 32 to 32 × 32 with 3 × 3, one channel: dense 1,048,576, locally connected 9,216, convolution 9."""
    (layer, _) = costs(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, bias=False)), 1, 32, 32).layers
    assert (layer.dense_weights, layer.local_weights, layer.weights) == (1_048_576, 9_216, 9)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet121"])
def test_torchinfo_counts_the_same_where_it_counts_right(name: str) -> None:
    model = torchvision.models.get_model(name, weights=None)
    theirs = torchinfo.summary(model, (1, 3, 64, 64), verbose=0, device="cpu")
    ours = costs(model, 3, 64, 64)
    assert ours.parameters == theirs.total_params
    convolutions = [info for info in theirs.summary_list if isinstance(info.module, nn.Conv2d)]
    assert [layer.macs for layer in ours.layers if layer.kind == "Conv2d"] == [info.macs for info in convolutions]


def test_attention_and_functions_are_counted() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            tokens = x.flatten(2).transpose(1, 2)
            mixed: Tensor = self.mix(tokens, tokens, tokens)[0]
            return nn.functional.linear(mixed, self.mix.out_proj.weight)

    tokens, width = 16, 8
    projections = 4 * tokens * width * width
    products = 2 * tokens * tokens * width
    again = tokens * width * width
    assert costs(Attention(), 8, 4, 4).macs == projections + products + again


def test_shared_weights_count_once_and_are_marked() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Conv2d(2, 2, 3, padding=1)
            self.two = nn.Conv2d(2, 2, 3, padding=1)
            self.two.weight = self.one.weight

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.two(self.one(self.one(x)))
            return result

    found = costs(Twice(), 2, 8, 8)
    rows = {layer.name: layer for layer in found.layers}
    assert found.parameters == 36 + 2 + 2
    assert (rows["one"].parameters, rows["one"].shared) == (38, 0)
    assert (rows["one (2)"].parameters, rows["one (2)"].shared) == (0, 38)
    assert (rows["two"].parameters, rows["two"].shared) == (2, 36)
    assert found.macs == 3 * 36 * 64


class Inner(nn.Module):
    """Everything that is in no layer of its own."""

    def __init__(self, shared: nn.Module) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 4, 1, 1))
        self.scales = nn.ParameterList([torch.ones(4, 1, 1), torch.ones(4, 1, 1)])
        self.named = nn.ParameterDict({"a": torch.ones(1)})
        self.spare = nn.Linear(3, 3)
        self.lone = nn.Parameter(torch.ones(7))
        self.convs = nn.ModuleList([nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)])
        self.spectral = parametrizations.spectral_norm(nn.Conv2d(4, 4, 1))
        self.weighted = parametrizations.weight_norm(nn.Conv2d(4, 4, 1))
        self.mix = nn.MultiheadAttention(4, 2, batch_first=True)
        self.twin = shared
        self.act = nn.ReLU()
        self.register_buffer("packed", torch.zeros(9, dtype=torch.int8))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.act(self.convs[0](x + self.token) * self.scales[0]) * self.scales[1] * self.named["a"]
        x = self.act(self.twin(self.weighted(self.spectral(x))))
        tokens = x.flatten(2).transpose(1, 2)
        mixed = self.mix(tokens, tokens, tokens)[0].transpose(1, 2).reshape(x.shape)
        return {"out": nn.functional.conv2d(mixed, self.convs[1].weight), "aside": x.mean()}


class Awkward(nn.Module):
    """Two names for one module, tied weights, modules that run twice, not at all, or with several outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.first = nn.Sequential(self.stem, nn.BatchNorm2d(4))
        self.inner = Inner(self.stem_like())
        self.tied = nn.Conv2d(4, 4, 1, bias=False)
        self.tied.weight = self.inner.convs[1].weight
        self.gain = nn.Parameter(torch.ones(()))
        self.empty = nn.ModuleList()
        self.head = nn.Linear(4, 2)

    def stem_like(self) -> nn.Module:
        self.apart = nn.Conv2d(4, 4, 1)  # a module of two owners
        return self.apart

    def forward(self, x: Tensor) -> Tensor:
        x = self.tied(self.inner(self.inner(self.first(x))["out"])["out"]) * self.gain
        result: Tensor = self.head(x.mean((2, 3)))
        return nn.functional.linear(result, self.head.weight[:, :2])


@pytest.mark.parametrize("on_values", [False, True])
def test_every_parameter_has_a_row(on_values: bool) -> None:
    found = costs(Awkward(), 3, 8, 8, on_values=on_values)
    rows = {row.name: row for row in found.layers}
    own = {name: row.parameters for name, row in rows.items() if row.kind == "parameter"}
    assert own["gain"] == 1
    assert own["inner.token"] == 4
    assert own["inner.mix.in_proj_weight"] == 48
    assert own["inner.weighted.bias"] == 4
    assert (rows["inner.scales"].kind, rows["inner.scales"].parameters, rows["inner.scales"].unused) == (
        "ParameterList", 8, 0,
    )  # fmt: skip
    assert rows["inner.spare"].unused == 12
    assert rows["inner.lone"].unused == 7
    assert rows["inner.mix.out_proj"].unused == 0
    assert found.unused == 12 + 7 + 4, "the bias of the convolution whose weight alone is used"
    assert (rows["inner.convs.1"].parameters, rows["tied"].shared) in ((20, 16), (4, 0))
    assert rows["inner.mix (itself)"].macs > 0
    assert rows["(itself)"].macs == 4
    assert rows["inner.out (2)"].macs > 0
    assert rows["inner.aside (2)"].macs == rows["inner.aside"].macs == 0


class Recursive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor, times: int = 2) -> Tensor:
        x = self.conv(x)
        return self(x, times - 1) if times else x


class Catching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bad, self.good = nn.Conv2d(5, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        try:
            x = self.bad(x)
        except RuntimeError:
            x = self.good(x)
        return x


class Bypassing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.row, self.conv = nn.Sequential(nn.Conv2d(3, 3, 1)), nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.conv.forward(self.row[0](x)) + self.row(x)
        return result


class Alone(nn.Module):
    """A network without layers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight)


@pytest.mark.parametrize(
    ("model", "macs"),
    [
        (nn.Sequential(Recursive()), 3 * 9),
        (Catching(), 9),
        (Bypassing(), 3 * 9),
        (Alone(), 12),
        (nn.Conv2d(3, 4, 1), 12),
    ],
)
def test_rows_sum_however_a_network_calls_its_layers(model: nn.Module, macs: int) -> None:
    assert costs(model, 3, 4, 4).macs == macs * 16


@pytest.mark.parametrize("name", ["googlenet", "swin_t", "convnext_tiny"])
def test_what_is_kept_for_training_has_a_row(name: str) -> None:
    """GoogLeNet's auxiliary heads run in training alone."""
    options = {"init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None, **options)
    found = layer_costs(model, walk(model, (3, 64, 64), count=True, follow=False), training_memory(model, (3, 64, 64)))
    check_sums(found)
    assert bool(found.training_bytes)


def test_a_layer_that_runs_twice_keeps_for_each_run() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.act = nn.Conv2d(3, 3, 1), nn.Sigmoid()

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.act(self.act(self.conv(x)).mean((2, 3)))
            return result

    rows = {row.name: row for row in costs(Twice(), 3, 8, 8).layers}
    assert (rows["act"].saved_bytes, rows["act (2)"].saved_bytes) == (3 * 64 * 4, 3 * 4)


class Uses(nn.Module):
    def __init__(self, layer: nn.Module, use: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.use = layer, use

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self.layer, x)


def tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def in_inference_mode(layer: nn.Module, x: Tensor) -> Tensor:
    with torch.inference_mode():
        result: Tensor = layer(functional.scaled_dot_product_attention(*[tokens(x)[:, None]] * 3))
        return result


STEPS, WIDTH = 36, 8
COUNTED: dict[str, tuple[nn.Module, Callable[[Any, Tensor], Tensor], int | None]] = {
    "LSTM": (nn.LSTM(8, 16, 2, bidirectional=True, batch_first=True), lambda m, x: m(tokens(x))[0],
             STEPS * 2 * 4 * 16 * (8 + 16 + 32 + 16)),
    "GRU": (nn.GRU(8, 16, batch_first=True), lambda m, x: m(tokens(x))[0], STEPS * 3 * 16 * (8 + 16)),
    "RNN": (nn.RNN(8, 16), lambda m, x: m(tokens(x)[0])[0], STEPS * 16 * (8 + 16)),
    "bilinear": (nn.Bilinear(8, 8, 5), lambda m, x: m(x.mean((2, 3)), x.amax((2, 3))), 5 * 8 * 8),
    "einsum": (nn.Linear(8, 4), lambda m, x: torch.einsum("nchw,dc->ndhw", x, m.weight), STEPS * 8 * 4),
    "transposed": (nn.ConvTranspose2d(8, 4, 3, stride=2, groups=2), lambda m, x: m(x), STEPS * 8 * 2 * 9),
    "attention": (nn.Identity(), lambda m, x: functional.scaled_dot_product_attention(*[tokens(x)[:, None]] * 3),
                  2 * STEPS * STEPS * 8),
    "in inference mode": (nn.Linear(8, 8), in_inference_mode, 2 * STEPS * STEPS * 8 + STEPS * 64),
    "matrix by vector": (nn.Linear(8, 5), lambda m, x: torch.mv(m.weight, x[0, :, 0, 0])[None], 40),
    "dot product": (nn.Linear(8, 1), lambda m, x: torch.dot(m.weight[0], x[0, :, 0, 0])[None], 8),
    "distances": (nn.Linear(8, 5), lambda m, x: torch.cdist(tokens(x), m.weight[None]), STEPS * 5 * 8),
    "sampled": (nn.Identity(), lambda m, x: functional.grid_sample(x, x.new_zeros(1, 5, 5, 2)), 25 * 8 * 4),
    "bag": (nn.EmbeddingBag(8, 8, mode="sum"), lambda m, x: m(torch.arange(8).view(2, 4)) + x.mean(), 0),
    "embedding": (nn.Embedding(8, 8), lambda m, x: m(torch.arange(8)) + x.mean(), 0),
    "normalisation": (nn.LayerNorm([8, 6, 6]), lambda m, x: m(x), 0),
    "volume": (nn.Conv3d(8, 4, 3, padding=1), lambda m, x: m(x[:, :, None]), STEPS * 8 * 4 * 27),
    "inverse": (nn.Linear(8, 8), lambda m, x: x.mean((2, 3)) @ torch.linalg.inv(m.weight), None),
    "Fourier": (nn.Identity(), lambda m, x: torch.fft.rfft2(x).abs(), None),
    "sparse": (nn.Linear(8, 8), lambda m, x: torch.sparse.mm(m.weight.to_sparse(), x.mean((2, 3)).T), None),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("on_values", [False, True])
@pytest.mark.parametrize("name", COUNTED)
def test_products_are_counted_or_the_number_is_a_lower_bound(name: str, on_values: bool) -> None:
    layer, use, expected = COUNTED[name]
    model = Uses(layer, use)
    run = walk(model, (8, 6, 6), count=True, on_values=on_values)
    if run.failure is not None:
        assert (name, on_values) == ("sparse", False)
        return
    found = layer_costs(model, run)
    check_sums(found)
    assert bool(found.uncounted) == (expected is None)
    if expected is not None:
        assert found.macs == expected
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model.eval()(torch.randn(1, 8, 6, 6))
        assert counter.get_total_flops() // 2 <= expected, "torch leaves out fused kernels"


def test_an_operation_of_an_unknown_kind_with_weights_is_a_lower_bound() -> None:
    with torch.library._scoped_library("cnnlab_test", "DEF") as library:
        library.define("product(Tensor x, Tensor weight) -> Tensor")
        library.impl("product", lambda x, weight: x * weight.sum(), "CompositeExplicitAutograd")
        own = torch.ops.cnnlab_test.product
        weighted = costs(Uses(nn.Linear(8, 8), lambda m, x: own(x, m.weight)), 8, 4, 4)
        worked_out = costs(Uses(nn.Linear(8, 8), lambda m, x: own(x, m.weight.abs() + 1)), 8, 4, 4)
        without = costs(Uses(nn.Identity(), lambda m, x: own(x, x)), 8, 4, 4)
    assert weighted.uncounted == worked_out.uncounted == (("product", ""),)
    assert not without.uncounted


@pytest.mark.filterwarnings("ignore")
def test_packed_weights_are_weights_too() -> None:
    quantized = DynamicLinear(8, 4)
    found = layer_costs(quantized, walk(quantized, (8,), count=True, on_values=True))
    assert found.uncounted == (("linear_dynamic", ""),)


@pytest.mark.parametrize("size", [7, 8, 31])
@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), [(3, 2, 1, 1), (2, 2, 0, 1), (3, 1, 2, 2)])
def test_the_formula_ends_with_what_torch_puts_out(
    size: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    conv = nn.Conv2d(1, 1, kernel, stride, padding, dilation)
    axes = axes_of(conv, (1, 1, size, size + 3))
    assert [axis.outputs for axis in axes] == list(conv(torch.zeros(1, 1, size, size + 3)).shape[2:])
    assert [int(axis.formula.rsplit(" ", 1)[1]) for axis in axes] == [axis.outputs for axis in axes]
    assert axes_of(nn.ReLU(), (1, 1, size, size)) == ()


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1"])
def test_training_memory_is_what_autograd_keeps_of_real_tensors(name: str) -> None:
    model = torchvision.models.get_model(name, weights=None).train()
    kept: dict[int, int] = {}
    alive = []
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}

    def pack(tensor: Tensor) -> Tensor:
        key = tensor.untyped_storage().data_ptr()
        if key not in own:
            kept[key] = tensor.untyped_storage().nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(torch.randn(2, 3, 64, 64))
    ours = training_memory(model, (3, 64, 64))
    assert ours is not None
    assert abs(sum(ours.values()) * 2 - sum(kept.values())) / sum(kept.values()) < 0.01


def test_training_memory_leaves_the_network_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout()).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert training_memory(model, (1, 8, 8))
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert training_memory(model, (5, 8, 8)) is None


def test_the_peak_of_inference_is_two_neighbours_of_a_chain() -> None:
    """While a layer runs, its input and its output are alive, and the image, which the caller holds."""
    model = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(5)))
    assert costs(model, 4, 16, 16).inference_bytes == 3 * 4 * 16 * 16 * 4
