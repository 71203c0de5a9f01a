"""Attribution of a network's answers to places of the image: every method, through one function."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from cnnlab.attribution.batch import (
    Layers,
    Request,
    Smooth,
    Targets,
    batch_passes,
    batch_steps,
    batches,
    whole_batch,
)
from cnnlab.attribution.capture import Capture
from cnnlab.attribution.catalog import METHODS, Asked, chosen_methods, used
from cnnlab.attribution.maps import fused
from cnnlab.attribution.method import Batch, MethodMaps, PixelRange, UnfitError
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.registry import Component
from cnnlab.stats.probabilities import Activation
from cnnlab.walk.layouts import Layouts


@dataclass(frozen=True, eq=False)
class Attribution:
    """One method's maps for n images, with t targets each where several were asked for (then (n, t, …)).

    Nothing is brought to 0 … 1 or cut at 0: values compare between images. Only several layers, which have no common
    unit, are scaled to be averaged (`maps.fused`).
    """

    method: str
    options: Mapping[str, Any]
    """All that can be chosen of the method, as it was used."""
    layers: tuple[str, ...]
    """The layers looked at; none for a method of pixels."""
    targets: Int64[Tensor, "n *t"] | None
    """Classes; None where a function of the logits was explained."""
    maps: Float32[Tensor, "n *t h w"]
    """Maps at the layer's own size, or at the image's; positive speaks for the target unless the method has no sign."""
    per_channel: Float32[Tensor, "n *t c hi wi"] | None
    """Signed values of each colour channel, which `maps` sums or takes the largest size of."""
    scores: Float32[Tensor, "n *t"]
    """The target's logit."""
    probabilities: Float32[Tensor, "n *t"]
    """The target's probability, by the network's activation; the score again where it is a function."""
    passes: int
    """Runs of the network, forward or backward, that the method needs by itself; shared ones count for each."""
    notes: tuple[str, ...]
    """Sentences to show with the maps."""
    delta: Float32[Tensor, "n *t"] | None
    """Sum of all parts less what they should add up to, for methods that have such a sum."""


VIEWS = tuple((turned, factor) for turned in (False, True) for factor in (1.0, 0.9, 1.1))
"""Views of `smooth="aug"`: mirrored or not, times a factor of the normalised values; the image itself comes first."""


def attribute(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    targets: Targets,
    *,
    methods: str | Sequence[Asked],
    layers: Layers = "auto",
    smooth: Smooth = None,
    max_batch: int = 64,
    seed: int = 0,
    layouts: Layouts | None = None,
    pixels: PixelRange | None = None,
    activation: Activation = "softmax",
) -> tuple[Attribution, ...]:
    """Attribute the answers of `model` to places of `images`, by each of `methods`, in their order.

    All gradient CAMs share one forward pass, and one backward pass that ends at the layer; Finer-CAM and ShapleyCAM,
    which differentiate other scores, add their own. The network is left as it was, also after an exception. A method
    that the network is not made for is left out, with a note on the others.

    Arguments:
        model: a network from images to logits (n, classes).
        images: (n, c, h, w), normalised as in training; no more than `max_batch` are held at a time.
        targets: classes (n,), several for each image (n, t), or a function from logits (b, classes) to scores (b,).
        methods: names, with options where wanted: `"gradcam,rise:masks=4000"`, `["gradcam", "rise:masks=4000"]`, or
            `[{"integrated_gradients": {"baseline": tensor}}]`; `cnnlab list methods` says what there is.
        layers: names, a `LayerChoice`, or "auto": the last feature map before the head (`layers.choose_layer`); of
            several, the maps are scaled and averaged.
        smooth: of CAMs only: "aug" averages the maps of mirrored and dimmed images (six times the passes), "eigen"
            takes the first principal component of the weighted feature maps.
        max_batch: images that go through the network at a time.
        seed: of the methods that draw.
        layouts: the network's for images of this size, where the caller has them (as of a `LayerChoice`); finding them
            takes a walk.
        pixels: what the network sees where an image is black or white, for baselines of these colours.
        activation: what makes probabilities of the logits, "softmax" or "sigmoid", for methods that go by those.

    Returns: raw maps with scores, notes and the options used, one `Attribution` for each method.

    Raises: RequestError for what cannot be asked (a name, an option, a layer, a class, a shape), and for a method left
        out when none remains; WorkError where the network's answers are NaN or infinite.

    Example:
        >>> import torch
        >>> from cnnlab.attribution.attribution import attribute
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 5))
        >>> lrp, covered = attribute(model, torch.rand(2, 3, 8, 8), [0, 3], methods="lrp,occlusion:window=4,stride=2")
        >>> lrp.maps.shape, covered.options["window"]
        (torch.Size([2, 8, 8]), 4)
    """
    request = Request(
        model,
        images,
        targets,
        methods,
        layers=layers,
        smooth=smooth,
        max_batch=max_batch,
        seed=seed,
        layouts=layouts,
        pixels=pixels,
        activation=activation,
    )
    for fact in attribution_steps(request):
        if not isinstance(fact, Advance):
            return fact
    raise AssertionError("the steps end with the result")


