"""Backward passes with other rules for rectifiers: guided backpropagation and the deconvnet.

The rules hold for calls of a rectifier, however it is written (a module, `F.relu`, `torch.relu`, `tensor.relu_()`), and
only during the pass: no module is exchanged.
"""

from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from cnnlab.attribution.cam_pieces import factored_maps
from cnnlab.attribution.capture import SCORE
from cnnlab.attribution.maps import fused, upsampled
from cnnlab.attribution.method import Batch, Method, MethodMaps, Shared, Steps, UnfitError, Work
from cnnlab.attribution.methods.gradient_cams import averages_away, grad_cam, of_score
from cnnlab.attribution.methods.gradients import input_passes, steepest
from cnnlab.attribution.passes import input_gradients
from cnnlab.attribution.trace import CLIPPED, IN_PLACE_RELU, RELU, SMOOTH, name_of
from cnnlab.core.errors import RequestError

Rule: TypeAlias = Literal["guided", "deconvnet"]


def rectified_gradients(batch: Batch, rule: Rule) -> Steps[MethodMaps]:
    """The gradient at the pixels, with another rule at each rectifier; a note names activations that kept their own.

    guided: R = (a > 0)(R' > 0) R' (Springenberg et al. 2014, arXiv:1412.6806, figure 1); deconvnet: R = (R' > 0) R'
    (Zeiler and Fergus 2013, arXiv:1311.2901, section 2.1; max pools keep their switches). ReLU6 and other functions
    that are linear between 0 and a bound count as rectifiers.

    Raises: UnfitError where the score has no gradient there, and where the network calls no rectifier: the result would
    be the plain gradient.
    """
    rules = _Rules(rule)
    rows = torch.arange(len(batch.images))
    try:
        _, gradients = input_gradients(batch.model, batch.images, batch.target, rows, within=rules)
    except RequestError as error:
        raise UnfitError(*error.args) from error
    yield input_passes(batch)
    others = tuple(sorted(rules.others))
    if rules.seen == 0:
        what = f"its activations are {', '.join(others)}" if others else "no activation function was seen"
        raise UnfitError(
            f"refused: the {rule} rule is one for ReLU, and the network has none ({what}); the result would be the "
            "plain gradient, which gradient and smoothgrad give by its name"
        )
    notes = (f"{', '.join(others)} kept its own gradient: the rule is one for ReLU",) if others else ()
    return steepest(gradients, notes)


GUIDED = Shared(lambda batch: rectified_gradients(batch, "guided"), input_passes)
"""The shared pass of guided backpropagation."""


@Method(
    name="guided_backprop",
    label="guided backpropagation",
    kind="pixel",
    sentence="where only what helps passes back",
    paper="arXiv:1412.6806",
    needs=(GUIDED,),
    signed=False,
    unasked=("sanity",),
)
def guided_backprop(work: Work) -> MethodMaps:
    """The gradient, with whatever is negative stopped at every ReLU; known to show the image and not the class."""
    return work.of(GUIDED)


@Method(
    name="deconvnet",
    label="deconvnet",
    kind="pixel",
    sentence="what made the activations, by reversing the network",
    paper="arXiv:1311.2901",
    passes=input_passes,
    signed=False,
)
def deconvnet(work: Work) -> Steps[MethodMaps]:
    """What made the activations, by reversing the network: the gradient, rectified wherever a ReLU stands."""
    return rectified_gradients(work.batch, "deconvnet")


@Method(
    name="guided_gradcam",
    label="guided Grad-CAM",
    kind="pixel",
    sentence="guided backpropagation where Grad-CAM points",
    paper="arXiv:1610.02391",
    needs=(GUIDED,),
    wants=of_score,
    warning=averages_away,
    of_layer=True,
    signed=False,
)
def guided_gradcam(work: Work) -> MethodMaps:
    """Guided backpropagation where Grad-CAM points."""
    guided = work.of(GUIDED)
    values = guided.per_channel
    assert values is not None
    cams = factored_maps(work, SCORE, grad_cam).maps
    cam = cams[0].clamp(min=0) if len(cams) == 1 else fused(list(cams))
    size = (values.shape[3], values.shape[4])
    return steepest(values * upsampled(cam, size)[:, :, None].to(values), guided.notes)


class _Rules(TorchFunctionMode):
    """While it is entered, every rectifier that is called has the rule's gradient."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.guided = rule == "guided"
        self.seen = 0
        self.others: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run `func`, or in place of a rectifier one with the rule's gradient."""
        given = dict(kwargs or {})
        bound = _upper_bound(func, args, given)
        if bound is None:
            if func in SMOOTH or func in CLIPPED:
                self.others.add(name_of(func))
            return func(*args, **given)
        self.seen += 1
        taken: Tensor = args[0] if args else given["input"]
        result: Tensor = _Rectifier.apply(taken, bound, self.guided)
        if _in_place(func, args, given):
            # whoever wrote it may go on with the tensor and not with what the call returns
            return taken.copy_(result)
        return result


def _upper_bound(func: Any, args: Any, given: dict[str, Any]) -> float | None:
    """The value above 0 at which the function stops to be linear; None if it is no rectifier."""
    if func in RELU:
        return float("inf")
    if func is F.relu6:
        return 6.0
    if func in (F.hardtanh, F.hardtanh_):
        low = args[1] if len(args) > 1 else given.get("min_val", -1.0)
        high = args[2] if len(args) > 2 else given.get("max_val", 1.0)
        return float(high) if low == 0 else None
    if func in (torch.clamp, Tensor.clamp, Tensor.clamp_, torch.clamp_min, Tensor.clamp_min, Tensor.clamp_min_):
        low = args[1] if len(args) > 1 else given.get("min")
        high = args[2] if len(args) > 2 else given.get("max")
        plain = isinstance(low, int | float) and low == 0 and (high is None or isinstance(high, int | float))
        return (float("inf") if high is None else float(high)) if plain else None
    return None


def _in_place(func: Any, args: Any, given: dict[str, Any]) -> bool:
    if func in IN_PLACE_RELU or func in (F.hardtanh_, Tensor.clamp_, Tensor.clamp_min_):
        return True
    place = {F.relu: 1, F.relu6: 1, F.hardtanh: 3}.get(func)
    return place is not None and bool(args[place] if len(args) > place else given.get("inplace", False))


class _Rectifier(torch.autograd.Function):
    """min(max(x, 0), bound), with the rule's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bound: float, guided: bool) -> Tensor:
        """The rectified values; only where they passed is remembered."""
        ctx.guided = guided
        if guided:
            ctx.save_for_backward((x > 0) & (x < bound))
        return x.clamp(min=0, max=None if bound == float("inf") else bound)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """What is positive goes on; with `guided`, only where the input did."""
        positive = grads[0].clamp(min=0)
        return (positive * ctx.saved_tensors[0] if ctx.guided else positive), None, None
