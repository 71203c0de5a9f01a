"""Which class is explained for each image: `predicted`, `true`, a class, or the k likeliest as `topK`."""

import re
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cnnlab.core.errors import RequestError, unknown

NAMED_TARGETS = ("predicted", "true", "top3")


def class_names(logits: Float[Tensor, "n k"], known: Sequence[str]) -> tuple[str, ...]:
    """`known` where there is one for each logit, otherwise their numbers; a single logit stands for two classes."""
    count = max(2, logits.shape[1])
    return tuple(known) if len(known) == count else tuple(map(str, range(count)))


def class_probabilities(logits: Float[Tensor, "n k"]) -> Float[Tensor, "n classes"]:
    """Softmax; of a single logit, which speaks for class 1, the sigmoid."""
    if logits.shape[1] > 1:
        return logits.softmax(1)
    return torch.cat([(-logits).sigmoid(), logits.sigmoid()], dim=1)


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
