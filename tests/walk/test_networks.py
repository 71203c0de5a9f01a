"""Control flow, outputs of every form, shared and repeated modules, and whole small networks, against rows of NaN."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from walk.zoo import SHAPE, Function, numbers, prove

from cnnlab.receptive_field.probe import verification
from cnnlab.walk.walker import walk, walked


class Both(NamedTuple):
    near: Tensor
    far: Tensor


@dataclass
class Result:
    logits: Tensor
    hidden: list[Tensor]
    name: str = "ours"


OUTPUTS: dict[str, tuple[Callable[[Tensor], Any], list[str]]] = {
    "a tuple": (lambda x: (x[:, :, 1:], x.flip(2)), ["[0]", "[1]"]),
    "one in a list": (lambda x: [x.flip(2)], [""]),
    "a dictionary": (lambda x: OrderedDict(out=x.roll(1, 2), aux=x.mean(2)), [".out", ".aux"]),
    "nested": (lambda x: {"a": [x, (x.flip(3),)], 3: x.mean(3)}, [".a[0]", ".a[1][0]", "[3]"]),
    "a named tuple": (lambda x: Both(x[:, :, :3], x.mean((2, 3))), [".near", ".far"]),
    "a dataclass": (lambda x: Result(x.mean((2, 3)), [x, x.roll(2, 3)]), [".logits", ".hidden[0]", ".hidden[1]"]),
    "with what is no tensor": (lambda x: (None, x.flip(2), 3, "x"), [""]),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_of_every_form(name: str) -> None:
    code, parts = OUTPUTS[name]
    proof = prove(nn.Sequential(nn.Conv2d(4, 4, 3), Function(code)))
    assert [output.name for output in proof.walk.outputs if output.layer == "1"] == [f"1{part}" for part in parts]
    assert not proof.verification.skipped


class Pyramid(nn.Module):
    """Loops over the shape, and a module that is called once for each size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        total = self.conv(x)
        while min(x.shape[2:]) > 3:
            x = F.avg_pool2d(x, 2)
            total = total + F.interpolate(self.conv(x), total.shape[2:])
        return total


