"""The number that is explained: a class's logit for each image, several of them, or any function of the logits.

In words a class is asked for as `predicted`, `true`, by its name or number, or as one of the k likeliest, `topK`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cnnlab.core.errors import RequestError, unknown
from cnnlab.stats.probabilities import Activation, class_probabilities, log_probabilities

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
    activation: Activation = "softmax"
    """What makes probabilities of the network's logits."""

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
        """Probabilities of the classes asked for, as `class_probabilities`; with a function, its scores as they are."""
        if self.function is not None:
            return self.scores(logits, rows)
        return self.scores(class_probabilities(logits, self.activation), rows)

    def log_probabilities(self, logits: Float[Tensor, "b k"], rows: Int64[Tensor, "b"]) -> Float[Tensor, "b t"]:
        """Their logarithms; only of classes."""
        return self.scores(log_probabilities(logits, self.activation), rows)

    def part(self, images: slice) -> "Target":
        """The target of some of the images."""
        classes = None if self.classes is None else self.classes[images]
        return replace(self, n=len(range(self.n)[images]), classes=classes)


def target_of(targets: Tensor | Sequence[int] | ScoreFunction, n: int, activation: Activation = "softmax") -> Target:
    """`targets` for n images: classes (n,) or (n, t), or a function from logits (b, classes) to scores (b,).

    Raises: RequestError for a wrong number, shape or type of targets.
    """
    if callable(targets):
        return Target(n, None, targets, True, activation)
    classes = torch.as_tensor(targets)
    if classes.is_floating_point() or classes.is_complex() or classes.dtype == torch.bool:
        raise RequestError(f"targets are {classes.dtype}; expected whole numbers, the classes to explain")
    if classes.dim() not in (1, 2) or len(classes) != n or classes.numel() == 0:
        raise RequestError(
            f"targets of shape {tuple(classes.shape)} for {n} images; expected ({n},), a class for each, or ({n}, t)"
        )
    single = classes.dim() == 1
    return Target(n, (classes[:, None] if single else classes).long(), None, single, activation)


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


NAMED_TARGETS = ("predicted", "true", "top3")


def target_caution(text: str, classes: Sequence[str]) -> str | None:
    """Which of two meanings `text` has, where a class is called like a word or like another class's number."""
    if text not in classes:
        return None
    number = list(classes).index(text)
    if text in ("predicted", "true"):
        return f"target {text} is the word; the class that is called '{text}' has the number {number}"
    if re.fullmatch(r"top\d{1,9}", text):
        return f"target {text} is the class of that name (number {number}), not the {text[3:]} likeliest"
    if re.fullmatch(r"\d{1,9}", text) and int(text) < len(classes) and int(text) != number:
        other = classes[int(text)]
        return f"target {text} is the class of that name (number {number}); class number {text} is '{other}'"
    return None


def explained_targets(
    text: str,
    probabilities: Float[Tensor, "n classes"],
    classes: Sequence[str],
    truths: Sequence[int | None],
    names: Sequence[str],
) -> Int64[Tensor, "n t"]:
    """The classes that `text` means for each image; `names` are what the images are called.

    A class goes by its name; its number will do where no class is called so.

    Raises: RequestError for a class that is not there (with the nearest), a truth that is not known, and more classes
    than there are.
    """
    n, count = probabilities.shape
    if text == "predicted":
        return probabilities.argmax(1, keepdim=True)
    if text == "true":
        for truth, name in zip(truths, names, strict=True):
            if truth is None:
                raise RequestError(
                    f"`target` true: the class of {name} is not known; put it into a folder that is called like its "
                    "class, or use `split`"
                )
        return torch.tensor(truths, dtype=torch.int64)[:, None]
    if text in classes:
        return torch.full((n, 1), list(classes).index(text))
    if top := re.fullmatch(r"top(\d{1,9})", text):
        if not 1 <= int(top[1]) <= count:
            raise RequestError(f"`target` is {text}, and the network has {count} classes")
        return probabilities.topk(int(top[1]), dim=1).indices
    if re.fullmatch(r"\d{1,9}", text) and int(text) < count:
        return torch.full((n, 1), int(text))
    raise RequestError(f"`target`: {unknown('class', text, [*NAMED_TARGETS, *classes])}")
