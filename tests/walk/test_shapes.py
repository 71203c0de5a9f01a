"""Results on meta that are remembered are what torch says each time."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cnnlab.walk.rules import kind_of
from cnnlab.walk.shapes import Shapes


class Compared(TorchDispatchMode):
    """Asks `Shapes` twice and torch once for the result of every operation that writes into nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes = Shapes()
        self.compared = 0
        self.different: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind, kwargs = kind_of(func), kwargs or {}
        if kind.written or not kind.repeatable:
            return self.shapes.run(func, kind, args, kwargs)
        said = facts(func(*args, **kwargs))
        results = [self.shapes.run(func, kind, args, kwargs) for _ in range(2)]
        self.compared += 1
        self.different += [str(func) for result in results if facts(result) != said]
        return results[1]


def facts(result: Any) -> list[tuple[object, ...]]:
    """Everything that a tensor without values is."""
    return [
        (t.shape, t.stride(), t.dtype, t.device, t.storage_offset(), t.untyped_storage().nbytes(), type(result))
        for t in tree_leaves(result)
        if isinstance(t, Tensor)
    ]


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "swin_t", "shufflenet_v2_x0_5", "squeezenet1_1", "maxvit_t"])
def test_whole_networks(name: str) -> None:
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None).eval()
    for memory_format in (torch.contiguous_format, torch.channels_last):
        image = torch.empty(1, 3, 224, 224, device="meta").to(memory_format=memory_format)
        with torch.no_grad(), Compared() as mode:
            model(image)
        assert mode.compared > 30
        assert not mode.different