def attribution_steps(request: Request) -> Iterator[Advance | tuple[Attribution, ...]]:
    """`attribute` step by step: how far it is, and at the end the result."""
    chosen = chosen_methods(request.methods)
    whole = whole_batch(request)
    total = sum(_planned(whole, chosen, request.smooth))
    done = 0
    yield Advance("passes", done, total)
    parts: list[tuple[Capture, dict[str, MethodMaps | UnfitError]]] = []
    for part in batches(whole):
        merged: dict[str, list[MethodMaps | UnfitError]] = {}
        captured: Capture | None = None
        for turned, factor in VIEWS if request.smooth == "aug" else VIEWS[:1]:
            first = captured is None
            some = chosen if first else _cams(chosen)
            if not some:
                continue
            viewed = part.images.flip(-1) if turned else part.images
            steps = batch_steps(replace(part, images=viewed * factor if factor != 1 else viewed), some)
            while True:
                try:
                    done += next(steps)
                except StopIteration as end:
                    found, pieces = end.value
                    break
                yield Advance("passes", min(done, total), total)  # some methods end with fewer
            if first:
                captured = found
                if not bool(found.logits.isfinite().all()):
                    raise WorkError(
                        "the network's answers are NaN or infinite; its weights diverged, or the images were not "
                        "normalised as in training"
                    )
            for name, piece in pieces.items():
                merged.setdefault(name, []).append(_turned(piece) if turned else piece)
        assert captured is not None
        parts.append((captured, {name: _mean(pieces) for name, pieces in merged.items()}))
    yield _results(whole, chosen, parts)


def planned_passes(request: Request) -> dict[str, int]:
    """How many passes of at most `max_batch` images each method takes by itself, at most; little is run to find out.

    Raises: RequestError as `attribute` does.
    """
    chosen = chosen_methods(request.methods)
    whole = whole_batch(request)
    return {one.name: sum(_planned(whole, (one,), request.smooth)) for one in chosen}


def _planned(whole: Batch, chosen: Sequence[Component], smooth: Smooth) -> Iterator[int]:
    cams = _cams(chosen)
    for part in batches(whole):
        yield batch_passes(part, chosen)
        if smooth == "aug" and cams:
            yield (len(VIEWS) - 1) * batch_passes(part, cams)


def _cams(chosen: Sequence[Component]) -> tuple[Component, ...]:
    return tuple(one for one in chosen if METHODS[one.name].kind == "cam")


def _turned(piece: MethodMaps | UnfitError) -> MethodMaps | UnfitError:
    if isinstance(piece, UnfitError):
        return piece
    return replace(piece, maps=tuple(maps.flip(-1) for maps in piece.maps))


def _mean(pieces: list[MethodMaps | UnfitError]) -> MethodMaps | UnfitError:
    """One piece from those of several views."""
    first = pieces[0]
    good = [piece for piece in pieces if isinstance(piece, MethodMaps)]
    if isinstance(first, UnfitError) or len(good) == 1:
        return first
    maps = tuple(torch.stack(views).mean(0) for views in zip(*(piece.maps for piece in good), strict=True))
    return replace(first, maps=maps, passes=sum(piece.passes for piece in good))


def _results(
    whole: Batch, chosen: Sequence[Component], parts: list[tuple[Capture, dict[str, MethodMaps | UnfitError]]]
) -> tuple[Attribution, ...]:
    refused = {
        name: error for _, pieces in parts[:1] for name, error in pieces.items() if isinstance(error, UnfitError)
    }
    if len(refused) == len(chosen):
        raise RequestError("; ".join(f"{METHODS[name].label}: {error}" for name, error in refused.items()))
    left_out = tuple(f"{METHODS[name].label} was left out: {error}" for name, error in refused.items())
    target = whole.target
    logits = torch.cat([captured.logits for captured, _ in parts])
    rows = torch.arange(target.n)

    def squeezed(values: Tensor) -> Tensor:
        return values[:, 0] if target.single else values

    def joined(tensors: list[Tensor | None]) -> Tensor | None:
        there = [one for one in tensors if one is not None]
        return squeezed(torch.cat(there)).float() if there else None

    made = []
    for one in chosen:
        if one.name in refused:
            continue
        method = METHODS[one.name]
        pieces = [part[method.name] for _, part in parts]
        good = [piece for piece in pieces if isinstance(piece, MethodMaps)]
        by_layer = [torch.cat(maps) for maps in zip(*(piece.maps for piece in good), strict=True)]
        maps = by_layer[0] if len(by_layer) == 1 else fused(by_layer)
        if not bool(maps.isfinite().all()):
            raise WorkError(
                f"{method.label}: the map has NaN or infinite values where the network's answers have none: its "
                "gradients or its answers to changed images are not finite (a square root or a division by 0); "
                "leave this method out"
            )
        notes = [note for piece in good for note in piece.notes]
        notes += [warning for head in whole.heads.values() if (warning := method.warning(head))]
        if note := method.remark(maps):
            notes.append(note)
        made.append(
            Attribution(
                method=method.name,
                options=used(one),
                layers=whole.layers if method.uses_layer else (),
                targets=None if target.classes is None else squeezed(target.classes),
                maps=squeezed(maps).float(),
                per_channel=joined([piece.per_channel for piece in good]),
                scores=squeezed(target.scores(logits, rows)).float(),
                probabilities=squeezed(target.probabilities(logits, rows)).float(),
                passes=sum(piece.passes for piece in good),
                notes=(*dict.fromkeys(notes), *left_out),
                delta=joined([piece.delta for piece in good]),
            )
        )
    return tuple(made)
