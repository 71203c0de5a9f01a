"""The precision of convolutions and products: what `auto` stands for, and what half precision costs on this processor.

A processor without instructions for bfloat16 works it out by the way of float32, many times slower; one with AMX or
AVX-512-BF16 is faster than in float32. Which of them it is depends on torch's libraries, too, and so it is timed.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Precision = Literal["fp32", "bf16", "fp16"]
PrecisionChoice = Literal["auto", "fp32", "bf16", "fp16"]

GAIN = 0.8
"""`auto` takes bf16 on a processor where the trial lasts at most this share of the time in fp32."""

LOSS = 1.25
"""From this ratio on a training is told that its precision is slower; below it may be the clock's noise."""

REPEATS = 3

HOPELESS = 4.0
"""From this ratio on one turn is enough: emulation would make a person wait."""


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The context in which a forward pass runs: convolutions and matrix products in `precision`."""
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device.type, dtype=dtype, enabled=precision != "fp32")


def chosen_precision(choice: PrecisionChoice, device: torch.device) -> Precision:
    """What a config's `training.precision` is on `device`.

    `auto` is bf16 on a GPU that has it, fp16 on an older one, and on a processor bf16 where it is measured to be faster
    than fp32; elsewhere fp32.

    Arguments:
        choice: as the config says it.
        device: of the training.

    Example:
        >>> chosen_precision("bf16", torch.device("cpu"))
        'bf16'
    """
    if choice != "auto":
        return choice
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if device.type == "cpu" and relative_time("bf16") <= GAIN else "fp32"


def precision_remark(choice: PrecisionChoice, device: torch.device) -> str | None:
    """What is to be said of a training's precision: what `auto` has become, or that it is slower than fp32; or None."""
    precision = chosen_precision(choice, device)
    if device.type != "cpu":
        return f"training.precision auto is {precision} on {device}" if choice == "auto" else None
    if choice == "auto":
        return f"training.precision auto is {precision} here: {_measured(relative_time('bf16'), 'bf16')}"
    if precision == "fp32" or (ratio := relative_time(precision)) < LOSS:
        return None
    return f"training.precision {precision} is slow here: {_measured(ratio, precision)}; fp32 or auto is faster"


def _measured(ratio: float, precision: Precision) -> str:
    return f"a small convolution and product take {ratio:.3g} times as long in {precision} as in fp32 on this processor"


@cache
def relative_time(precision: Precision) -> float:
    """The time of a convolution and a product with their gradients in `precision`, over that in fp32, on the processor.

    Both are as large as those of a small network: of smaller ones the casts take the time that is won. Measured once in
    a process, in a quarter of a second at most; no random number is drawn for it.
    """
    image, kernel = _values(16, 64, 16, 16), _values(64, 64, 3, 3)
    rows, columns = _values(384, 384), _values(384, 384)
    tasks: tuple[Callable[[], Tensor], ...] = (lambda: F.conv2d(image, kernel, padding=1), lambda: rows @ columns)
    spent = {"fp32": 0.0, precision: 0.0}
    for task in tasks:
        fastest = {name: _seconds(task, name) for name in spent}  # which chooses the kernels
        if fastest[precision] < HOPELESS * fastest["fp32"]:
            turns = [{name: _seconds(task, name) for name in spent} for _ in range(REPEATS)]
            fastest = {name: min(turn[name] for turn in turns) for name in spent}
        spent = {name: spent[name] + fastest[name] for name in spent}
    return spent[precision] / spent["fp32"]


def _seconds(task: Callable[[], Tensor], precision: Precision) -> float:
    """What `task` and its gradients take."""
    began = time.perf_counter()
    with autocast(torch.device("cpu"), precision):
        made = task()
    made.float().sum().backward()
    return time.perf_counter() - began


def _values(*shape: int) -> Tensor:
    """Values that want a gradient; images and kernels lie channels last, as half precision likes them."""
    layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format
    values = torch.linspace(-1, 1, torch.Size(shape).numel()).view(shape)
    return values.to(memory_format=layout).requires_grad_()
