"""Pointwise convolutions with a stride are trained on a way that keeps within memory, and gives the same."""

import os
import subprocess
import sys
from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnnlab.fit import device
from cnnlab.fit.device import PointwiseRoute, pointwise_route


class Strides(TorchFunctionMode):
    """Notes with which stride convolutions run in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run `func`; a stride that is not given is 1."""
        if func in (F.conv2d, torch.conv2d):
            self.seen.append(args[3] if len(args) > 3 else (kwargs or {}).get("stride", 1))
        return func(*args, **(kwargs or {}))


def _stride_of(convolve: Any, images: Tensor) -> Any:
    with Strides() as strides, PointwiseRoute():
        convolve(images)
    return strides.seen[-1]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("channels", "stride"), product([1, 3, 15], [2, (2, 1), (1, 3), 3]))
def test_the_result_and_the_gradients_are_those_of_the_convolution(
    channels: int, stride: Any, layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(channels, 5, 1, stride=stride).double()
    images = torch.randn(2, channels, 6, 7, dtype=torch.float64)
    expected = plain(images)
    expected.square().sum().backward()
    wanted = [p.grad for p in plain.parameters()]
    plain.zero_grad(set_to_none=True)
    with PointwiseRoute():
        found = plain.to(memory_format=layout)(images.to(memory_format=layout))
    found.square().sum().backward()
    torch.testing.assert_close(found, expected)
    for parameter, gradient in zip(plain.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


ROUTED = {
    "a layer": nn.Conv2d(4, 4, 1, stride=2),
    "one axis": nn.Conv2d(3, 4, 1, stride=(2, 1)),
    "padded around": nn.Conv2d(3, 4, 1, stride=2, padding=1, padding_mode="circular"),
    "dilated": nn.Conv2d(3, 4, 1, stride=2, dilation=2),
    "valid": nn.Conv2d(3, 4, 1, stride=3, padding=0),
    "a function": lambda x: F.conv2d(x, torch.ones(2, x.shape[1], 1, 1), stride=2),
    "torch's own": lambda x: torch.conv2d(x, torch.ones(2, x.shape[1], 1, 1), None, 2, "valid"),
}
KEPT = {
    "sixteen channels": nn.Conv2d(16, 4, 1, stride=2),
    "a window": nn.Conv2d(3, 4, 3, stride=2),
    "zeros around": nn.Conv2d(3, 4, 1, stride=2, padding=1),
    "groups": nn.Conv2d(4, 4, 1, stride=2, groups=2),
}


@pytest.mark.parametrize("name", ROUTED)
def test_what_the_faulty_kernel_would_take_runs_without_a_stride(name: str) -> None:
    assert _stride_of(ROUTED[name], torch.randn(2, 4 if name == "a layer" else 3, 8, 8)) == 1


@pytest.mark.parametrize("name", KEPT)
def test_every_other_convolution_is_left_as_it_is(name: str) -> None:
    channels = KEPT[name].in_channels
    assert _stride_of(KEPT[name], torch.randn(2, channels, 8, 8)) == (2, 2)


@pytest.mark.parametrize(
    ("machine", "channels", "met"),
    [
        ("x86_64", 3, True),
        ("AMD64", 15, True),
        ("x86_64", 16, False),
        ("arm64", 3, False),
    ],
)
def test_only_where_the_kernel_may_be_met_a_mode_is_entered(
    monkeypatch: pytest.MonkeyPatch, machine: str, channels: int, met: bool
) -> None:
    monkeypatch.setattr(device.platform, "machine", lambda: machine)
    network = nn.Sequential(nn.Conv2d(3, channels, 3), nn.Conv2d(channels, 4, 1, stride=2))
    assert isinstance(pointwise_route(torch.device("cpu"), network), PointwiseRoute) == met
    assert not isinstance(pointwise_route(torch.device("cuda"), network), PointwiseRoute)


TRAINS = """
import torch
from torch import nn
from cnnlab.fit.device import pointwise_route
for cin, cout, side in [(3, 16, 16), (4, 8, 32), (1, 64, 32), (7, 4, 8), (3, 48, 224), (15, 48, 112)] * 3:
    rows, last = (nn.Conv2d(cin, cout, 1, stride=2) for _ in range(2))
    last.load_state_dict(rows.state_dict())
    last = last.to(memory_format=torch.channels_last)
    images = torch.randn(8, cin, side, side)
    rows(images.clone()).square().sum().backward()
    with pointwise_route(images.device, last):
        found = last(images.to(memory_format=torch.channels_last))
    found.square().sum().backward()
    torch.testing.assert_close(last.weight.grad, rows.weight.grad, rtol=1e-4, atol=1e-3)
print("equal")
"""


@pytest.mark.parametrize("instructions", ["AVX2", "DEFAULT"])
def test_training_survives(instructions: str) -> None:
    # oneDNN is told so before it starts, hence a process of its own, which the old way ended by a signal
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": instructions, "MALLOC_PERTURB_": "85"}
    done = subprocess.run([sys.executable, "-c", TRAINS], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "equal\n"), done.stderr
