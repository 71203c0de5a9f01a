"""The logits among what a network puts out: a tensor, several of them, or a mapping."""

import copy
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError, unknown
from cnnlab.models.failure import LAYER_FAILURES, takes_hooks
from cnnlab.models.undisturbed import undisturbed

USUAL = ("logits", "out", "output", "pred", "prediction", "predictions", "scores", "y")
"""Names under which networks give their logits, the likeliest first."""


LEAST = 1e-7
"""Probabilities are kept so far from 0 and 1 where logits are worked out of them."""


@dataclass(frozen=True)
class Chosen:
    """Which output holds the logits, and how they become (images, classes)."""

    path: str | int | None
    """The key, attribute or number; None where the network gives one tensor."""
    squeezed: bool
    """Whether axes of length 1 are taken off, as of a network that ends in a convolution; a single number a row gets
    one."""
    remark: str = ""
    """What a person should know of it."""
    ending: Literal["", "sigmoid", "softmax"] = ""
    """What the network makes probabilities with itself, of which the logits are worked out."""

    def logits(self, output: Any) -> Any:
        """The logits (n, classes) of an output of the network."""
        found = output if self.path is None else _taken(output, self.path)
        if self.squeezed and isinstance(found, Tensor):
            found = found.flatten(1) if found.dim() > 1 else found[:, None]
        if self.ending and isinstance(found, Tensor):
            shares = found.clamp(LEAST, 1 - LEAST)
            return shares.log() - (1 - shares).log() if self.ending == "sigmoid" else shares.log()
        return found

    @property
    def is_whole(self) -> bool:
        """Whether the network's output is the logits as it stands."""
        return self.path is None and not self.squeezed and not self.ending


def chosen_output(
    output: Any, wanted: str | int | None, count: int, name: str, *, classes: int | None = None
) -> Chosen:
    """Which part of `output` holds the logits of `count` images.

    Arguments:
        output: what the network puts out for `count` images.
        wanted: the key, attribute or number that a person names; by default the usual ones are looked for.
        count: of the images.
        name: the network's, for errors.
        classes: how many logits there are to be; any number by default.

    Raises: RequestError where `wanted` is not there, and where nothing looks like one row of logits an image.
    """
    parts = _parts(output)
    if parts is None:
        if not isinstance(output, Tensor):
            raise RequestError(
                f"{name} puts out {type(output).__name__}; expected a tensor, or several by number or name"
            )
        if wanted is not None and str(wanted) != "0":
            raise RequestError(f"`output` is '{wanted}', and {name} puts out one tensor")
        squeezed = _squeezed(output, count, classes)
        if squeezed is None:
            raise RequestError(f"{name} puts out {_shape(output)} for {count} images; {_expected(classes)}")
        return Chosen(None, squeezed)
    names = [str(key) for key in parts]
    if wanted is not None:
        if str(wanted) not in names:
            raise RequestError("`output`: " + unknown("output", str(wanted), names) + f" They are {name}'s.")
        key = list(parts)[names.index(str(wanted))]
        squeezed = _squeezed(parts[key], count, classes)
        if squeezed is None:
            raise RequestError(f"`output` {wanted} of {name} is {_shape(parts[key])}; {_expected(classes)}")
        return Chosen(key, squeezed)
    fitting = {key: _squeezed(value, count, classes) for key, value in parts.items()}
    good = [key for key, squeezed in fitting.items() if squeezed is not None]
    if not good:
        listed = ", ".join(f"{key} {_shape(value)}" for key, value in parts.items())
        raise RequestError(f"{name} puts out {listed or _contents(output)}; {_expected(classes)}")
    usual = [key for key in USUAL if key in good]
    rows = [key for key in good if fitting[key] is False]
    key = (usual or rows or good)[0]
    rest = [one for one in names if one != str(key)]
    remark = f"the logits are the output {key!r} of {name}"
    if rest:
        remark += f" (beside {', '.join(rest[:6])}{' …' * (len(rest) > 6)}); `output` takes another"
    return Chosen(key, bool(fitting[key]), remark)


def ending_by(
    model: nn.Module, chosen: Chosen, output: Any, shape: Shape, *, training: bool = False
) -> Literal["", "sigmoid", "softmax"]:
    """Whether a network makes probabilities itself; it is run once more where its numbers do not speak against it.

    output: what it puts out for images of zeros of `shape` (channels, height, width).
    """
    rows = chosen.logits(output)
    if not bool(((rows >= 0) & (rows <= 1)).all()):
        return ""
    images = torch.zeros(len(rows), *shape, device=rows.device, requires_grad=True)
    try:
        with undisturbed(model, training=training), torch.enable_grad():
            return ending_of(chosen.logits(model(images)))
    except LAYER_FAILURES:  # one without gradients
        return ""


