"""FullGrad: the score taken apart into what the pixels and what every bias of the network adds to it.

ψ(x · ∂S/∂x) + Σ_l Σ_c ψ(b_l,c · ∂S/∂z_l,c). Srinivas and Fleuret 2019, arXiv:1905.00780, equations 3 and 8.

z_l is a layer's output and b_l what the layer gives for zeros: the bias of a convolution, β − μγ/√(σ² + ε) of a
batch normalisation. ψ is the absolute value, brought to 0 … 1 over an image's whole layer (`channel`: over each
channel by itself, as pytorch-grad-cam does), and grown to the image's size. Biases of what is no feature map
have no place and count in `delta` alone.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from cnnlab.attribution.maps import least_to_largest, upsampled
from cnnlab.attribution.method import Batch, Known, Method, MethodMaps, Steps, Work
from cnnlab.attribution.passes import checked_logits, fitted, frozen, score_gradients, single_precision
from cnnlab.core.errors import RequestError
from cnnlab.models.failure import compiler_of
from cnnlab.walk.layouts import Layouts

Scaling: TypeAlias = Literal["layer", "channel"]


def _sums(scores: Float[Tensor, "1 t"], layers: Sequence[tuple[Tensor, Tensor]]) -> Float[Tensor, "t"]:
    """What the biases of all these layers add to the scores of one image."""
    slopes = score_gradients(scores, [output for output, _ in layers], "the images", keep=True, needed=0)
    products = (slope * single_precision(bias)[:, None] for slope, (_, bias) in zip(slopes, layers, strict=True))
    return sum((each.transpose(0, 1).flatten(1).sum(1) for each in products), torch.zeros_like(scores[0]))


def _by_channel(values: Tensor) -> Tensor:
    shifted = values - values.amin((3, 4), keepdim=True)
    return shifted / (1e-7 + shifted.amax((3, 4), keepdim=True))


_SCALINGS: dict[Scaling, Callable[[Tensor], Tensor]] = {
    "layer": partial(least_to_largest, over=(2, 3, 4)),
    "channel": _by_channel,
}


def _incomplete(delta: Tensor, scores: Tensor) -> tuple[str, ...]:
    share = float((delta.abs() / scores.abs().clamp(min=1e-12)).max())
    if share <= 0.01:
        return ()
    return (f"the parts miss up to {share:.0%} of the score: the network is not linear between its ReLUs",)


def _passes(batch: Batch, **options: object) -> int:
    """At most: where an output is not in the order of the images, each image's biases take passes of their own."""
    assert batch.layouts is not None
    apart = any(_is_apart(batch.layouts, name) for name, module in batch.model.named_modules() if _has_biases(module))
    return 1 + batch.target.count * (1 + len(batch.images) * apart)


def _has_biases(module: nn.Module) -> bool:
    return next(module.children(), None) is None and next(iter(module.parameters()), None) is not None


def _is_apart(layouts: Layouts, name: str) -> bool:
    last = layouts.last.get(layouts.known.get(name, name))
    calls = range(1, 1 + (last.call if last else 0))
    return any(layouts.at(name, call) is None and not layouts.is_batched(name, call) for call in calls)


@Method(
    name="fullgrad",
    label="FullGrad",
    kind="pixel",
    sentence="shares of the pixels and of every bias",
    paper="arXiv:1905.00780",
    needs=(Known.layouts,),
    passes=_passes,
    signed=False,
)
def fullgrad(
    work: Work,
    *,
    scaling: Annotated[
        Scaling, Field(description="Over what each bias's shares are brought to 0 … 1 before they are added up.")
    ] = "layer",
) -> Steps[MethodMaps]:
    """The shares of the pixels and of every bias in the score, laid over one another."""
    batch = work.batch
    model, images, target, known = batch.model, batch.images, batch.target, batch.layouts
    assert known is not None
    layers: list[tuple[Tensor, Tensor, bool]] = []
    folded: list[tuple[Tensor, Tensor]] = []
    calls: dict[str, int] = {}

    def hook(name: str, module: nn.Module, args: Any, named: Any, output: object) -> Tensor | None:
        calls[name] = calls.get(name, 0) + 1
        given = [*args, *named.values()]
        if not isinstance(output, Tensor) or not output.requires_grad or not isinstance(given[0], Tensor):
            return None
        # of one image, in which the first input is zeros; offsets, masks and the like stay
        rows = [one[:1] if isinstance(one, Tensor) and one.shape[:1] == given[0].shape[:1] else one for one in given]
        rows[0] = torch.zeros_like(rows[0])
        with torch.no_grad():
            bias: object = module.forward(*rows[: len(args)], **dict(zip(named, rows[len(args) :], strict=True)))
        if not isinstance(bias, Tensor) or bias.shape[1:] != output.shape[1:] or not bool(bias.any()):
            return None
        layout = known.at(name, calls[name])
        if layout is None:
            if known.is_batched(name, calls[name]):
                layers.append((output, bias, False))
            else:
                folded.append((output, bias))
            return output.clone()
        # where tokens come before the images, that of one token is that of all
        bias = bias.expand(output.shape) if layout.images else bias
        maps, beside, its_bias = layout.maps(output), layout.beside(output), layout.beside(bias)
        layers.append((maps, layout.maps(bias), True))
        if beside is not None and its_bias is not None:
            layers.append((beside, its_bias, False))
        return layout.output(maps, beside).clone()

    with frozen(model):
        for name, module in model.named_modules():
            if compiler := compiler_of(module):
                what = f"layer '{name}'" if name else "the network"
                raise RequestError(f"{what} is compiled by {compiler}, so that its biases cannot be told apart")
            if _has_biases(module):
                module.register_forward_hook(partial(hook, name), with_kwargs=True)
        pixels = fitted(model, images).detach().clone().requires_grad_()
        logits = checked_logits(model(pixels.clone()), target, images=len(images))
        scores = target.scores(logits, torch.arange(len(images)))
        seen, apart = tuple(layers), tuple(folded)
        calls.clear()  # a checkpointed layer runs once more on the way back, and must put out the same
        # which part of windows in the batch, or of tokens before it, is which image's is told by one score at a time
        lone = torch.stack([_sums(row[None], apart) for row in scores]) if apart else torch.zeros_like(scores)
        # a bias of a branch that does not lead to the score adds nothing
        found = score_gradients(scores, [pixels, *(output for output, _, _ in seen)], "the images", needed=1)
    yield 1 + target.count * (1 + len(images) * bool(apart))
    size = (images.shape[2], images.shape[3])
    values = [found[0] * single_precision(pixels.detach())[:, None]]
    values += [slope * single_precision(bias)[:, None] for slope, (_, bias, _) in zip(found[1:], seen, strict=True)]
    parts = sum((value.flatten(2).sum(2) for value in values), lone)
    maps = torch.zeros(*scores.shape, *size, dtype=values[0].dtype, device=values[0].device)
    for value, mapped in zip(values, [True, *(mapped for _, _, mapped in seen)], strict=True):
        if mapped:
            maps = maps + upsampled(_SCALINGS[scaling](value.abs()), size).sum(2)
    delta = (parts - scores).detach()
    return MethodMaps((maps,), delta=delta, notes=_incomplete(delta, work.capture.scores))
