"""The number that is explained: a class's logit for each image, several of them, or any function of the logits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from cnnlab.core.errors import RequestError

ScoreFunction: TypeAlias = Callable[[Tensor], Tensor]
"""From logits (b, classes) to one score a row (b,); row by row, since images go through in batches of any size."""


@dataclass(frozen=True, eq=False)
class Target:
    """What is asked of each of n images: t classes each, or one score by a function."""

    n: int
    classes: Int64[Tensor, "n t"] | None
    function: ScoreFunction | None
    single: bool
    """Whether one class an image was asked for, so that results have no axis t."""

    @property
    def count(self) -> int:
        """How many scores t each image has."""
        return 1 if self.classes is None else self.classes.shape[1]

    def scores(self, logits: Float[Tensor, "b k"], rows: Int64[Tensor, "b"]) -> Float[Tensor, "b t"]:
        """The scores of logits, row i of which belongs to image `rows[i]`; differentiable.

        With a single logit, as of a yes-or-no network, class 1 has the logit itself and class 0 its negative.

        Raises: RequestError where the caller's own function does not give one number a row.
        """
        if self.function is not None:
            found = self.function(logits)
            if not isinstance(found, Tensor) or found.shape != logits.shape[:1] or not found.is_floating_point():
                what = f"{found.dtype} {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
                raise RequestError(
                    f"the target function gives {what} for logits {tuple(logits.shape)}; expected one float a row, "
                    f"({len(logits)},)"
                )
            return found[:, None]
        assert self.classes is not None
        wanted = self.classes.to(logits.device)[rows.to(logits.device)]
        if logits.shape[1] == 1:
            return torch.where(wanted == 1, logits, -logits)
        return logits.gather(1, wanted)

    def probabilities(self, logits: Float[Tensor, "b k"], rows: Int64[Tensor, "b"]) -> Float[Tensor, "b t"]:
        """Softmax (with a single logit: sigmoid) of the classes asked for; with a function, its scores as they are."""
        if self.function is not None or logits.shape[1] > 1:
            return self.scores(logits if self.function is not None else logits.softmax(1), rows)
        return self.scores(logits, rows).sigmoid()

    def part(self, images: slice) -> "Target":
        """The target of some of the images."""
        classes = None if self.classes is None else self.classes[images]
        return Target(len(range(self.n)[images]), classes, self.function, self.single)


def target_of(targets: Tensor | Sequence[int] | ScoreFunction, n: int) -> Target:
    """`targets` for n images: classes (n,) or (n, t), or a function from logits (b, classes) to scores (b,).

    Raises: RequestError for a wrong number, shape or type of targets.
    """
    if callable(targets):
        return Target(n, None, targets, True)
    classes = torch.as_tensor(targets)
    if classes.is_floating_point() or classes.is_complex() or classes.dtype == torch.bool:
        raise RequestError(f"targets are {classes.dtype}; expected whole numbers, the classes to explain")
    if classes.dim() not in (1, 2) or len(classes) != n or classes.numel() == 0:
        raise RequestError(
            f"targets of shape {tuple(classes.shape)} for {n} images; expected ({n},), a class for each, or ({n}, t)"
        )
    single = classes.dim() == 1
    return Target(n, (classes[:, None] if single else classes).long(), None, single)


def check_classes(target: Target, classes: int) -> None:
    """See that every class asked for is one of the network's.

    Raises: RequestError naming the first that is not.
    """
    if target.classes is None:
        return
    most = 1 if classes == 1 else classes - 1
    outside = (target.classes < 0) | (target.classes > most)
    if bool(outside.any()):
        image, column = outside.nonzero()[0].tolist()
        raise RequestError(
            f"class {int(target.classes[image, column])} is asked of image {image}, "
            f"and the network has classes 0 to {most}"
        )


def residual_softmax(target: Target, logits: Float[Tensor, "b k"], rows: Int64[Tensor, "b"]) -> Float[Tensor, "b t"]:
    """ReST, S_c + log p_c: a logit that its softmax bends (Cai 2025, arXiv:2501.06261, section 4)."""
    scores = target.scores(logits, rows)
    if target.function is not None:
        return scores
    if logits.shape[1] == 1:
        return scores + F.logsigmoid(scores)
    return scores + target.scores(logits.log_softmax(1), rows)


def against_nearest(
    target: Target, logits: Float[Tensor, "b k"], rows: Int64[Tensor, "b"], *, gamma: float, nearest: int
) -> Float[Tensor, "b t"]:
    """S_c − gamma · mean of the `nearest` other classes' logits, those that are closest to S_c.

    Source: Zhang et al. 2025 (Finer-CAM), arXiv:2501.11309, equation 4. Which are nearest is not differentiated.
    With a single logit there is no other class: the score itself.
    """
    scores = target.scores(logits, rows)
    if target.classes is None or logits.shape[1] == 1:
        return scores
    wanted = target.classes.to(logits.device)[rows.to(logits.device)]
    distance = (logits.detach()[:, None, :] - scores.detach()[:, :, None]).abs()
    distance = distance.scatter(2, wanted[:, :, None], float("inf"))
    count = min(nearest, logits.shape[1] - 1)
    others = distance.topk(count, dim=2, largest=False).indices
    spread = logits[:, None, :].expand(-1, wanted.shape[1], -1)
    return scores - gamma * spread.gather(2, others).mean(2)
