"""Which feature maps lead to the logits: behind a transformer's last attention only its class token does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.attribution.passes import checked_logits, fitted, frozen
from cnnlab.core.errors import RequestError
from cnnlab.models.failure import LAYER_FAILURES
from cnnlab.models.tensors import lone_tensor, run_on, twins_of
from cnnlab.walk.layouts import Layouts

NOTHING_LEFT = 1e-3
"""Share of Σ_k |gradient · activation| below which Σ_k gradient · activation is taken for 0; rounding leaves 1e-6, the
ε of a normalisation 1e-4 where the activations are small."""


@dataclass(frozen=True)
class Leading:
    """How feature maps lead to the logits."""

    idle: frozenset[str] = frozenset()
    """Layers at whose maps the logits have no gradient."""
    cancelling: frozenset[str] = frozenset()
    """Layers at which Σ_k gradient · activation is 0 at every place, since all that reads them is a normalisation over
    channels, which takes their size away: HiResCAM shows nothing there."""


def leading(model: nn.Module, images: Float[Tensor, "n c h w"], layers: Sequence[str], layouts: Layouts) -> Leading:
    """How the maps of `layers` lead to the logits for `images`: one forward and one backward pass.

    What a layer leaves out of its maps, such as a class token, does not count. Where nothing leads anywhere, as from a
    last layer of zeros, in which a transformer begins, both passes are made once more with noise for such weights. None
    is idle where the network cannot be differentiated, which is then told by who has to.
    """
    if not layers:
        return Leading()
    # one image tells it, but for a network that takes the batch's dimension away with others of size 1
    for part in (images[:1], images):
        for run in (lambda model, pixels: model(pixels), _without_zeros):
            found = _leading(model, part, layers, layouts, run)
            if found is None:
                break
            if found.idle != frozenset(layers):
                return found
    return Leading()


def _without_zeros(model: nn.Module, pixels: Tensor) -> object:
    generator = torch.Generator().manual_seed(0)

    def noise_for_zeros(tensor: Tensor) -> Tensor:
        if tensor.dim() < 2 or not tensor.is_floating_point() or bool(tensor.any()):
            return tensor
        return torch.randn(tensor.shape, generator=generator).to(tensor)

    return run_on(model, twins_of(model, noise_for_zeros), pixels)


def _leading(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    layers: Sequence[str],
    layouts: Layouts,
    run: Callable[[nn.Module, Tensor], object],
) -> Leading | None:
    last: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            tensor = lone_tensor(output)
            if tensor is not None and tensor.requires_grad:
                last[name] = tensor

        return hook

    try:
        with frozen(model):
            for name in layers:
                model.get_submodule(name).register_forward_hook(keep(name))
            pixels = fitted(model, images).detach().clone().requires_grad_()
            logits = checked_logits(run(model, pixels.clone()), images=len(images))
            # a plain sum of logits may be the same for all images, as that of a softmax's is
            weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(0)).to(logits)
            found = torch.autograd.grad((logits * weights).sum(), list(last.values()), allow_unused=True)
    except (*LAYER_FAILURES, RequestError):
        return None
    slopes = {name: slope for name, slope in zip(last, found, strict=True) if slope is not None}
    maps = {name: (layouts.of(name).maps(slope), layouts.of(name).maps(last[name])) for name, slope in slopes.items()}
    leads = {name for name, (slope, _) in maps.items() if bool((slope != 0).any())}
    cancelling = {name for name in leads if cancels(maps[name][0] * maps[name][1].detach(), 1)}
    return Leading(frozenset(layers) - leads, frozenset(cancelling))


def cancels(products: Tensor, channels: int) -> bool:
    """Whether gradient · activation adds up to 0 along the dimension `channels` at every place, and is not all 0."""
    sizes = products.abs().sum(channels)
    return bool(sizes.any()) and bool((products.sum(channels).abs() <= NOTHING_LEFT * sizes).all())
