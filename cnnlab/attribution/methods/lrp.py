"""Layer-wise relevance propagation with the ε-rule: the score shared out from layer to layer, down to the pixels.

The relevance of a value a is a · G, where G is the gradient of the score with another rule at some functions: one
backward pass gives all of them. At the output z of an affine function (convolution, dense layer, average, sum of
branches) the rule R_i = Σ_j a_i w_ij / (z_j + ε sign z_j) R_j is a factor |z| / (|z| + ε) on G. At an activation
function that is 0 at 0 all relevance passes, which is a factor f(z) / z in place of f'(z).

The rules hold for calls, however a layer is written (a module, `F.conv2d`, `x + y`, `x += y`), and only during the
pass: nothing of the network is exchanged.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from cnnlab.attribution.method import Method, MethodMaps, Steps, UnfitError, Work
from cnnlab.attribution.methods.gradients import input_passes
from cnnlab.attribution.passes import input_gradients
from cnnlab.attribution.trace import CLIPPED, SMOOTH, name_of
from cnnlab.models.failure import compiler_of

LAYERS = frozenset(
    {
        *("linear", "matmul", "mm", "mv", "bmm", "addmm", "baddbmm", "einsum", "tensordot", "bilinear"),
        *(f"conv{d}d" for d in (1, 2, 3)), *(f"conv_transpose{d}d" for d in (1, 2, 3)),
        *(f"avg_pool{d}d" for d in (1, 2, 3)), *(f"adaptive_avg_pool{d}d" for d in (1, 2, 3)),
        *("mean", "sum", "interpolate", "upsample", "fold"),
    }
)  # fmt: skip
"""Affine in the only one of their arguments that depends on the image; the ε-rule holds at their output."""

SUMS = frozenset({"add", "sub", "rsub", "subtract"})
"""Of branches, or of a branch and a constant: each has its share in proportion to its value, by the ε-rule."""

PRODUCTS = frozenset({"mul", "multiply"})
"""With a constant; of two factors one has to be a gate."""

QUOTIENTS = frozenset({"div", "divide", "true_divide", "truediv"})
"""By a constant."""

GATES = frozenset({"sigmoid", "hardsigmoid"})
"""Where their value multiplies another, that one takes all relevance."""

KEPT = frozenset(
    {
        *("relu", "neg", "max", "amax", "maximum", *(f"max_pool{d}d" for d in (1, 2, 3))),
        *(f"adaptive_max_pool{d}d" for d in (1, 2, 3)), *(f"max_pool{d}d_with_indices" for d in (1, 2, 3)),
        *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"),
        *("flatten", "unflatten", "view", "view_as", "reshape", "reshape_as", "permute", "transpose", "swapaxes"),
        *("movedim", "moveaxis", "t", "ravel", "contiguous", "clone", "squeeze", "unsqueeze", "cat", "concat"),
        *("concatenate", "stack", "hstack", "vstack", "chunk", "split", "tensor_split", "split_with_sizes", "unbind"),
        *("narrow", "select", "index_select", "gather", "getitem", "expand", "expand_as", "broadcast_to", "repeat"),
        *("tile", "repeat_interleave", "flip", "roll", "rot90", "pad", "unfold", "pixel_shuffle", "pixel_unshuffle"),
        *("channel_shuffle", "native_channel_shuffle", "to", "float", "double", "half", "bfloat16", "type", "type_as"),
        *("cpu", "cuda", "get", "masked_fill"),
    }
)  # fmt: skip
"""Whose own gradient hands relevance on whole: each value that comes out is one that went in (a max pool's winner takes
all), perhaps times a constant."""


@Method(
    name="lrp",
    label="LRP-ε",
    kind="pixel",
    sentence="the pixel's share of the score, handed down from layer to layer",
    paper="doi:10.1371/journal.pone.0130140",
    passes=input_passes,
)
def lrp(
    work: Work,
    *,
    epsilon: Annotated[
        float,
        Field(gt=0, le=1e6, description="Added to the size of a layer's output, in that one's unit."),
    ] = 1e-9,
) -> Steps[MethodMaps]:
    """The score handed down from layer to layer, each value taking its share, until the pixels have it.

    Bach et al. 2015, doi:10.1371/journal.pone.0130140, equation 58 (the ε-rule), at convolutions, dense layers,
    averages and sums of branches. A normalisation with fixed statistics counts as folded into such a layer before it,
    and is a layer by itself elsewhere. Max pools give all to the winner; activation functions hand on
    what they get, and so does what a gate (a sigmoid) multiplies: the gate gets nothing. Biases keep their share, which
    the note with the map tells; without any, and with a small `epsilon`, the values sum to the score.

    `epsilon` is absolute, as captum's, and no share of a layer's output.

    Raises: UnfitError, naming the layer, for a function that has no rule here, such as softmax or layer normalisation.
    """
    batch = work.batch
    for name, module in batch.model.named_modules():
        if compiler := compiler_of(module):
            raise UnfitError(f"{_layer(name)} is compiled by {compiler}, so that its functions cannot be seen")
    rules = _Rules(epsilon)
    with _places(batch.model, rules):
        scores, gradients = input_gradients(
            batch.model, batch.images, batch.target, torch.arange(len(batch.images)), within=rules
        )
    yield input_passes(batch)
    relevances = gradients * batch.images[:, None].to(gradients)
    delta = relevances.sum((2, 3, 4)) - scores.to(relevances)
    return MethodMaps((relevances.sum(2),), relevances, delta, (_told(delta, scores, epsilon),))


def _told(delta: Tensor, scores: Tensor, epsilon: float) -> str:
    worst = float((delta.abs() / scores.abs().clamp(min=1e-12)).max())
    kept = "biases and epsilon keep the rest"
    return f"with epsilon {epsilon:g} the relevances add up to within {worst:.2%} of the score: {kept}"


def _layer(name: str) -> str:
    return f"layer '{name}'" if name else "the network"


@contextmanager
def _places(model: nn.Module, rules: "_Rules") -> Iterator[None]:
    """While it is open, `rules` knows which module runs."""

    def enter(name: str, module: nn.Module, inputs: object) -> None:
        rules.places.append(name)

    def leave(module: nn.Module, inputs: object, output: object) -> None:
        rules.places.pop()

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            hooks.callback(module.register_forward_pre_hook(partial(enter, name)).remove)
            hooks.callback(module.register_forward_hook(leave).remove)
        yield


class _Rules(TorchFunctionMode):
    """While it is entered, gradients of what is called are those of the ε-rule."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.places: list[str] = []
        self.damped = WeakTensorKeyDictionary()
        """By output, the handle of the ε-rule there, which a normalisation behind it takes away."""
        self.gates = WeakTensorKeyDictionary()
        """What came out of a sigmoid."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run `func` with the rule for it.

        Raises: UnfitError where there is none and the image is among what it takes.
        """
        given = dict(kwargs or {})
        name = _name(func)
        live = [one for one in _tensors([args, given]) if one.requires_grad]
        if not live or not torch.is_grad_enabled():
            return func(*args, **given)
        foreign = next((one.grad_fn for one in live if _is_foreign(one)), None)
        if foreign is not None:
            raise self._unfit(type(foreign).__name__.removesuffix("Backward"), "it brings a gradient of its own")
        gate = next((one for one in live if one in self.gates), None)
        if gate is not None:
            return self._gated(func, name, args, given, gate)
        if name in GATES:
            result = func(*args, **given)
            self.gates[result] = True
            return result
        if func in SMOOTH or func in CLIPPED or name in ("clamp", "clip", "clamp_min", "clamp_max"):
            return self._activation(func, args, given, len(live))
        return self._handed_on(func, name, args, given, len(live))

    def _handed_on(self, func: Any, name: str, args: Any, given: dict[str, Any], live: int) -> Any:
        """The result of an affine function, or one that moves values, with its rule."""
        if name in LAYERS | PRODUCTS | QUOTIENTS and live > 1:
            raise self._unfit(f"{name} with two things that both depend on the image", "a product has no shares")
        if name in QUOTIENTS and not args[0].requires_grad:
            raise self._unfit(f"{name} by what depends on the image", "a quotient has no shares")
        if name == "batch_norm":
            return self._normalised(func, args, given)
        result = func(*args, **given)
        if name in LAYERS | SUMS:
            self._damp(result)
        elif name not in KEPT | PRODUCTS | QUOTIENTS and any(one.requires_grad for one in _tensors(result)):
            raise self._unfit(name, "it has no rule")
        return result

    def _damp(self, result: Tensor) -> None:
        size = result.detach().abs()
        factor = (size / (size + self.epsilon)).where(size > 0, 0)  # in half precision epsilon itself may be 0
        self.damped[result] = result.register_hook(factor.mul)

    def _normalised(self, func: Any, args: Any, given: dict[str, Any]) -> Any:
        """A normalisation with fixed statistics, as one layer with the one before it."""
        if given.get("training", args[5] if len(args) > 5 else False):
            raise self._unfit("batch_norm", "with the batch's own statistics it is not affine")
        taken = args[0] if args else given["input"]
        if taken in self.damped:
            self.damped.pop(taken).remove()
        result = func(*args, **given)
        self._damp(result)
        return result

    def _activation(self, func: Any, args: Any, given: dict[str, Any], live: int) -> Any:
        if live > 1:
            raise self._unfit(name_of(func), "more than its input depends on the image")
        taken: Tensor = args[0] if args else given["input"]
        rest = args[1:]
        named = {key: value for key, value in given.items() if key != "input"}
        with torch.no_grad():
            if bool(func(torch.zeros_like(taken[:1]), *rest, **named).any()):
                raise self._unfit(name_of(func), "it is not 0 at 0, so that relevance has no place to go")
            copy = taken.detach().clone()
            value = func(copy, *rest, **named)
        result: Tensor = _HandedOn.apply(taken, value)
        # whoever wrote it in place may go on with the tensor and not with what the call returns
        return taken.copy_(result) if value is copy else result

    def _gated(self, func: Any, name: str, args: Any, given: dict[str, Any], gate: Tensor) -> Any:
        """A product with a gate as one with a constant; a gate that only changes its shape remains one."""
        if name in PRODUCTS:
            factors = [one.detach() if one is gate else one for one in args]
            return self._handed_on(func, name, factors, given, sum(one.requires_grad for one in _tensors(factors)))
        result = func(*args, **given)
        if name not in KEPT:
            raise self._unfit("sigmoid", f"it is no factor here ({name}), and not 0 at 0")
        self.gates[result] = True
        return result

    def _unfit(self, what: str, why: str) -> UnfitError:
        place = _layer(self.places[-1] if self.places else "")
        return UnfitError(f"{place} calls {what}: {why}; gradient_x_input and integrated_gradients take any function")


def _name(func: Any) -> str:
    """`add` for torch.add, x + y, 1 + x, x += y and x.add_(y); what divides by x or is a power of it keeps its own."""
    name: str = getattr(func, "__name__", str(func)).strip("_")
    return name[1:] if name[1:] in SUMS | PRODUCTS | {"matmul"} or name in ("itruediv", "idiv") else name


def _is_foreign(tensor: Tensor) -> bool:
    """Whether it comes out of a torch.autograd.Function, whose inside cannot be seen."""
    node = tensor.grad_fn
    return isinstance(node, BackwardCFunction) and type(node).__name__ != f"{_HandedOn.__name__}Backward"


def _tensors(found: object) -> Iterator[Tensor]:
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, dict):
        yield from _tensors(list(found.values()))
    elif isinstance(found, list | tuple):
        for one in found:
            yield from _tensors(one)


class _HandedOn(torch.autograd.Function):
    """A value f(z), with f(z) / z for its gradient."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, value: Tensor) -> Tensor:
        """The value as it is."""
        ctx.save_for_backward((value / z).where(z != 0, 0))
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """All relevance passes."""
        return grads[0] * ctx.saved_tensors[0], None
