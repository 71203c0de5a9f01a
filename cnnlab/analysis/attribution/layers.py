"""The layer whose feature maps are explained: chosen by one run at the real picture size, with the reason."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnnlab.analysis.attribution.capture import capture_maps
from cnnlab.analysis.attribution.head import Head, head_of
from cnnlab.analysis.attribution.tail import Tail, tail_logits, tail_of
from cnnlab.analysis.attribution.trace import FeatureMap, Trace, trace
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError, unknown
from cnnlab.models.failure import takes_hooks


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


def choose_layer(model: nn.Module, shape: Shape, *, layer: str | None = None) -> LayerChoice:
    """The last feature map before the head of `model` for pictures of `shape` (channels, height, width), or `layer`.

    Goes back from the logits over what has no parameters and is no activation (pooling, dropout) and over maps that
    are already one per class, to the first map that everything behind depends on through it alone.
    A tensor that several modules put out goes by the outermost one's name. One run, and a few of the head.

    Raises: RequestError where no layer fits: an unknown name, one without places, or a network without feature maps.
    """
    state = next(model.parameters(), torch.empty(0))
    noise = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)).to(state.device, state.dtype)
    run = trace(model, noise)
    candidates = tuple(
        Candidate(_name(found), found.channels, found.height, found.width, found.activated)
        for found in run.maps
        if found.spatial and _names(found)
    )
    if layer is not None:
        index = _index_of(run, layer, model)
        tail, maps = _tail(model, layer, noise)
        return _choice(run, index, layer, "it was asked for", tail, maps, candidates)
    fallback: int | None = None
    for index in reversed(range(len(run.maps))):
        found = run.maps[index]
        if not found.spatial or not _names(found) or not (found.activated or found.learned):
            continue
        tail, maps = _tail(model, _name(found), noise)
        if not tail.closed:
            fallback = index if fallback is None else fallback
            continue
        if _one_map_per_class(tail, maps, run.classes):
            continue
        return _better(run, index, model, noise, tail, maps, candidates)
    if fallback is None:
        raise RequestError(
            f"no layer of the network has feature maps with more than one place for pictures of {_size(shape)}; "
            "class activation maps need one: use a pixel method (gradient, integrated_gradients, occlusion)"
        )
    name = _name(run.maps[fallback])
    tail, maps = _tail(model, name, noise)
    reason = "the last feature map of the network; parts of it lead around every layer"
    return _choice(run, fallback, name, reason, tail, maps, candidates)


def check_layer(model: nn.Module, images: Tensor, name: str) -> None:
    """See that `name` is a layer of `model` that puts out feature maps with more than one place for `images`.

    Raises: RequestError that gives the nearest names, or the nearest layer that has places.
    """
    if name not in dict(model.named_modules()) or not name:
        raise RequestError(unknown("layer", name, [n for n, _ in model.named_modules() if n]))
    _index_of(trace(model, images[:1]), name, model)


def _index_of(run: Trace, name: str, model: nn.Module) -> int:
    """The place of layer `name` in `run.maps`; refuses a layer that has no place there, or a single position."""
    known = [n for n, _ in model.named_modules() if n]
    if name not in known:
        raise RequestError(unknown("layer", name, known))
    if not takes_hooks(model.get_submodule(name)):
        raise RequestError(f"layer '{name}' is compiled by torch.jit.script and cannot be watched; {_near(run, None)}")
    if name not in run.shapes:
        raise RequestError(f"layer '{name}' does not run when the network does; {_near(run, None)}")
    for index, found in enumerate(run.maps):
        if name in found.names and name not in found.reused:
            if found.spatial:
                return index
            raise RequestError(
                f"layer '{name}' puts out {found.size}: a single place, so that there is nothing to map; "
                f"{_near(run, name)}"
            )
    shape = run.shapes[name]
    what = "no tensor" if shape is None else f"{tuple(shape[1:])} for a picture, without height and width"
    raise RequestError(f"layer '{name}' puts out {what}; {_near(run, name)}")


def _near(run: Trace, name: str | None) -> str:
    """`the nearest layer with feature maps is 'conv2' (64 x 8 x 8)`: the last one before `name` ends."""
    order = list(run.shapes)
    before = order[: order.index(name)] if name else order
    usable = [found for found in run.maps if found.spatial and _names(found)]
    earlier = [found for found in usable if any(n in before for n in found.names)]
    if not usable:
        return "no layer has feature maps at this picture size"
    nearest = (earlier or usable[:1])[-1]
    return f"the nearest layer with feature maps is '{_name(nearest)}' ({nearest.size})"


def _better(
    run: Trace, index: int, model: nn.Module, noise: Tensor, tail: Tail, maps: Tensor, candidates: tuple[Candidate, ...]
) -> LayerChoice:
    """The choice of map `index`, or of the activation right before it where the head is as simple from there."""
    found = run.maps[index]
    reason = "the last feature map before the head, " + (
        "after its activation" if found.activated else "though no activation: no module puts one out behind it"
    )
    source = found.source
    if not found.activated and source is not None and run.maps[source].activated and _names(run.maps[source]):
        name = _name(run.maps[source])
        earlier, its_maps = _tail(model, name, noise)
        head = head_of(earlier, its_maps, convolutions_follow=True)
        if head.kind == "gap_linear":
            reason = f"the last activation; only '{_name(found)}', which keeps places apart, lies before the head"
            return _choice(run, source, name, reason, earlier, its_maps, candidates)
    return _choice(run, index, _name(found), reason, tail, maps, candidates)


def _choice(
    run: Trace, index: int, name: str, reason: str, tail: Tail, maps: Tensor, candidates: tuple[Candidate, ...]
) -> LayerChoice:
    found = run.maps[index]
    follow = any(later.spatial and later.learned for later in run.maps[index + 1 :])
    head = head_of(tail, maps, convolutions_follow=follow)
    return LayerChoice(
        name, found.channels, found.height, found.width, found.activated, reason, head, candidates
    )  # fmt: skip


def _tail(model: nn.Module, layer: str, images: Tensor) -> tuple[Tail, Tensor]:
    maps, calls, logits = capture_maps(model, images, layer)
    return tail_of(model, layer, images, calls=calls, maps=maps, logits=logits), maps


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


def names_of(choice: "LayerChoice | Sequence[str]") -> Iterator[str]:
    """The layer names that a choice or a list of names stands for."""
    yield from ([choice.name] if isinstance(choice, LayerChoice) else choice)
