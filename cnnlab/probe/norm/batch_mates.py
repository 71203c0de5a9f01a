"""One image among different batch-mates: whether its answer stays, in training and in evaluation mode.

The light switch of section 19.4: in training mode batch norm takes its statistics from the batch, so that an image's
answer depends on the images beside it; in evaluation mode from memory. Dropout goes by the same switch, and is told
apart here: batch norm alone in training mode, and the whole network.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.models.failure import told
from cnnlab.models.layers.scaling import StochasticDepth
from cnnlab.models.undisturbed import set_mode, undisturbed

Mode = Literal["evaluation", "batch statistics", "training"]
"""Which layers are in training mode: none, batch norms alone, all."""

SIZES = (2, 8, 32, 128)
REPEATS = 5
"""Sortings into batches that are compared."""


@dataclass(frozen=True)
class Mates:
    """The answers to the same images in several sortings into batches of `size`."""

    mode: Mode
    size: int
    agreement: float
    """Share of pairs of sortings, over the images, in which an image has the same answer."""
    kept: float
    """Share of the images whose answer is the same in all sortings."""
    spread: float
    """Deviation of a logit over the sortings, over the deviation of all logits; root mean square."""
    accuracy: float
    """Mean share of right answers, 0 … 1."""
    images: int


def batch_mates(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, "n"],
    *,
    sizes: Sequence[int] = SIZES,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Iterator[Advance | tuple[Mates, ...]]:
    """Ask a network about the same images among other ones each time.

    Arguments:
        model: left as it is: running statistics, too.
        images: prepared, on the device.
        labels: their classes.
        sizes: images of a batch; those that make no two batches of the images are left out.
        repeats: sortings into batches.
        seed: of the sortings.

    Yields:
        How far the batches are, and at last the answers in each mode: evaluation, batch statistics, and where dropout
        or the like is in the network, training.

    Raises:
        RequestError: for what the network raises.
    """
    modes: list[Mode] = ["evaluation", "batch statistics"]
    if any(_drops(module) for module in model.modules()):
        modes.append("training")
    fitting = [size for size in sizes if 2 * size <= len(images)] or [len(images)]
    found: list[Mates] = []
    total = 1 + (len(modes) - 1) * len(fitting)
    for mode in modes:
        # in evaluation mode one size is enough: nothing depends on it
        for size in fitting[-1:] if mode == "evaluation" else fitting:
            with told(), undisturbed(model, training=mode == "training"), torch.no_grad():
                if mode == "batch statistics":
                    for module in model.modules():
                        if isinstance(module, _BatchNorm):
                            set_mode(module, True)
                torch.manual_seed(derive_seed(seed, "dropout", size))
                logits = torch.stack([_sorted_once(model, images, size, seed, number) for number in range(repeats)])
            found.append(_mates(mode, size, logits, labels.cpu()))
            yield Advance("batch-mates", len(found), total)
    yield tuple(found)


def _drops(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.dropout._DropoutNd | StochasticDepth) and module.p > 0


def _sorted_once(model: nn.Module, images: Tensor, size: int, seed: int, number: int) -> Tensor:
    """Logits of all images in their own order, after they went through in batches in another one."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "batch-mates", size, number))
    order = torch.randperm(len(images), generator=generator)
    whole = len(order) // size * size
    # the last ones fill up with others, so that every batch has `size` images
    batches = [*order[:whole].split(size)]
    if whole < len(order):
        batches.append(torch.cat([order[whole:], order[: size - (len(order) - whole)]]))
    logits: Tensor | None = None
    for batch in batches:
        answered = model(images[batch.to(images.device)])
        if not isinstance(answered, Tensor):
            raise RequestError(
                f"in training mode the network puts out {type(answered).__name__}, and no tensor of logits"
            )
        answered = answered.float().cpu()
        if logits is None:
            logits = torch.full((len(images), answered.shape[1]), torch.nan)
        logits[batch] = answered
    assert logits is not None
    return logits


def _mates(mode: Mode, size: int, logits: Float[Tensor, "r n k"], labels: Tensor) -> Mates:
    answers = (logits[..., 0] > 0).long() if logits.shape[2] == 1 else logits.argmax(2)
    repeats = len(answers)
    same = answers[:, None] == answers[None]
    pairs = (same.double().mean(2).sum() - repeats) / (repeats * (repeats - 1))
    return Mates(
        mode,
        size,
        agreement=float(pairs),
        kept=float((answers == answers[0]).all(0).double().mean()),
        spread=float((logits.double().var(0).mean()).sqrt() / logits.double().std().clamp(min=1e-30)),
        accuracy=float((answers == labels).double().mean()),
        images=logits.shape[1],
    )