def _run(function: Any, *tensors: Tensor) -> tuple[Any, Any]:
    """What comes of the same call twice."""
    shapes = Shapes()

    class Run(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return shapes.run(func, kind_of(func), args, kwargs or {})

    with torch.no_grad(), Run():
        return function(*tensors), function(*tensors)


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(*shape, dtype=dtype, device="meta")


def test_size_does_not_matter_to_what_works_element_by_element_but_the_type_does() -> None:
    silu, shapes = torch.ops.aten.silu.default, Shapes()
    for image in (meta(2, 3), meta(4, 5), meta(2, 3, dtype=torch.float16), meta(3, 2).t(), meta(2, 3)):
        result, said = shapes.run(silu, kind_of(silu), (image,), {}), silu(image)
        assert facts(result) == facts(said)


def test_numbers_of_another_type_are_another_call() -> None:
    add = torch.ops.aten.add.Tensor
    shapes, whole = Shapes(), meta(3, dtype=torch.int64)
    results = [shapes.run(add, kind_of(add), (whole, one), {}).dtype for one in (1, 1.0, True, 1)]
    assert results == [torch.int64, torch.float32, torch.int64, torch.int64]


def test_default_type_counts() -> None:
    divide = torch.ops.aten.div.Tensor
    shapes, whole = Shapes(), meta(3, dtype=torch.int64)
    first = shapes.run(divide, kind_of(divide), (whole, whole), {}).dtype
    torch.set_default_dtype(torch.float64)
    try:
        second = shapes.run(divide, kind_of(divide), (whole, whole), {}).dtype
    finally:
        torch.set_default_dtype(torch.float32)
    assert (first, second) == (torch.float32, torch.float64)


def test_in_place_gives_the_tensor_itself() -> None:
    image = meta(1, 4, 6, 6)
    for function in (F.hardswish, F.silu, F.relu):
        assert all(result is image for result in _run(lambda x, f=function: f(x, inplace=True), image))


def test_what_shares_memory_is_asked_each_time() -> None:
    image = meta(2, 6, 4, 4)
    for function in (
        lambda x: x.view(2, -1),
        lambda x: x.transpose(1, 2),
        lambda x: x.expand(2, 6, 4, 4),
        torch.Tensor.detach,
    ):
        for result in _run(function, image):
            assert result.untyped_storage()._cdata == image.untyped_storage()._cdata
    one, other = _run(lambda x: x + 1, image)
    assert one.untyped_storage()._cdata != other.untyped_storage()._cdata != image.untyped_storage()._cdata


def test_errors_are_torchs_own_each_time() -> None:
    shapes, multiply = Shapes(), torch.ops.aten.mm.default
    for _ in range(2):
        assert shapes.run(multiply, kind_of(multiply), (meta(2, 3), meta(3, 4)), {}).shape == (2, 4)
        with pytest.raises(RuntimeError, match="reduction dim"):
            shapes.run(multiply, kind_of(multiply), (meta(2, 3), meta(4, 4)), {})
    add = torch.ops.aten.add_.Tensor
    for _ in range(2):
        with pytest.raises(RuntimeError):
            shapes.run(add, kind_of(add), (meta(3, dtype=torch.int64), meta(3)), {})


def test_two_names_for_two_results() -> None:
    values, places = _run(lambda x: F.max_pool2d(x, 2, return_indices=True), meta(1, 2, 8, 8))[1]
    assert (values.dtype, places.dtype, tuple(places.shape)) == (torch.float32, torch.int64, (1, 2, 4, 4))


def test_other_kinds_of_tensors_go_to_torch() -> None:
    number = meta(3, dtype=torch.complex64)
    assert _run(torch.abs, number)[1].dtype == torch.float32
    layer = nn.Linear(3, 4, device="meta")
    assert _run(layer, meta(2, 3))[1].shape == (2, 4)


FORMULAS = {
    "a batch": lambda: F.conv2d(meta(2, 4, 9, 8), meta(6, 2, 3, 1), meta(6), (2, 1), (1, 0), (2, 1), 2),
    "rows": lambda: F.conv1d(meta(1, 3, 9), meta(4, 3, 3)),
    "one image": lambda: F.conv2d(meta(3, 9, 9), meta(4, 3, 3, 3)),
    "channels last": lambda: F.conv2d(
        meta(1, 3, 9, 9).to(memory_format=torch.channels_last), meta(4, 3, 3, 3), padding=1
    ),
    "a bias of another size": lambda: F.conv2d(meta(1, 3, 9, 9), meta(4, 3, 3, 3), meta(5)),
    "transposed": lambda: F.conv_transpose2d(meta(1, 3, 9, 9), meta(3, 4, 3, 3), stride=2),
    "no image": lambda: F.conv2d(meta(0, 3, 9, 9), meta(4, 3, 3, 3)),
    "side by side": lambda: torch.cat([meta(1, 2, 4), meta(1, 5, 4)], -2),
    "channels last side by side": lambda: torch.cat(
        [meta(1, 2, 4, 4).to(memory_format=torch.channels_last) for _ in range(2)], 1
    ),
    "beside nothing": lambda: torch.cat([meta(0), meta(1, 5)]),
    "of two types": lambda: torch.cat([meta(2), meta(2, dtype=torch.float64)]),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_what_a_formula_tells_is_what_torch_says(name: str) -> None:
    with Compared() as mode:
        FORMULAS[name]()
    assert mode.compared
    assert not mode.different


@pytest.mark.parametrize(
    "call",
    [
        lambda: F.conv2d(meta(1, 4, 9, 9), meta(4, 3, 3, 3)),
        lambda: F.conv2d(meta(1, 3, 2, 9), meta(4, 3, 3, 3)),
        lambda: torch.cat([meta(1, 2), meta(2, 3)]),
        lambda: torch.cat([meta(1, 2), meta(1, 2)], 2),
    ],
)
def test_what_fits_no_formula_is_torchs_to_refuse(call: Callable[[], Tensor]) -> None:
    with pytest.raises((RuntimeError, IndexError)) as said:
        call()
    shapes = Shapes()

    class Run(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return shapes.run(func, kind_of(func), args, kwargs or {})

    with pytest.raises(type(said.value)) as told, Run():
        call()
    assert str(told.value) == str(said.value)
