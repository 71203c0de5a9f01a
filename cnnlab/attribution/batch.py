"""A request for attributions, checked and cut into batches of images, and all methods on one batch.

What the methods share is worked out once, and how many passes that takes is known before.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from jaxtyping import Float
from torch import Tensor, nn

from cnnlab.attribution.capture import Capture, GradientTarget, capture, passes_of
from cnnlab.attribution.catalog import Asked, chosen_methods
from cnnlab.attribution.layers import LayerChoice, choose_layer
from cnnlab.attribution.method import (
    METHODS,
    Batch,
    Known,
    MethodMaps,
    PixelRange,
    Shared,
    Steps,
    UnfitError,
    Work,
    of_methods,
)
from cnnlab.attribution.tail import Head
from cnnlab.attribution.target import ScoreFunction, target_of
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import Component
from cnnlab.stats.probabilities import Activation
from cnnlab.walk.layouts import Layouts, layouts_of

Layers: TypeAlias = Literal["auto"] | Sequence[str] | LayerChoice
Smooth: TypeAlias = Literal["aug", "eigen"] | None
Targets: TypeAlias = Tensor | Sequence[int] | ScoreFunction


@dataclass(frozen=True, eq=False)
class Request:
    """What is asked; `attribute`, whose arguments these are, says what each means."""

    model: nn.Module
    images: Float[Tensor, "n c h w"]
    targets: Targets
    methods: str | Sequence[Asked]
    layers: Layers = "auto"
    smooth: Smooth = None
    max_batch: int = 64
    seed: int = 0
    layouts: Layouts | None = None
    pixels: PixelRange | None = None
    activation: Activation = "softmax"


def whole_batch(request: Request) -> Batch:
    """The whole request as one batch, checked, with its layers found."""
    model, images, layers, layouts = request.model, request.images, request.layers, request.layouts
    if not images.is_floating_point():
        raise RequestError(f"the images are {images.dtype}; expected floating-point numbers, normalised as in training")
    if len(images) < 1:
        raise RequestError("there are no images; expected at least one")
    if request.max_batch < 1:
        raise RequestError(f"max_batch: is {request.max_batch}, expected 1 or more")
    shape = (images.shape[1], images.shape[2], images.shape[3])
    names: tuple[str, ...] = ()
    heads: dict[str, Head] = {}
    choices: list[LayerChoice] = []
    chosen = chosen_methods(request.methods)
    methods = of_methods(chosen)
    needs = {need for method in methods for need in method.needs}
    if any(method.uses_layer for method in methods):
        if isinstance(layers, LayerChoice):
            choices, layouts = [layers], layers.layouts
        else:
            layouts = layouts or layouts_of(model, shape)
            if isinstance(layers, str):
                # a name by itself would be read as a list of letters
                choices = [choose_layer(model, shape, layer=None if layers == "auto" else layers, layouts=layouts)]
            elif Known.head in needs or any(layouts.of(name, several=True).leaves_out for name in layers):
                choices = [choose_layer(model, shape, layer=name, layouts=layouts) for name in layers]
        names = tuple(choice.name for choice in choices) or tuple(dict.fromkeys(layers))  # type: ignore[arg-type]
        heads = {choice.name: choice.head for choice in choices}
        if not names:
            raise RequestError("layers: there are none; expected names of layers, or 'auto'")
    elif layouts is None and Known.layouts in needs:
        layouts = layouts_of(model, shape)  # once for all batches
    whole = Batch(
        model=model,
        images=images,
        target=target_of(request.targets, len(images), request.activation),
        layers=names,
        heads=heads,
        layouts=layouts,
        eigen=request.smooth == "eigen",
        max_batch=request.max_batch,
        seed=request.seed,
        pixels=request.pixels,
        first=0,
        of=len(images),
    )
    idle = next((choice.idle for choice in choices if choice.idle), "")
    if idle and (Known.head in needs or _wants(whole, chosen)):
        raise RequestError(f"{idle}; eigencam and scorecam, which do without, can be taken there")
    return whole


def batches(whole: Batch) -> Iterator[Batch]:
    """The request in parts of at most `max_batch` images, on the network's device."""
    state = next(whole.model.parameters(), whole.images)
    for start in range(0, len(whole.images), whole.max_batch):
        part = slice(start, start + whole.max_batch)
        yield replace(whole, images=whole.images[part].to(state.device), target=whole.target.part(part), first=start)


def batch_steps(batch: Batch, chosen: Sequence[Component]) -> Steps[tuple[Capture, dict[str, MethodMaps | UnfitError]]]:
    """Run the chosen methods on the batch; one that the network is not made for gives its error in place of a piece."""
    found = capture(
        batch.model,
        batch.images,
        batch.target,
        layers=batch.layers if any(method.uses_layer for method in of_methods(chosen)) else (),
        wants=_wants(batch, chosen),
        layouts=batch.layouts,
    )
    yield found.passes
    shared: dict[Hashable, Any] = {}
    for need in _shared(chosen):
        try:
            shared[need] = yield from need.steps(batch)
        except UnfitError as error:
            shared[need] = error
    work = Work(batch, found, shared)
    pieces: dict[str, MethodMaps | UnfitError] = {}
    for one in chosen:
        pieces[one.name] = yield from _piece(work, one)
    return found, pieces


def batch_passes(batch: Batch, chosen: Sequence[Component]) -> int:
    """Passes for the chosen methods together on one batch, at most: what they share counts once.

    Raises: RequestError for options that do not suit the images.
    """
    own = sum(METHODS[one.name].passes(batch, **one.options) for one in chosen)
    return _before(batch, chosen) + own


def _before(batch: Batch, chosen: Sequence[Component]) -> int:
    """Passes before the first method runs, one of them the forward pass that gives every method its score."""
    differentiated = passes_of(_wants(batch, chosen), batch.target.count, len(batch.layers))
    return 1 + differentiated + sum(need.passes(batch) for need in _shared(chosen))


def _piece(work: Work, one: Component) -> Steps[MethodMaps | UnfitError]:
    """The steps of one method, its passes counted."""
    batch, passes = work.batch, _before(work.batch, [one])
    try:
        steps: Steps[MethodMaps] | MethodMaps = one.build(
            work=work,
            model=batch.model,
            images=batch.images,
            target=batch.target,
            seed=batch.seed,
            max_batch=batch.max_batch,
        )
        if isinstance(steps, MethodMaps):
            return replace(steps, passes=passes)
        while True:
            done = next(steps)
            passes += done
            yield done
    except StopIteration as end:
        piece: MethodMaps = end.value
        return replace(piece, passes=passes)
    except UnfitError as error:
        return error


def _wants(batch: Batch, chosen: Sequence[Component]) -> tuple[GradientTarget, ...]:
    """What the capture has to differentiate, each once."""
    return tuple(dict.fromkeys(want for one in chosen for want in METHODS[one.name].wants(batch, **one.options)))


def _shared(chosen: Sequence[Component]) -> tuple[Shared[Any], ...]:
    needs = (need for method in of_methods(chosen) for need in method.needs)
    return tuple(dict.fromkeys(need for need in needs if isinstance(need, Shared)))
