"""The layer whose feature maps are explained: chosen by one run at the real image size, with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnnlab.attribution.capture import capture_maps
from cnnlab.attribution.head import Head, head_of
from cnnlab.attribution.tail import Tail, tail_logits, tail_of
from cnnlab.attribution.trace import FeatureMap, Trace, trace
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.walk.layouts import Layouts, layouts_of


@dataclass(frozen=True)
class Candidate:
    """A layer that could have been chosen."""

    name: str
    channels: int
    height: int
    width: int
    post_activation: bool


@dataclass(frozen=True)
class LayerChoice:
    """The layer to explain, and what else there is."""

    name: str
    channels: int
    height: int
    width: int
    post_activation: bool
    reason: str
    """One sentence: why this one."""
    head: Head
    candidates: tuple[Candidate, ...]
    """Every layer with more than one place, in the order in which they run."""
    layouts: Layouts
    """Layouts of the outputs of all layers, for images of this size."""


def choose_layer(
    model: nn.Module, shape: Shape, *, layer: str | None = None, layouts: Layouts | None = None
) -> LayerChoice:
    """The last feature map before the head of `model` for images of `shape` (channels, height, width), or `layer`.

    Goes back from the logits over what has no parameters and is no activation (pooling, dropout) and over maps that
    are already one per class, to the first map that everything behind depends on through it alone.
    A tensor that several modules put out goes by the outermost one's name. One walk (none where the caller has its
    `layouts`), one run, and a few of the head.

    Raises: RequestError where no layer fits: an unknown name, one without places, or a network without feature maps.
    """
    state = next(model.parameters(), torch.empty(0))
    noise = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)).to(state.device, state.dtype)
    layouts = layouts or layouts_of(model, shape)
    run = trace(model, noise, layouts)
    candidates = tuple(
        Candidate(_name(found), found.channels, found.height, found.width, found.activated)
        for found in run.maps
        if found.spatial and _names(found)
    )
    if layer is not None:
        layouts.of(layer, several=True)
        index = next((index for index, one in enumerate(run.maps) if layer in _names(one)), None)
        if index is None:
            raise RequestError(f"layer '{layer}' does not put out the same when the network runs once more")
        tail, maps = _tail(model, layer, noise, layouts)
        return _choice(run, index, layer, "it was asked for", tail, maps, candidates, layouts)
    fallback: int | None = None
    of_classes: int | None = None
    for index in reversed(range(len(run.maps))):
        found = run.maps[index]
        if not found.spatial or not _names(found) or not (found.activated or found.learned):
            continue
        tail, maps = _tail(model, _name(found), noise, layouts)
        if not tail.closed:
            fallback = index if fallback is None else fallback
            continue
        if _one_map_per_class(tail, maps, run.classes):
            of_classes = index
            continue
        return _better(run, index, model, noise, tail, maps, candidates, layouts)
    if fallback is None and of_classes is not None:
        name = _name(run.maps[of_classes])
        tail, maps = _tail(model, name, noise, layouts)
        reason = "the network has no feature maps but these, which are the classes' own"
        return _choice(run, of_classes, name, reason, tail, maps, candidates, layouts)
    if fallback is None:
        raise RequestError(
            f"no layer of the network has feature maps with more than one place for images of {_size(shape)}"
            f"{layouts.unseen}; class activation maps need one: use a pixel method (gradient, integrated_gradients, "
            "occlusion)"
        )
    name = _name(run.maps[fallback])
    tail, maps = _tail(model, name, noise, layouts)
    reason = "the last feature map of the network; parts of it lead around every layer"
    return _choice(run, fallback, name, reason, tail, maps, candidates, layouts)


def _better(
    run: Trace,
    index: int,
    model: nn.Module,
    noise: Tensor,
    tail: Tail,
    maps: Tensor,
    candidates: tuple[Candidate, ...],
    layouts: Layouts,
) -> LayerChoice:
    """The choice of map `index`, or of the activation right before it where the head is as simple from there."""
    found = run.maps[index]
    reason = "the last feature map before the head, " + (
        "after its activation" if found.activated else "though no activation: no module puts one out behind it"
    )
    source = found.source
    if not found.activated and source is not None and run.maps[source].activated and _names(run.maps[source]):
        name = _name(run.maps[source])
        earlier, its_maps = _tail(model, name, noise, layouts)
        head = head_of(earlier, its_maps, convolutions_follow=True)
        if head.kind == "gap_linear":
            reason = f"the last activation; only '{_name(found)}', which keeps places apart, lies before the head"
            return _choice(run, source, name, reason, earlier, its_maps, candidates, layouts)
    return _choice(run, index, _name(found), reason, tail, maps, candidates, layouts)


def _choice(
    run: Trace,
    index: int,
    name: str,
    reason: str,
    tail: Tail,
    maps: Tensor,
    candidates: tuple[Candidate, ...],
    layouts: Layouts,
) -> LayerChoice:
    found = run.maps[index]
    follow = any(later.spatial and later.learned for later in run.maps[index + 1 :])
    head = head_of(tail, maps, convolutions_follow=follow)
    return LayerChoice(
        name, found.channels, found.height, found.width, found.activated, reason, head, candidates, layouts
    )  # fmt: skip


def _tail(model: nn.Module, layer: str, images: Tensor, layouts: Layouts) -> tuple[Tail, Tensor]:
    maps, calls, logits = capture_maps(model, images, layer, layouts)
    return tail_of(model, layer, images, calls=calls, maps=maps, logits=logits, layout=layouts.of(layer)), maps


def _one_map_per_class(tail: Tail, maps: Tensor, classes: int) -> bool:
    """Whether the map is the classes' own: channel c has a part in logit c and in no other."""
    if maps.shape[1] != classes or classes < 2:
        return False
    spread = float(maps.std()) or 1.0
    tried = maps[:1].repeat(3, 1, 1, 1)
    tried[1, 0] += 3 * spread
    tried[2, 1] += 3 * spread
    logits = tail_logits(tail, tried, torch.zeros(3, dtype=torch.long))
    moved = (logits[1:] - logits[0]).abs() > 1e-4 * float(logits.abs().max())
    return moved.nonzero().tolist() in ([[0, 0], [1, 1]], [[0, 0]], [[1, 1]])


def _names(found: FeatureMap) -> list[str]:
    return [name for name in found.names if name not in found.reused]


def _name(found: FeatureMap) -> str:
    """The outermost module's name: those nested in it put the same tensor out; a dropout after it passes it on."""
    return min(_names(found), key=lambda name: name.count("."))


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
