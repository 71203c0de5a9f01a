"""All methods on one batch of pictures: what they share is worked out once."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from cnnlab.attribution.cam_pieces import cam_piece
from cnnlab.attribution.capture import Capture, Want, capture
from cnnlab.attribution.gradients import gradient
from cnnlab.attribution.methods import Method, uses_layer
from cnnlab.attribution.piece import Batch, Piece, counted, is_affine
from cnnlab.attribution.pixel_pieces import gradient_piece, guided_piece, pixel_piece, rectified
from cnnlab.attribution.rectifiers import RectifiedGradients
from cnnlab.attribution.steps import Steps
from cnnlab.core.errors import RequestError


def batch_steps(batch: Batch, methods: Sequence[Method]) -> Steps[tuple[Capture, dict[str, Piece | RequestError]]]:
    """Run `methods` on the batch; a method that the network is not made for gives its error in place of a piece."""
    wants = wants_of(batch, methods)
    options, target = batch.options, batch.target
    layers = batch.layers if any(uses_layer(method) for method in methods) else ()
    found = capture(
        batch.model,
        batch.images,
        target,
        layers=layers,
        wants=wants,
        gamma=options.gamma,
        nearest=options.nearest,
        layouts=batch.layouts,
    )
    yield found.passes
    names = {method.name for method in methods}
    pieces: dict[str, Piece | RequestError] = {}
    slopes: Tensor | None = None
    if names & {"gradient", "gradient_x_input"}:
        slopes = yield from gradient(batch.model, batch.images, target)
    guided: RectifiedGradients | RequestError | None = None
    if names & {"guided_backprop", "guided_gradcam"}:
        guided = yield from rectified(batch, "guided")
    for method in methods:
        if method.kind == "cam":
            pieces[method.name] = yield from cam_piece(batch, method, found)
        elif method.name in ("gradient", "gradient_x_input"):
            assert slopes is not None
            pieces[method.name] = gradient_piece(method, slopes, batch.images, 1 + target.count)
        elif method.name in ("guided_backprop", "guided_gradcam"):
            assert guided is not None
            pieces[method.name] = guided_piece(batch, method, guided, found)
        else:
            pieces[method.name] = yield from counted(pixel_piece(batch, method, found))
    return found, {name: _with_base(piece) for name, piece in pieces.items()}


def wants_of(batch: Batch, methods: Sequence[Method]) -> tuple[Want, ...]:
    """What the capture has to differentiate for these methods, each once."""
    wants = [method.wants for method in methods if method.wants is not None]
    if any(method.name == "ablationcam" for method in methods) and any(is_affine(batch, n) for n in batch.layers):
        wants.append("score")
    return tuple(dict.fromkeys(wants))


def _with_base(piece: Piece | RequestError) -> Piece | RequestError:
    # the forward pass that gives every method its score
    return piece if isinstance(piece, RequestError) else replace(piece, passes=piece.passes + 1)
