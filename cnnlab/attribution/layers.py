"""The layer whose feature maps are explained: chosen by one run at the real image size, with the reason."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from cnnlab.attribution.leading import Leading, leading
from cnnlab.attribution.tail import Head, Tail, head_of, tail_logits, tail_of
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
    leads: bool = True
    """Whether its maps have a part in the logits: the patches of a transformer's last block may have none."""


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
    idle: str = ""
    """Why the maps have no part in the logits, and which layer's have, where a layer was asked for that leads there
    through its class tokens alone."""

    @property
    def tokens(self) -> str:
        """`tokens of a grid of 14 × 14, 1 class token left out`; empty for maps with rows and columns of their own."""
        return self.layouts.of(self.name).tokens


@dataclass(frozen=True, eq=False)
class _Search:
    """One run of the network, among whose feature maps a layer is looked for."""

    model: nn.Module
    noise: Tensor
    """The images of the run."""
    layouts: Layouts
    run: Trace
    leading: Leading
    """How the layers with class tokens, which their maps leave out, lead to the logits."""
    tails: dict[str, tuple[Tail, Tensor]] = field(default_factory=dict)

    def tail(self, layer: str) -> tuple[Tail, Tensor]:
        """What follows the layer, and its output; tried once."""
        if layer not in self.tails:
            self.tails[layer] = tail_of(self.model, layer, self.noise, self.layouts)
        return self.tails[layer]


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
    search = _Search(model, noise, layouts, run, _leading(model, noise, layouts, run))
    if layer is not None:
        layouts.of(layer, several=True)
        index = next((index for index, one in enumerate(run.maps) if layer in _names(one)), None)
        if index is None:
            raise RequestError(f"layer '{layer}' does not put out the same when the network runs once more")
        choice = _choice(search, index, "it was asked for", *search.tail(layer))
        return (
            replace(choice, idle=_why_idle(search, layer)) if _name(run.maps[index]) in search.leading.idle else choice
        )
    return _last(search)


def _leading(model: nn.Module, noise: Tensor, layouts: Layouts, run: Trace) -> Leading:
    names = [_name(one) for one in run.maps if one.spatial and _names(one)]
    partial = [name for name in names if layouts.of(name).leaves_out]
    return leading(model, noise, partial, layouts)


def _why_idle(search: _Search, layer: str) -> str:
    grid = search.layouts.of(layer).grid
    assert grid is not None
    left = "class token" if len(grid.others) == 1 else f"{len(grid.others)} class or register tokens"
    try:
        way_out = f"name '{_last(search).name}', the last layer whose patches do"
    except RequestError as error:
        way_out = str(error)
    return (
        f"nothing leads from the patches of layer '{layer}' ({grid.height} × {grid.width}) to the logits, only from "
        f"its {left}, so that they have no gradient; {way_out}"
    )


def _last(search: _Search) -> LayerChoice:
    """The last feature map before the head."""
    maps_of_run, layouts = search.run.maps, search.layouts
    fallback: int | None = None
    of_classes: int | None = None
    for index, found in reversed(list(enumerate(maps_of_run))):
        if not found.spatial or not _names(found) or not (found.activated or found.learned):
            continue
        if _name(found) in search.leading.idle:
            continue
        tail, maps = search.tail(_name(found))
        if not tail.closed:
            fallback = index if fallback is None else fallback
        elif _one_map_per_class(tail, maps, search.run.classes):
            of_classes = index
        else:
            return _better(search, index, tail, maps)
    if fallback is None and of_classes is not None:
        reason = "the network has no feature maps but these, which are the classes' own"
        return _choice(search, of_classes, reason, *search.tail(_name(maps_of_run[of_classes])))
    if fallback is None:
        size = " x ".join(map(str, search.noise.shape[1:]))
        raise RequestError(
            f"no layer of the network has feature maps with more than one place for images of {size}"
            f"{layouts.unseen}; class activation maps need one: use a pixel method (occlusion, or gradient and "
            "integrated_gradients where the network can be differentiated)"
        )
    reason = "the last feature map of the network; parts of it lead around every layer"
    return _choice(search, fallback, reason, *search.tail(_name(maps_of_run[fallback])))


def _better(search: _Search, index: int, tail: Tail, maps: Tensor) -> LayerChoice:
    """The choice of map `index`, or of the activation right before it where the head is as simple from there."""
    found = search.run.maps[index]
    if _name(found) in search.leading.cancelling:
        behind = (at for at, one in enumerate(search.run.maps) if one.source == index and one.learned and _names(one))
        next_ = next((at for at in behind if _name(search.run.maps[at]) not in search.leading.idle), None)
        if next_ is not None:
            reason = (
                f"the last feature map that leads to the logits; at '{_name(found)}', which it normalises, gradient "
                "times activation is 0 at every place"
            )
            return _choice(search, next_, reason, *search.tail(_name(search.run.maps[next_])))
    if not found.activated and found.source is not None:
        source = search.run.maps[found.source]
        if source.activated and _names(source):
            reason = f"the last activation; only '{_name(found)}', which keeps places apart, lies before the head"
            choice = _choice(search, found.source, reason, *search.tail(_name(source)))
            if choice.head.kind == "gap_linear":
                return choice
    after = "after its activation" if found.activated else "though no activation: no module puts one out behind it"
    return _choice(search, index, f"the last feature map before the head, {after}", tail, maps)


def _choice(search: _Search, index: int, reason: str, tail: Tail, maps: Tensor) -> LayerChoice:
    """The choice of map `index`, of which `tail` is what follows and `maps` are its values."""
    found, later = search.run.maps[index], search.run.maps[index + 1 :]
    return LayerChoice(
        tail.layer,
        *found.facts,
        reason,
        head_of(tail, maps, convolutions_follow=any(one.spatial and one.learned for one in later)),
        tuple(
            Candidate(_name(one), *one.facts, leads=_name(one) not in search.leading.idle)
            for one in search.run.maps
            if one.spatial and _names(one)
        ),
        search.layouts,
    )


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
