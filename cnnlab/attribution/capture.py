"""Feature maps and their gradients: one forward pass, and backward passes that end at the layer.

The layer's output becomes a fresh leaf of autograd's graph, by a forward hook that returns it: what lies in front runs
without autograd, and no gradient goes there or to a parameter. What the network gets back is a copy, so that a layer
that works in place (`ReLU(inplace=True)`) cannot change what was kept.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from cnnlab.attribution.passes import checked_logits, fitted, frozen, score_gradients, single_precision
from cnnlab.attribution.target import Target
from cnnlab.core.errors import RequestError
from cnnlab.models.failure import compiler_of
from cnnlab.models.tensors import lone_tensor, with_tensor
from cnnlab.network.forward import forward
from cnnlab.walk.layouts import Layouts, layouts_of


@runtime_checkable
class GradientTarget(Protocol):
    """What is differentiated: a function of the logits; those that are equal are worked out once."""

    curved: ClassVar[bool]
    """Whether gradient − ½ · Hessian · activations is taken in place of the gradient."""

    def scores(self, target: Target, logits: Float[Tensor, "b k"], rows: Int64[Tensor, "b"]) -> Float[Tensor, "b t"]:
        """The scores of logits, row i of which belongs to image `rows[i]`."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Score:
    """The target's own score."""

    curved: ClassVar[bool] = False

    def scores(self, target: Target, logits: Float[Tensor, "b k"], rows: Int64[Tensor, "b"]) -> Float[Tensor, "b t"]:
        """The scores as the target gives them."""
        return target.scores(logits, rows)


SCORE = Score()


@dataclass(frozen=True)
class FinerScore:
    """S_c − gamma · mean of the `nearest` other classes' logits, those that are closest to S_c.

    Source: Zhang et al. 2025 (Finer-CAM), arXiv:2501.11309, equation 4. Which are nearest is not differentiated.
    With a single logit there is no other class: the score itself.
    """

    gamma: float
    nearest: int
    curved: ClassVar[bool] = False

    def scores(self, target: Target, logits: Float[Tensor, "b k"], rows: Int64[Tensor, "b"]) -> Float[Tensor, "b t"]:
        """The scores less the mean of the nearest classes'."""
        scores = target.scores(logits, rows)
        if target.classes is None or logits.shape[1] == 1:
            return scores
        wanted = target.classes.to(logits.device)[rows.to(logits.device)]
        distance = (logits.detach()[:, None, :] - scores.detach()[:, :, None]).abs()
        distance = distance.scatter(2, wanted[:, :, None], float("inf"))
        count = min(self.nearest, logits.shape[1] - 1)
        others = distance.topk(count, dim=2, largest=False).indices
        spread = logits[:, None, :].expand(-1, wanted.shape[1], -1)
        return scores - self.gamma * spread.gather(2, others).mean(2)


@dataclass(frozen=True)
class CurvedScore:
    """ReST, S_c + log p_c, with its curvature: a logit that its softmax (or sigmoid) bends.

    Source: Cai 2025 (ShapleyCAM), arXiv:2501.06261, section 4.
    """

    curved: ClassVar[bool] = True

    def scores(self, target: Target, logits: Float[Tensor, "b k"], rows: Int64[Tensor, "b"]) -> Float[Tensor, "b t"]:
        """The scores with their log-probabilities added."""
        scores = target.scores(logits, rows)
        if target.function is not None:
            return scores
        return scores + target.log_probabilities(logits, rows)


CURVED_SCORE = CurvedScore()


@dataclass(frozen=True, eq=False)
class LayerCapture:
    """What one layer put out, and the gradients there; at least single precision."""

    name: str
    activations: Float[Tensor, "n k h w"]
    gradients: dict[GradientTarget, Float[Tensor, "n t k h w"]]
    """Gradients of each score that was wanted, with its curvature where that was wanted, too."""
    calls: int
    """How often the layer ran; its last output is the one that is kept."""
    beside: Float[Tensor, "n k tokens"] | None
    """Tokens that stand at no place of the maps, such as a class token; None where there are none."""


@dataclass(frozen=True, eq=False)
class Capture:
    """One forward pass and all that was asked of it."""

    logits: Float[Tensor, "n classes"]
    scores: Float[Tensor, "n t"]
    layers: tuple[LayerCapture, ...]
    passes: int
    """Forward and backward passes that it took."""