def ending_of(rows: Tensor) -> Literal["", "sigmoid", "softmax"]:
    """Whether `rows` (n, classes), which gradients lead back from, were made by a sigmoid or a softmax over classes."""
    node = rows.grad_fn
    while node is not None and node.name().startswith(_PASSING) and node.next_functions:
        node = node.next_functions[0][0]
    name = "" if node is None else node.name()
    if name.startswith("SigmoidBackward"):
        return "sigmoid"
    sums = rows.detach().sum(1)
    if name.startswith("SoftmaxBackward") and torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        return "softmax"
    return ""


_PASSING = (
    "ViewBackward", "UnsafeViewBackward", "ReshapeAliasBackward", "SqueezeBackward", "UnsqueezeBackward",
    "AliasBackward", "CloneBackward", "ToCopyBackward", "SelectBackward", "SliceBackward",
)  # fmt: skip
"""Beginnings of the names of operations that leave each value as it is."""


def with_logits(model: nn.Module, chosen: Chosen, training: Chosen | None = None) -> nn.Module:
    """`model` with `chosen` as its output: the same layers by the same names; the model itself stays as it is.

    training: what is chosen in training mode, where that is another.
    """
    training = training or chosen
    if chosen.is_whole and training.is_whole:
        return model
    if not takes_hooks(model):
        return _Wrapped(model, chosen, training)
    twin = copy.copy(model)  # shares every layer and tensor; only its own hooks are others
    twin._forward_hooks = OrderedDict(model._forward_hooks)
    twin._forward_hooks_with_kwargs = OrderedDict(model._forward_hooks_with_kwargs)
    twin._forward_hooks_always_called = OrderedDict(model._forward_hooks_always_called)
    twin.register_forward_hook(_Picks(chosen, training))
    return twin


@dataclass(frozen=True)
class _Picks:
    """The hook that gives the logits in place of the whole output."""

    chosen: Chosen
    training: Chosen

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        return (self.training if module.training else self.chosen).logits(output)


class _Wrapped(nn.Module):
    """A network that takes no hooks, with its logits as output."""

    def __init__(self, model: nn.Module, chosen: Chosen, in_training: Chosen) -> None:
        super().__init__()
        self.model, self.chosen, self.in_training = model, chosen, in_training

    def forward(self, images: Tensor) -> Any:
        """(n, c, h, w) → (n, classes)."""
        return (self.in_training if self.training else self.chosen).logits(self.model(images))


def _expected(classes: int | None) -> str:
    numbers, shape = ("numbers", "classes") if classes is None else (f"{classes} numbers", f"{classes}")
    return f"expected logits, one row of {numbers} an image: (images, {shape})"


def _parts(output: Any) -> dict[str | int, Any] | None:
    """The tensors in a mapping, a sequence or a plain object, by key, number or attribute; None of a tensor."""
    if isinstance(output, Tensor):
        return None
    if isinstance(output, Mapping):
        return {key: value for key, value in output.items() if isinstance(value, Tensor)}
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return {name: value for name, value in zip(output._fields, output, strict=True) if isinstance(value, Tensor)}
    if isinstance(output, Sequence) and not isinstance(output, (str, bytes)):
        return {number: value for number, value in enumerate(output) if isinstance(value, Tensor)}
    held = {key: value for key, value in getattr(output, "__dict__", {}).items() if isinstance(value, Tensor)}
    return held or None


def _taken(output: Any, path: str | int) -> Any:
    if isinstance(output, Mapping):
        return output[path]
    return output[path] if isinstance(path, int) else getattr(output, path)


def _squeezed(value: Any, count: int, classes: int | None) -> bool | None:
    """False for rows of logits as they are, True where axes of length 1 are in the way, None for anything else."""
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.dim() == 0 or len(value) != count:
        return None
    if classes is not None and classes != (value.shape[1] if value.dim() > 1 else 1):
        return None
    if value.dim() == 2:
        return False if value.shape[1] else None
    return True if all(side == 1 for side in value.shape[2:]) else None


def _contents(output: Any) -> str:
    """What is in a mapping or a sequence that holds no tensor itself, as a detector's answers are."""
    inside = list(output.values()) if isinstance(output, Mapping) else list(output)
    if not inside:
        return "nothing"
    first = next((one for one in inside if isinstance(one, Mapping)), None)
    of = "" if first is None else f" with {', '.join(map(str, list(first)[:6]))}, as detectors give them"
    return f"a {type(output).__name__} of {type(inside[0]).__name__}{of}"


def _shape(value: Any) -> str:
    return f"{tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
