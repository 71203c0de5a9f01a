"""The tail of a network: what lies between one layer's output and the logits, run on feature maps of one's own.

The head that begins there, in what way the logits depend on the feature maps, is found by trying and not by names.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.attribution.capture import capture_maps
from cnnlab.attribution.passes import checked_logits, fitted, frozen
from cnnlab.core.errors import RequestError
from cnnlab.models.tensors import lone_tensor, run_on, tensors_of, twins_of, with_tensor
from cnnlab.network.forward import forward
from cnnlab.walk.layout import Layout
from cnnlab.walk.layouts import Layouts

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

    beside: Float[Tensor, "n k tokens"] | None = None
    """What the layer puts out for the images beside its maps, such as class tokens; None where that is nothing."""

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
            rest = [
                module for module in list(node._modules.values())[row.index(name) + 1 :] if module is not None
            ] + rest
            node = node.get_submodule(name)
        return nn.Sequential(*rest) if self.calls == 1 and rest else None


def tail_logits(tail: Tail, maps: Float[Tensor, "b k h w"], rows: Int64[Tensor, "b"]) -> Float[Tensor, "b classes"]:
    """The logits when the layer puts out `maps`, row i of which belongs to image `rows[i]`; without gradients.

    Of a closed tail only the layers after this one run where they stand in a row; elsewhere one image goes through
    those in front and `b` maps through the rest. Otherwise as many images as maps go through all of it.
    """
    rest = tail.modules_after if tail.closed else None
    beside = None if tail.beside is None else tail.beside[rows.to(tail.beside.device)]
    if rest is not None:
        with frozen(tail.model), torch.no_grad():
            # a copy: an in-place layer must not change the caller's maps
            return checked_logits(_forward(rest)(tail.layout.output(maps, beside).clone()))
    calls = 0

    def put_in(module: nn.Module, inputs: object, output: object) -> object:
        nonlocal calls
        calls += 1
        if calls != tail.calls:
            return None
        found = lone_tensor(output)
        assert found is not None
        return with_tensor(output, tail.layout.output(maps, beside).to(found.device, found.dtype, copy=True))

    images = tail.images[rows.to(tail.images.device)] if tail.stem is None else tail.stem

    def restart() -> None:
        nonlocal calls
        calls = 0

    with frozen(tail.model), torch.no_grad():
        tail.model.get_submodule(tail.layer).register_forward_hook(put_in)
        return checked_logits(forward(_forward(tail.model), fitted(tail.model, images), again=restart))


def tail_of(
    model: nn.Module, layer: str, images: Float[Tensor, "n c h w"], layouts: Layouts
) -> tuple[Tail, Float[Tensor, "n k h2 w2"]]:
    """The tail after `layer`, found closed or not by one pass, and the layer's output for `images`.

    Closed means: with noise for an image and the layer's own output put in, the logits are those of the images.
    """
    found, logits = capture_maps(model, images, layer, layouts)
    maps = found.activations
    tail = Tail(model, layer, layouts.of(layer), found.calls, images, None, found.beside)
    closed = replace(tail, stem=noise_for(images))
    try:
        answers = tail_logits(closed, maps, torch.arange(len(images)))
    except (RuntimeError, ValueError, TypeError, IndexError, RequestError):
        # one image in front and n maps behind do not fit together: something leads around the layer
        return tail, maps
    if answers.shape != logits.shape:
        return tail, maps
    state = next(iter(model.parameters()), logits)
    tolerance = max(CLOSED_TOLERANCE, 4 * torch.finfo(state.dtype).eps) * float(logits.abs().max())
    return (closed if float((answers - logits).abs().max()) <= tolerance else tail), maps


def noise_for(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "1 c h w"]:
    """The image that stands in for others in front of a closed tail: noise, always the same."""
    return torch.randn(1, *images.shape[1:], generator=torch.Generator().manual_seed(0))


def _forward(model: nn.Module) -> Callable[[Tensor], object]:
    """The network, in single precision where its parameters are in half: three digits would hide what is compared."""
    half = any(tensor.dtype in (torch.float16, torch.bfloat16) for _, tensor in tensors_of(model))
    if not half:
        return model
    state = twins_of(model, lambda tensor: tensor.float() if tensor.is_floating_point() else tensor)
    return lambda images: run_on(model, state, images.float())


HeadKind: TypeAlias = Literal["gap_linear", "gap_dense", "flatten_dense", "other"]

TRIALS = 8
"""Maps that are tried at a time, so that a network that is linear here and there is not taken for one that is."""
TOLERANCE = 1e-3
"""Share of the largest change of a logit: room for rounding and TF32, far below what any activation function bends."""


@dataclass(frozen=True)
class Head:
    """How logits follow from the feature maps of `layer`."""

    layer: str
    kind: HeadKind
    affine: bool
    """Whether each logit is a weighted sum of the feature maps' values and a constant."""
    orderless: bool
    """Whether the logits stay when places are exchanged."""
    mean_only: bool
    """Whether the logits depend on each channel's mean over places alone."""
    closed: bool
    """Whether they depend on nothing but this layer."""

    @property
    def sentence(self) -> str:
        """What follows from the kind, for a person."""
        return {
            "gap_linear": "the head is a global average and one linear layer: CAM, Grad-CAM and HiResCAM agree",
            "gap_dense": "the head begins with a global average: the gradient is the same at every place, so that "
            "Grad-CAM and HiResCAM agree",
            "flatten_dense": "the head weighs every place by itself: Grad-CAM averages that away, "
            + ("HiResCAM's map sums to the logit" if self.affine else "HiResCAM keeps it"),
            "other": "more than a global average or dense layers lie behind the map, so that no CAM is exact",
        }[self.kind]


