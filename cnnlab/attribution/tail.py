"""The tail of a network: what lies between one layer's output and the logits, run on feature maps of one's own."""

from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.attribution.passes import checked_logits, fitted, frozen
from cnnlab.core.errors import RequestError
from cnnlab.models.tensors import run_on, tensors_of, twins_of
from cnnlab.network.forward import forward
from cnnlab.walk.layout import Layout

CLOSED_TOLERANCE = 1e-4
"""Share of the largest logit: how far the tail's answer may be from the network's for the two to be called equal."""


@dataclass(frozen=True, eq=False)
class Tail:
    """The network after its layer `layer`, for images `images`."""

    model: nn.Module
    layer: str
    layout: Layout
    """Layout of the layer's output: maps are given as (n, channels, height, width)."""
    calls: int
    """How often the layer runs in one pass; the last output is the one that is replaced."""
    images: Float[Tensor, "n c h w"]
    stem: Float[Tensor, "1 c h w"] | None
    """One image that stands in for all in front of the layer, where nothing leads around it; None otherwise."""

    @property
    def closed(self) -> bool:
        """Whether the logits depend on the images through the layer's output alone."""
        return self.stem is not None

    @property
    def modules_after(self) -> nn.Sequential | None:
        """What runs after the layer, where that is known without running it: in a network of layers in a row."""
        rest: list[nn.Module] = []
        node = self.model
        for name in self.layer.split("."):
            if not isinstance(node, nn.Sequential):
                return None
            row = list(node._modules)
            rest = [module for module in list(node._modules.values())[row.index(name) + 1 :] if module] + rest
            node = node.get_submodule(name)
        return nn.Sequential(*rest) if self.calls == 1 and rest else None


def tail_logits(tail: Tail, maps: Float[Tensor, "b k h w"], rows: Int64[Tensor, "b"]) -> Float[Tensor, "b classes"]:
    """The logits when the layer puts out `maps`, row i of which belongs to image `rows[i]`; without gradients.

    Of a closed tail only the layers after this one run where they stand in a row; elsewhere one image goes through
    those in front and `b` maps through the rest. Otherwise as many images as maps go through all of it.
    """
    rest = tail.modules_after if tail.closed else None
    if rest is not None:
        with frozen(tail.model), torch.no_grad():
            # a copy: an in-place layer must not change the caller's maps
            return checked_logits(_forward(rest)(tail.layout.output(maps).clone()))
    calls = 0

    def put_in(module: nn.Module, inputs: object, output: Tensor) -> Tensor | None:
        nonlocal calls
        calls += 1
        if calls != tail.calls:
            return None
        return tail.layout.output(maps).to(output.device, output.dtype, copy=True)

    images = tail.images[rows.to(tail.images.device)] if tail.stem is None else tail.stem

    def restart() -> None:
        nonlocal calls
        calls = 0

    with frozen(tail.model), torch.no_grad():
        tail.model.get_submodule(tail.layer).register_forward_hook(put_in)
        return checked_logits(forward(_forward(tail.model), fitted(tail.model, images), again=restart))


def tail_of(
    model: nn.Module,
    layer: str,
    images: Float[Tensor, "n c h w"],
    *,
    calls: int,
    maps: Float[Tensor, "n k h2 w2"],
    logits: Float[Tensor, "n classes"],
    layout: Layout,
) -> Tail:
    """The tail after `layer`, whose output for `images` is `maps`, found closed or not by one pass.

    Closed means: with noise for an image and the layer's own output put in, the logits are those of the images.
    """
    tail = Tail(model, layer, layout, calls, images, None)
    closed = replace(tail, stem=noise_for(images))
    try:
        found = tail_logits(closed, maps, torch.arange(len(images)))
    except (RuntimeError, ValueError, TypeError, IndexError, RequestError):
        # one image in front and n maps behind do not fit together: something leads around the layer
        return tail
    if found.shape != logits.shape:
        return tail
    state = next(iter(model.parameters()), logits)
    tolerance = max(CLOSED_TOLERANCE, 4 * torch.finfo(state.dtype).eps) * float(logits.abs().max())
    return closed if float((found - logits).abs().max()) <= tolerance else tail


def noise_for(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "1 c h w"]:
    """The image that stands in for others in front of a closed tail: noise, always the same."""
    return torch.randn(1, *images.shape[1:], generator=torch.Generator().manual_seed(0))


def _forward(model: nn.Module) -> "partial[object] | nn.Module":
    """The network, in single precision where its parameters are in half: three digits would hide what is compared."""
    half = any(tensor.dtype in (torch.float16, torch.bfloat16) for _, tensor in tensors_of(model))
    if not half:
        return model
    return partial(_in_single, model, twins_of(model, lambda t: t.float() if t.is_floating_point() else t))


def _in_single(model: nn.Module, state: dict[str, Tensor], images: Tensor) -> object:
    return run_on(model, state, images.float())
