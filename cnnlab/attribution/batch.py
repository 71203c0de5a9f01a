"""All methods on one batch of images: what they share is worked out once, and how many passes that takes."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

from cnnlab.attribution.capture import Capture, GradientTarget, capture, passes_of
from cnnlab.attribution.method import METHODS, Shared, Work, of_methods
from cnnlab.attribution.piece import Batch, MethodMaps, Steps, UnfitError
from cnnlab.core.registry import Component


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
        steps: Steps[MethodMaps] = one.build(
            work=work,
            model=batch.model,
            images=batch.images,
            target=batch.target,
            seed=batch.seed,
            max_batch=batch.max_batch,
        )
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