def capture(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    target: Target,
    *,
    layers: Sequence[str] = (),
    wants: Sequence[GradientTarget] = (),
    layouts: Layouts | None = None,
) -> Capture:
    """Run `model` once on `images` and differentiate what `wants` says at each of `layers`.

    Of several layers the graph is cut at the first that runs. `layouts` are the network's for images of this size,
    where the caller has them.

    Raises: RequestError for a layer that is unknown, does not run, has no feature maps or does not lead to the score,
    for targets that the network has not, and for an output without gradient.
    """
    if layers and layouts is None:
        layouts = layouts_of(model, images.shape[1:])
    of_layers = {name: layouts.of(name, several=True) for name in layers} if layouts else {}
    kept: dict[str, list[Tensor]] = {name: [] for name in layers}
    left_out: dict[str, Tensor | None] = {}

    def hook(name: str) -> object:
        def cut(module: nn.Module, inputs: object, output: object) -> object:
            tensor = lone_tensor(output)
            if tensor is None:
                return None
            layout = of_layers[name]
            maps, beside = layout.maps(tensor), layout.beside(tensor)
            here = maps if maps.requires_grad else maps.detach().clone().requires_grad_(bool(wants))
            kept[name].append(here)
            left_out[name] = None if beside is None else beside.detach()
            return with_tensor(output, layout.output(here, beside).clone())

        return cut

    def restart() -> None:
        for outputs in kept.values():
            outputs.clear()

    modules = dict(model.named_modules())
    with frozen(model), ExitStack() as kernels:
        for name in layers:
            if compiler := compiler_of(modules[name]):
                raise RequestError(f"layer '{name}' is compiled by {compiler} and cannot be watched")
            modules[name].register_forward_hook(hook(name))
        if any(want.curved for want in wants):
            # fused attention has no second derivative; as its products it has
            torch.backends.mha.set_fastpath_enabled(False)
            kernels.enter_context(sdpa_kernel(SDPBackend.MATH))
        with torch.set_grad_enabled(bool(wants)):
            logits = checked_logits(forward(model, fitted(model, images), again=restart), target, images=len(images))
        for name in layers:
            if not kept[name]:
                raise RequestError(f"layer '{name}' does not run when the network does")
        outputs = [kept[name][-1] for name in layers]
        calls = [len(kept[name]) for name in layers]  # a checkpointed layer runs again in the backward pass
        rows = torch.arange(len(images))
        gradients: dict[GradientTarget, list[Tensor]] = {}
        place = " and ".join(f"layer '{name}'" for name in layers)
        for want in wants:
            score = want.scores(target, logits, rows)
            if want.curved:
                gradients[want] = _curved(score, outputs, place)
            else:
                gradients[want] = score_gradients(score, outputs, place, keep=want != wants[-1])
        scores = target.scores(logits, rows).detach()
    captures = tuple(
        LayerCapture(
            name,
            single_precision(outputs[i].detach()),
            {want: found[i] for want, found in gradients.items()},
            calls[i],
            left_out[name],
        )
        for i, name in enumerate(layers)
    )
    return Capture(logits.detach(), scores, captures, 1 + passes_of(wants, target.count, len(layers)))


def passes_of(wants: Sequence[GradientTarget], count: int, layers: int) -> int:
    """Backward passes for `count` scores an image."""
    return count * sum(1 + layers if want.curved else 1 for want in wants)


def capture_maps(
    model: nn.Module, images: Float[Tensor, "n c h w"], layer: str, layouts: Layouts
) -> tuple[LayerCapture, Float[Tensor, "n classes"]]:
    """The layer's last output and how often it ran, and the logits: one forward pass without gradients."""
    nothing = Target(len(images), None, lambda logits: logits.sum(1), True)
    found = capture(model, images, nothing, layers=[layer], layouts=layouts)
    return found.layers[0], found.logits


def _curved(scores: Tensor, outputs: list[Tensor], place: str) -> list[Tensor]:
    """gradient − ½ · Hessian · activations at each output, for each score; the graph is kept.

    Source: Cai 2025 (ShapleyCAM), arXiv:2501.06261, equation 12.
    """
    if not scores.requires_grad:
        score_gradients(scores, outputs, place)  # which refuses, with the reason
    columns: list[list[Tensor]] = []
    for column in range(scores.shape[1]):
        slopes = torch.autograd.grad(scores[:, column].sum(), outputs, create_graph=True, allow_unused=True)
        bent = []
        for slope, output in zip(slopes, outputs, strict=True):
            if slope is None:
                raise RequestError(f"the score does not depend on {place}; choose a layer that leads to the logits")
            curvature = None
            if slope.requires_grad:
                along = (slope * output.detach()).sum()
                (curvature,) = torch.autograd.grad(along, output, retain_graph=True, allow_unused=True)
            straight = single_precision(slope.detach())
            bent.append(straight if curvature is None else straight - 0.5 * single_precision(curvature))
        columns.append(bent)
    return [torch.stack([column[i] for column in columns], 1) for i in range(len(outputs))]
