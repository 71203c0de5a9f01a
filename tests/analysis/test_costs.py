"""Costs against closed forms, against torchinfo where it counts right, and against torch's autograd."""

import pytest
import torch
import torchinfo
import torchvision
from torch import Tensor, nn

from cnnlab.analysis.costs import Costs, formula_of, layer_costs
from cnnlab.analysis.training_memory import training_memory
from cnnlab.analysis.walk.walker import walk


def costs(model: nn.Module, *shape: int) -> Costs:
    return layer_costs(model, walk(model, shape, count=True), training_memory(model, shape))


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


@pytest.mark.parametrize("size", [7, 8, 31])
@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), [(3, 2, 1, 1), (2, 2, 0, 1), (3, 1, 2, 2)])
def test_the_formula_ends_with_what_torch_puts_out(
    size: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    conv = nn.Conv2d(1, 1, kernel, stride, padding, dilation)
    formulas = formula_of(conv, (1, size, size + 3))
    assert [int(text.rsplit(" ", 1)[1]) for text in formulas] == list(conv(torch.zeros(1, 1, size, size + 3)).shape[2:])
    assert formula_of(nn.ReLU(), (1, size, size)) == ()


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
    """While a layer runs, its input and its output are alive, and the picture, which the caller holds."""
    model = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(5)))
    assert costs(model, 4, 16, 16).inference_bytes == 3 * 4 * 16 * 16 * 4