def head_of(tail: Tail, maps: Float[Tensor, "n k h w"], *, convolutions_follow: bool) -> Head:
    """What kind of head follows `tail.layer`, whose output for some images is `maps`; six passes of the tail.

    The logits are worked out for the maps and noise of their size, for their means put at every place, for places
    exchanged, and for points on the line through two such maps. `convolutions_follow` says whether learned layers
    that keep places apart come after: then "flatten_dense" would be the wrong word.
    """
    if not tail.closed:
        return Head(tail.layer, "other", affine=False, orderless=False, mean_only=False, closed=False)
    rows = torch.zeros(TRIALS, dtype=torch.long)
    generator = torch.Generator().manual_seed(0)
    spread = maps.std() if float(maps.std()) > 0 else torch.ones((), device=maps.device)
    shape = (TRIALS, *maps.shape[1:])

    def noise() -> Tensor:
        # Noise of places averages out: only offsets of whole channels reach the bends of what lies behind an average.
        offsets = 3 * torch.randn(*shape[:2], 1, 1, generator=generator)
        return spread * (torch.randn(shape, generator=generator) + offsets).to(maps)

    first, second = maps[:1] + noise(), noise()

    def logits(at: Tensor) -> Tensor:
        return tail_logits(tail, at, rows)

    here, there = logits(first), logits(second)
    scale = float((here - there).abs().max()) or 1.0
    averaged = logits(first.mean((2, 3), keepdim=True).expand_as(first))
    beyond = logits(2.0 * first - second)

    def near(a: Tensor, b: Tensor) -> bool:
        return float((a - b).abs().max()) <= TOLERANCE * scale

    mean_only = near(averaged, here)
    order = torch.randperm(first[0, 0].numel(), generator=generator).to(first.device)
    orderless = near(logits(first.flatten(2)[:, :, order].reshape(first.shape)), here)
    affine = near(beyond, 2.0 * here - there) and near(logits(0.5 * (first + second)), 0.5 * (here + there))
    kind: HeadKind = "other"
    if mean_only:
        kind = "gap_linear" if affine else "gap_dense"
    elif not orderless and not convolutions_follow:
        kind = "flatten_dense"
    return Head(tail.layer, kind, affine=affine, orderless=orderless, mean_only=mean_only, closed=True)
