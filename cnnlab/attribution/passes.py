"""One pass through a network that is left as it was: modes, flags, gradients and hooks."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cnnlab.attribution.target import Target, check_classes
from cnnlab.core.errors import RequestError
from cnnlab.models.failure import check_parameters, told
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.forward import forward

RUN = 8
"""Passes for which a network is frozen once."""

KNOWN = ("torch.nn.modules.", "torchvision.models.", "torchvision.ops.", "cnnlab.models.")
"""Where the layers are written of which no pass in evaluation mode leaves a trace."""


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, parameters that ask for no gradient, and autograd on; all as before afterwards.

    Parameters without `requires_grad` keep the part of the network in front of a cut free of autograd, and no gradient
    of theirs is worked out; nobody's `.grad` is touched.

    Raises: RequestError for what the network raises inside.
    """
    check_parameters(model)
    with told(), undisturbed(model), torch.inference_mode(False), torch.enable_grad():
        for parameter in model.parameters():
            if not parameter.is_inference():  # which could not be given its flag back
                parameter.requires_grad_(False)
        yield


def fitted(model: nn.Module, images: Tensor) -> Tensor:
    """`images` on the network's device and in its floating-point type."""
    if images.is_inference():
        images = images.clone()
    state = next((p for p in [*model.parameters(), *model.buffers()] if p.is_floating_point()), None)
    return images if state is None else images.to(state.device, state.dtype)


def single_precision(tensor: Tensor) -> Tensor:
    """float32 for half and bfloat16, in which sums over channels lose digits; float64 stays."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def checked_logits(output: object, target: Target | None = None, *, images: int | None = None) -> Float[Tensor, "b k"]:
    """What the network put out, as logits (b, classes) of at least single precision.

    images: how many went in.

    Raises: RequestError where it is something else, has not the classes of `target`, or not a row for each image.
    """
    if not isinstance(output, Tensor):
        raise RequestError(f"the network puts out {type(output).__name__}; expected a tensor of logits (n, classes)")
    if not output.is_floating_point():
        raise RequestError(
            f"the network puts out {output.dtype} {tuple(output.shape)}, which has no gradient (an argmax?); "
            "expected logits (n, classes) of floating-point numbers"
        )
    if output.dim() == 1 and images == 1 and len(output) > 1:
        output = output[None]  # a squeeze() took the dimension of the batch off
    if output.dim() != 2:
        raise RequestError(f"the network puts out {tuple(output.shape)}; expected logits (n, classes)")
    if images is not None and len(output) != images:
        raise RequestError(
            f"the network puts out {len(output)} rows of logits for {images} images, so that it mixes images, or has "
            "their number written into it (view(8, -1)); expected one row an image"
        )
    if target is not None:
        check_classes(target, output.shape[1])
    return single_precision(output)


def logits_of(model: nn.Module, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
    """One forward pass without gradients, in evaluation mode."""
    with frozen(model):
        return frozen_logits(model, images)


def frozen_logits(model: nn.Module, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
    """One forward pass without gradients of a network that is `frozen` already."""
    with torch.no_grad():
        return checked_logits(forward(model, fitted(model, images)), images=len(images))


def in_runs(model: nn.Module, passes: Iterator[None]) -> Iterator[int]:
    """Do `passes`, each of which asks a network that is `frozen`, several in one run where none can meet the next.

    To freeze a network and to put it back takes a millisecond or more, of a small network a tenth of a pass. One whose
    code is not known to keep nothing from a pass is frozen for each.

    Yields: how many passes were done, with the network as it was before.
    """
    at_once = RUN if keeps_nothing(model) else 1
    while True:
        with frozen(model):
            done = sum(1 for _ in islice(passes, at_once))
        if done:
            yield done
        if done < at_once:
            return


def keeps_nothing(model: nn.Module) -> bool:
    """Whether the network is known to be the same after a pass in evaluation mode: of torch's and cnnlab's layers."""
    return all(
        type(module).__module__.startswith(KNOWN) and not module._forward_hooks and not module._forward_pre_hooks
        for module in model.modules()
    )


def input_gradients(
    model: nn.Module,
    images: Float[Tensor, "b c h w"],
    target: Target,
    rows: Int64[Tensor, "b"],
    *,
    within: AbstractContextManager[object] | None = None,
) -> tuple[Float[Tensor, "b t"], Float[Tensor, "b t c h w"]]:
    """Scores and their gradients at the images: one forward pass and t backward passes.

    The forward pass runs inside the context `within`, which may change what a function's gradient is.

    Raises: RequestError where a score has no gradient at the image.
    """
    with frozen(model):
        pixels = fitted(model, images).detach().clone().requires_grad_()
        with within or nullcontext():
            logits = checked_logits(model(pixels.clone()), target, images=len(images))
        scores = target.scores(logits, rows)
        (gradients,) = score_gradients(scores, [pixels], "the images")
    return scores.detach(), gradients


def score_gradients(
    scores: Float[Tensor, "b t"], at: list[Tensor], place: str, *, keep: bool = False, needed: int | None = None
) -> list[Tensor]:
    """The gradient (b, t, …) of each of t scores at each tensor of `at`, by t backward passes.

    The graph goes unless `keep`. A tensor that a score does not depend on has gradient 0 if it is not one of the first
    `needed` (None: all).

    Raises: RequestError where a score does not depend on `at` in a way that can be differentiated.
    """
    missing = (
        f"the score has no gradient at {place}: nothing leads from there to the logits, or the network computes under "
        "torch.no_grad(), detaches or rounds on the way; methods without gradients (eigencam, scorecam, occlusion, "
        "rise) still work"
    )
    if not scores.requires_grad:
        raise RequestError(missing)
    columns: list[tuple[Tensor | None, ...]] = []
    for column in range(scores.shape[1]):
        last = column == scores.shape[1] - 1 and not keep
        columns.append(torch.autograd.grad(scores[:, column].sum(), at, retain_graph=not last, allow_unused=True))
    stacked = []
    for index, (tensor, parts) in enumerate(zip(at, zip(*columns, strict=True), strict=True)):
        if any(part is None for part in parts) and (needed is None or index < needed):
            raise RequestError(missing)
        whole = [torch.zeros_like(tensor) if part is None else part for part in parts]
        # a stack of one would be a copy of it
        one = len(whole) == 1
        stacked.append(single_precision(whole[0][:, None] if one else torch.stack(whole, 1)))
    return stacked