class Tied(nn.Module):
    """One weight under two names, used forwards and transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(4, 4, 3, 2), nn.ConvTranspose2d(4, 4, 3, 2, bias=False)
        self.up.weight = self.down.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.down(x))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(6, 6, 3)
        self.up, self.last = nn.ConvTranspose2d(6, 4, 2, 2), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.one(x).relu()
        low = self.three(self.two(F.max_pool2d(first, 2)).relu_()).relu_()
        up = self.up(low)
        top, left = ((a - b) // 2 for a, b in zip(first.shape[2:], up.shape[2:], strict=True))
        crop = first[:, :, top : top + up.shape[2], left : left + up.shape[3]]
        return self.last(torch.cat([crop, up], 1))


class Constant(nn.Module):
    """A branch that does not depend on the image, a learned image, coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.learned = nn.Parameter(numbers(1, 2, 12, 10))
        self.conv = nn.Conv2d(8, 3, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = torch.linspace(-1, 1, 12)[:, None].expand(1, 1, 12, 10)
        columns = torch.arange(10.0).expand(1, 1, 12, 10)
        rest = torch.cat([self.learned, rows, columns], 1)
        return self.conv(torch.cat([x, rest.expand(len(x), -1, -1, -1)], 1)), rest


class Remembering(nn.Module):
    """A buffer that is read, an index that is a buffer, a list of modules by number."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("order", torch.tensor([3, 1, 0, 2]))
        self.register_buffer("gain", torch.ones(4, 1, 1))
        self.rows = torch.tensor([0, 2, 4])
        self.convs = nn.ModuleList([nn.Conv2d(4, 4, 1 + 2 * i, padding=i) for i in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        x = (x * self.gain)[:, self.order]
        return sum(conv(x) for conv in self.convs)[:, :, self.rows]  # type: ignore[no-any-return,index]


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3))
        self.spectral = nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.spectral(self.weight(x))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "pyramid": Pyramid,
    "tied": Tied,
    "u-net": UNet,
    "constant": Constant,
    "remembering": Remembering,
    "parametrized": Normed,
    "one module twice": lambda: nn.Sequential(*[nn.Conv2d(4, 4, 3)] * 3),
    "dilated stack": lambda: nn.Sequential(*[nn.Conv2d(4, 4, 3, padding=d, dilation=d) for d in (1, 2, 4)]),
    "transposed image": lambda: nn.Sequential(
        nn.Conv2d(4, 4, (3, 1)), Function(lambda x: x.transpose(2, 3)), nn.Conv2d(4, 2, (3, 2), (2, 1))),
    "checkerboard": lambda: nn.Sequential(nn.ConvTranspose2d(4, 4, 2, 3), nn.Conv2d(4, 2, 2)),
    "nothing is read": lambda: Function(lambda x: torch.ones_like(x)),
    "dropouts": lambda: nn.Sequential(nn.Dropout(), nn.Dropout2d(), nn.AlphaDropout(), nn.Conv2d(4, 2, 3)),
    "activations": lambda: nn.Sequential(
        nn.Conv2d(4, 4, 3), nn.PReLU(4), nn.ELU(inplace=True), nn.Hardswish(), nn.Mish(), nn.RReLU(), nn.Softsign(),
        nn.Hardtanh(), nn.LogSigmoid(), nn.Softplus(), nn.CELU(), nn.GELU("tanh"), nn.Threshold(0.1, 20),
        nn.Hardsigmoid(),
        nn.Tanhshrink(), nn.LeakyReLU(inplace=True), nn.SELU(), nn.SiLU(), nn.ReLU6(), nn.GLU(1)),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    if name == "nothing is read":
        assert walk(NETWORKS[name](), SHAPE).outputs[-1].tag is None
        return
    prove(NETWORKS[name]())


@pytest.mark.parametrize("shape", [(4, 17, 9), (4, 9, 31)])
def test_images_that_are_not_square(shape: tuple[int, ...]) -> None:
    prove(UNet(), (4, 24, 17) if shape[1] == 9 else (4, 18, 30))
    prove(Pyramid(), shape)


VALUES: dict[str, Callable[[Tensor], Tensor]] = {
    "a branch": lambda x: (
        F.conv2d(x, numbers(2, 4, 3, 3)) if x.mean() > 0 else F.conv2d(x, numbers(2, 4, 3, 3, seed=1))
    ),
    "a number": lambda x: x.roll(int(x.isnan().sum().item() < 0) + 1, 2),
    "a loop": lambda x: sum(x.roll(i, 2) for i in range(2 + int(bool((x > 1e9).any())))),
    "a list": lambda x: x[:, :, [int(v) for v in x.new_zeros(3).tolist()]],
}


@pytest.mark.parametrize("name", VALUES)
def test_networks_that_look_at_their_values(name: str) -> None:
    prove(Function(VALUES[name]), on_values=True)


def test_what_is_known_needs_no_values() -> None:
    """Small tensors that do not depend on the image keep theirs, so that code may look at them."""

    def code(x: Tensor) -> Tensor:
        sizes = torch.tensor([2, 3, 7])
        sizes[1] += 1
        view = sizes[1:]
        view.mul_(1)
        if bool((view == 4).any()) and view.max() == 7:
            x = x[:, :, : int(view[0])]
        return x[:, :, torch.nonzero(torch.arange(x.shape[2]) > 1)[:, 0]]

    assert prove(Function(code)).walk.outputs[-1].shape == (1, 4, 2, 10)


def test_a_number_that_was_taken_out_is_found_by_the_probe() -> None:
    """Of `x · max(x).item()` no tensor tells that all pixels matter; the probe does, and says so."""
    model = Function(lambda x: torch.stack([one * float(one.max()) for one in x]))
    found = walked(model, SHAPE)
    assert found.on_values
    *_, result = verification(model, found)
    assert result.mismatched
    assert not result.proven
    assert any("said that it does not depend" in mismatch.sentence for mismatch in result.mismatches)


SWALLOWED: dict[str, Callable[[Tensor], Tensor]] = {
    "whole numbers": lambda x: x.to(torch.int32).float() * 2,
    "compared": lambda x: (x > 0).float(),
    "chosen": lambda x: torch.where(x > 0, x.flip(2), x),
    "without NaN": lambda x: x.nan_to_num() + 1,
    "sorted": lambda x: x.sort(2).values,
    "best": lambda x: x.topk(3, 2).values,
    "first of rows": lambda x: x.argmax(2).float(),
    "index that follows from the image": lambda x: x.gather(2, x.nan_to_num().long().clamp(0, 11)),
}


@pytest.mark.parametrize("name", SWALLOWED)
def test_where_a_nan_does_not_pass_the_proof_says_so(name: str) -> None:
    proof = prove(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), Function(SWALLOWED[name])), wide=True)
    assert proof.walk.swallowed
    assert proof.verification.wide or name in ("sorted", "best")


def test_an_operation_without_a_rule_is_named_and_holds() -> None:
    """`grid_sample` reads wherever the grid points: everything, by name."""

    def code(x: Tensor) -> Tensor:
        grid = F.affine_grid(torch.eye(2, 3).expand(len(x), 2, 3), list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)

    model = nn.Sequential(nn.Conv2d(4, 4, 3), Function(code), nn.Conv2d(4, 2, 3))
    proof = prove(model, unknown=["grid_sampler_2d"], wide=True)
    assert proof.verification.wide > 0
    assert proof.walk.unknown == (("grid_sampler_2d", "1"),)


def test_lists_of_tensors_written_at_once() -> None:
    def code(x: Tensor) -> Tensor:
        a, b = x.clone(), x.flip(2)
        torch._foreach_add_([a], [b])
        return a

    prove(Function(code), unknown=["_foreach_add"], wide=True)


def test_a_layer_that_raised_does_not_lend_its_name_to_what_follows() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wrong, self.right = nn.Conv2d(5, 2, 3), nn.Conv2d(4, 2, 3)

        def forward(self, x: Tensor) -> Tensor:
            try:
                return self.wrong(x)
            except RuntimeError:
                return self.right(x * 2)

    found = prove(Net(), max_batch=1).walk
    assert [output.name for output in found.outputs] == ["right", ""]
    assert [operation.layer for operation in found.operations if operation.name == "convolution"] == ["right"]
