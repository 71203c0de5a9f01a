"""What is true of a network, by torch alone: rows of NaN, torch's own counter, torch's derivatives."""

import contextlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import torch
from strangers.commands import images
from strangers.stranger import Stranger
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

SEED = 7
"""Of whatever a network draws."""
TOGETHER = 8
"""Copies of the images that go through a network at once, where it neither draws nor mixes them."""


@contextmanager
def running(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, nothing compiled, nothing printed."""
    model.eval()
    gradients = not any(parameter.is_inference() for parameter in model.parameters())
    silent = contextlib.redirect_stdout(io.StringIO())
    with torch.compiler.set_stance("force_eager"), torch.set_grad_enabled(gradients), silent:
        yield


@lru_cache(maxsize=1)
def subject(stranger: Stranger) -> nn.Module:
    """The network that questions are asked of, made once for all that follow one another."""
    return stranger.inner(stranger.built())


@contextmanager
def attention_as_products() -> Iterator[None]:
    """Attention by the formula of its paper."""
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def parameters(model: nn.Module) -> int:
    """Numbers of the network's own that are learned, each once."""
    return sum(parameter.numel() for parameter in model.parameters())


def macs(stranger: Stranger) -> int:
    """Multiply-accumulates of one image by torch's counter, which counts each as two, and those that it leaves out."""
    model = subject(stranger)
    # fused attention is counted on some devices only
    with running(model), attention_as_products(), FlopCounterMode(display=False) as counter:
        model(_like(model, images(stranger)[:1]))
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2 + stranger.uncounted_by_torch


def seen(stranger: Stranger, layer: str, *, axis: int, dimension: int, place: int) -> tuple[int, int]:
    """The first and the last row (axis 0) or column (axis 1) of the image that units at `place` of a layer read.

    A NaN in a row reaches the units that read it, and no others.

    Arguments:
        dimension: of the layer's output, along which units stand as the rows or columns do.
    """
    model = subject(stranger)
    reading = []
    for row in range(stranger.shape[1 + axis]):
        pixels = torch.zeros(1, *stranger.shape)
        pixels.select(2 + axis, row).fill_(torch.nan)
        output = outputs_of(model, pixels, layer)
        if bool(output.select(dimension, place).isnan().any()):
            reading.append(row)
    return reading[0], reading[-1]


def outputs_of(model: nn.Module, pixels: Tensor, layer: str) -> Tensor:
    """What the layer puts out in its last call."""
    kept: list[Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(
        lambda module, given, output: kept.append(output.detach().clone())
    )
    with running(model), contextlib.suppress(RuntimeError):
        model(_like(model, pixels))
    handle.remove()
    return kept[-1]


def class_activation(stranger: Stranger, layer: str, *, order: str | tuple[int, int], averaged: bool) -> Tensor:
    """The map (n, h, w) of Grad-CAM for the predicted classes, or HiResCAM's unless averaged: by torch.autograd."""
    model = subject(stranger)
    kept: list[Tensor] = []

    def keep(module: nn.Module, given: Any, output: Tensor) -> Tensor:
        kept.append(output if output.requires_grad else output.requires_grad_())
        return output.clone()  # what works in place works on a copy

    handle = model.get_submodule(layer).register_forward_hook(keep)
    # in the layout in which convolutions are fastest, since draws follow the order in memory
    scores = predicted_scores(stranger, model, images(stranger).contiguous(memory_format=torch.channels_last))
    handle.remove()
    last = kept[-1]  # a checkpointed layer runs again
    (gradient,) = torch.autograd.grad(scores.sum(), last)
    maps, slopes = (one.detach().float() for one in (last, gradient))
    if isinstance(order, tuple):
        maps, slopes = (one[:, -prod(order) :].unflatten(1, order) for one in (maps, slopes))
    if order != "chw":
        maps, slopes = maps.permute(0, 3, 1, 2), slopes.permute(0, 3, 1, 2)
    weights = slopes.mean((2, 3), keepdim=True) if averaged else slopes
    return (weights * maps).sum(1)


def predicted_scores(stranger: Stranger, model: nn.Module, pixels: Tensor, classes: Tensor | None = None) -> Tensor:
    """The logit of each image's class, by default the likeliest; one logit speaks for class 1, its negative for 0."""
    torch.default_generator.manual_seed(SEED)
    with running(model):
        logits = stranger.logits(model(_like(model, pixels)))
    if logits.shape[1] == 1:
        logits = torch.cat([-logits, logits], 1)
    classes = logits.argmax(1) if classes is None else classes
    return logits.gather(1, classes[:, None])[:, 0]


def predicted(stranger: Stranger) -> Tensor:
    """The likeliest class of each image."""
    model = subject(stranger)
    torch.default_generator.manual_seed(SEED)
    with running(model):
        logits = stranger.logits(model(_like(model, images(stranger))))
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1)


def gradient(stranger: Stranger) -> Callable[[Tensor], Tensor]:
    """The gradient (n, c, h, w) of the predicted classes' scores at images near those, or at several of each."""
    model, classes = subject(stranger), predicted(stranger)

    def at(pixels: Tensor) -> Tensor:
        # made before a copy is given: networks may write into what they get
        leaf = pixels.clone().requires_grad_()
        scores = predicted_scores(stranger, model, leaf.clone(), classes.repeat(len(pixels) // len(classes)))
        (found,) = torch.autograd.grad(scores.float().sum(), leaf)
        return found.float()

    return at


def steepest(slopes: Tensor) -> Tensor:
    """The largest absolute value over the colours."""
    return slopes.abs().amax(1)


def smoothgrad(stranger: Stranger, *, samples: int, noise: float) -> Tensor:
    """The gradient's mean over noise of 0.15 times each image's range; the noise is that of seed 0."""
    at, pixels = gradient(stranger), images(stranger)
    draws = torch.randn(samples, *stranger.shape, generator=torch.Generator().manual_seed(0))
    ranges = noise * (pixels.amax((1, 2, 3)) - pixels.amin((1, 2, 3))).reshape(-1, 1, 1, 1)
    return steepest(_mean(at, [pixels + ranges * draw for draw in draws], [1 / samples] * samples))


def integrated_gradients(stranger: Stranger, *, steps: int) -> Tensor:
    """(x − 0) times the mean gradient on the line from 0 to x, by Gauss and Legendre's points; (n, h, w)."""
    at, pixels = gradient(stranger), images(stranger)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    mean = _mean(at, [float(p + 1) / 2 * pixels for p in nodes], [float(w) / 2 for w in weights])
    return (pixels * mean).sum(1)


def _mean(at: Callable[[Tensor], Tensor], places: list[Tensor], weights: list[float]) -> Tensor:
    """The weighted sum of the gradients at these places, some of which go through the network together."""
    total = torch.zeros_like(places[0])
    for first in range(0, len(places), TOGETHER):
        some = places[first : first + TOGETHER]
        slopes = at(torch.cat(some)).unflatten(0, (len(some), -1))
        total += (slopes * torch.tensor(weights[first : first + TOGETHER]).reshape(-1, 1, 1, 1, 1)).sum(0)
    return total


def _like(model: nn.Module, pixels: Tensor) -> Tensor:
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    return pixels.to(dtype)
