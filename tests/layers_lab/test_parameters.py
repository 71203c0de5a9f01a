import pytest
from torch import nn

from cnnlab.core.registry import component
from cnnlab.layers_lab.stack import parameters_of
from cnnlab.models.build import parameter_count, sequence
from cnnlab.models.catalog import LAYERS
from cnnlab.models.layers.convolution import LocallyConnected2d


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Conv2d(3, 16, (5, 7)), {"out": 16, "in": 3, "kernel height": 5, "kernel width": 7}),
        (nn.Conv2d(6, 4, (5, 7), groups=2), {"out": 4, "in/groups": 3, "kernel height": 5, "kernel width": 7}),
        (nn.ConvTranspose2d(3, 16, (5, 7)), {"in": 3, "out": 16, "kernel height": 5, "kernel width": 7}),
        (nn.Linear(3, 16), {"out": 16, "in": 3}),
        (
            LocallyConnected2d((2, 9, 11), 4, (3, 5)),
            {"row": 7, "column": 7, "out": 4, "in": 2, "kernel height": 3, "kernel width": 5},
        ),
        (nn.BatchNorm2d(6), {"channels": 6}),
        (nn.LayerNorm((2, 3, 4)), {"channels": 2, "height": 3, "width": 4}),
    ],
)
def test_the_axes_have_the_sizes_of_their_names(module: nn.Module, expected: dict[str, int]) -> None:
    weight = next(tensor for tensor in parameters_of(nn.Sequential(module)) if tensor.name == "0.weight")
    assert dict(zip(weight.axes, weight.shape, strict=True)) == expected
    assert not weight.is_bias


def test_biases_are_apart() -> None:
    found = parameters_of(nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 2, 1, bias=False)))
    assert [(t.name, t.count, t.is_bias) for t in found] == [
        ("0.weight", 432, False),
        ("0.bias", 16, True),
        ("1.weight", 32, False),
    ]


def test_every_layer_of_the_registry_is_counted_whole() -> None:
    likely = {"channels": 4, "times": 2, "layers": ["relu"], "branches": [["relu"], []], "factor": 2.0, "name": "named"}
    for entry in LAYERS:
        needed = {name: likely[name] for name, field in entry.options.model_fields.items() if field.is_required()}
        options = needed | ({"groups": 2} if entry.name == "group_norm" else {})
        options |= {"ratio": 2} if entry.name == "squeeze_excite" else {}
        shape = (16,) if entry.name == "linear" else (4, 8, 8)
        network, _ = sequence([component("layer", entry.name, **options)], shape, classes=3)
        found = parameters_of(network)
        assert sum(tensor.count for tensor in found) == parameter_count(network), entry.name
        assert all(len(tensor.axes) in (0, len(tensor.shape)) for tensor in found)


def test_a_shared_parameter_stands_there_once() -> None:
    one = nn.Linear(3, 3)
    assert [tensor.name for tensor in parameters_of(nn.Sequential(one, one))] == ["0.weight", "0.bias"]
