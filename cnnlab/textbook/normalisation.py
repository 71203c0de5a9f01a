"""Section 19.4: batch normalisation, its two modes, small batches, and the other norms."""

import torch
from torch import Tensor, nn

from cnnlab.probe.norm.formulas import batch_norm, running_statistics
from cnnlab.textbook.built import layers
from cnnlab.textbook.statement import derived, misprinted, printed, story

HERE = "19.4"


def _activations(images: int = 16) -> Tensor:
    """images × 4 × 8 × 8, mean about 5, deviation about 3."""
    torch.manual_seed(0)
    return 5 + 3 * torch.randn(images, 4, 8, 8)


def _norm(kind: str, channels: int = 4, side: int = 8) -> nn.Module:
    (norm,) = layers(kind, (channels, side, side))
    return norm


def _batch_norm() -> nn.BatchNorm2d:
    norm = _norm("batch_norm")
    assert isinstance(norm, nn.BatchNorm2d)
    return norm


@torch.no_grad()
def _after_updates(updates: int) -> nn.BatchNorm2d:
    """Batch norm that has seen so many batches; in evaluation mode."""
    norm, batch = _batch_norm().train(), _activations()
    for _ in range(updates):
        norm(batch)
    return norm.eval()


@torch.no_grad()
def _own_error() -> float:
    """Largest difference of cnnlab's own batch norm, from the formula with the biased variance, from the library's."""
    x, norm = _activations(), _batch_norm().train()
    return float((batch_norm(x, norm.weight, norm.bias, eps=norm.eps) - norm(x)).abs().max())


@printed(HERE, "batch norm: epsilon; largest error of (x − mean)/√(biased variance + epsilon)", (1e-5, 0.0),
         "1e-5, biased variance", tolerance=2e-6)  # fmt: skip
def _definition() -> tuple[float, float]:
    return _batch_norm().eps, _own_error()


@printed(HERE, "its parameters for 4 channels: gammas, betas", (4, 4))
def _parameters() -> tuple[int, int]:
    norm = _batch_norm()
    return norm.weight.numel(), norm.bias.numel()


def _standardised(x: Tensor) -> Tensor:
    """Batch norm as it begins, with gammas of 1 and betas of 0."""
    return batch_norm(x, torch.ones(4).to(x), torch.zeros(4).to(x))


@printed(HERE, "training output of each channel: mean to 3, variance to 2 decimals", (0.0, 1.0))
def _training_output() -> tuple[float, float]:
    y = _standardised(_activations())
    means = {round(abs(one), 3) for one in y.mean((0, 2, 3)).tolist()}
    variances = {round(one, 2) for one in y.var((0, 2, 3), correction=0).tolist()}
    return max(means), max(variances, key=lambda one: abs(one - 1))


@torch.no_grad()
def _mode_gap(updates: int) -> float:
    """Mean size of the difference between both modes for a single image, after so many batches."""
    norm, image = _after_updates(updates), _activations()[:1]
    evaluated = norm(image)
    return float((norm.train()(image) - evaluated).abs().mean())


@printed(HERE, "a single image in training and in evaluation mode gives the same", right=False)
def _modes() -> bool:
    norm, image = _after_updates(2), _activations()[:1]
    with torch.no_grad():
        evaluated = norm(image)
        return torch.allclose(norm.train()(image), evaluated)


@derived(HERE, "running mean after two batches, of a true mean of 5", 0.95, tolerance=0.1, mistake=17)
def _unconverged() -> float:
    mean, variance, x = torch.zeros(4), torch.ones(4), _activations()
    for _ in range(2):
        mean, variance = running_statistics(mean, variance, x)
    return float(mean.mean())


@derived(HERE, "of that difference more than two thirds are gone after 200 batches", right=True, mistake=17)
def _converged() -> bool:
    return _mode_gap(200) < _mode_gap(2) / 3


SIZES = (256, 64, 16, 4, 2)


@misprinted(HERE, "Try This: does the output's variance scatter for batches of 256, 64, 16, 4, 2?", misprint=True,
            right=False, mistake=2, text="it scatters")  # fmt: skip
def _output_scatters() -> bool:
    variances = _variances()
    return max(variances) - min(variances) > 1e-4


@derived(HERE, "that variance, for every size", (0.999999,) * len(SIZES), tolerance=2e-6, mistake=2)
def _output_variances() -> tuple[float, ...]:
    return tuple(_variances())


def _variances() -> list[float]:
    values = _activations(max(SIZES)).double()
    return [float(_standardised(values[:m]).var((0, 2, 3), correction=0).mean()) for m in SIZES]


@derived(HERE, "the scatter is in the batch's own variance: times as wide at 2 as at 64 images (√32)", 5.66,
         tolerance=1.5, mistake=2)  # fmt: skip
def _batch_scatter() -> float:
    torch.manual_seed(0)
    wide, narrow = (torch.randn(256, m * 64).mul(3).var(1, correction=0).std() for m in (2, 64))
    return float(wide / narrow)


story(HERE, "Inception with batch norm: steps, time", "31 against 2.1 million, about 14 ×; two weeks to a day")
story(HERE, "batch from which batch norm is recommended", "≥ 32; noisy at 2 to 4", "cnnlab probe norm measures it")
story(HERE, "warehouse: image, batch, norm", "1280 × 1280, 2, group norm of 32")
story(HERE, "batch norm forward and backward from scratch", "about 40 lines")


@torch.no_grad()
def _difference(one: str, other: str, channels: int) -> float:
    torch.manual_seed(0)
    x = torch.randn(4, channels, 8, 8)
    return float((_norm(one, channels)(x) - _norm(other, channels)(x)).abs().max())


@printed(HERE, "exercise 19.4.2: own forward pass over N, H, W less the library's", 0.0, "< 1e-5", tolerance=1e-5)
def _own_forward() -> float:
    return _own_error()


@derived(HERE, "own backward pass, which is promised, less the library's", 0.0, tolerance=1e-5, mistake=15)
def _own_backward() -> float:
    norm, weights = _batch_norm().train(), torch.randn(16, 4, 8, 8)
    gradients = []
    for normalised in (norm, lambda x: batch_norm(x, norm.weight, norm.bias, eps=norm.eps)):
        x = _activations().requires_grad_()
        gradients.append(torch.autograd.grad((normalised(x) * weights).sum(), x)[0])
    return float((gradients[0] - gradients[1]).abs().max())


@derived(HERE, "group norm of 32 groups on 32 channels less instance norm", 0.0, tolerance=1e-5, mistake=13)
def _groups_of_one() -> float:
    return _difference("group_norm groups=32", "instance_norm", 32)


@derived(HERE, "layer norm over C, H, W is ConvNeXt's, over C", right=False, mistake=14)
def _layer_norms() -> bool:
    return _difference("layer_norm", "channel_layer_norm", 32) < 1e-3
