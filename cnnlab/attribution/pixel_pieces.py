"""Attributions to pixels for one batch."""

from torch import Tensor

from cnnlab.attribution.capture import Capture
from cnnlab.attribution.full_gradient import full_gradient
from cnnlab.attribution.gradient_cams import FACTORS, weighted_map
from cnnlab.attribution.gradients import smooth_grad
from cnnlab.attribution.integrated_gradients import integrated_gradients
from cnnlab.attribution.maps import fused, positive_scaled, upsampled
from cnnlab.attribution.methods import Method
from cnnlab.attribution.occlusion import occlusion
from cnnlab.attribution.piece import Batch, Piece
from cnnlab.attribution.rectifiers import RectifiedGradients, Rule, rectified_gradients
from cnnlab.attribution.rise import rise
from cnnlab.attribution.steps import Steps
from cnnlab.core.errors import RequestError


def pixel_piece(batch: Batch, method: Method, found: Capture) -> Steps[Piece | RequestError]:
    """The part of a method that shares no pass with another."""
    options, model, images, target = batch.options, batch.model, batch.images, batch.target
    most, seed = batch.max_batch, batch.seed
    if method.name == "smoothgrad":
        slopes = yield from smooth_grad(
            model, images, target, samples=options.samples, noise=options.noise, seed=seed, max_batch=most
        )
        return gradient_piece(method, slopes, images, 0)
    if method.name == "integrated_gradients":
        result = yield from integrated_gradients(
            model,
            images,
            target,
            baseline=options.baseline,
            steps=options.steps,
            quadrature=options.quadrature,
            tolerance=options.tolerance,
            max_steps=options.max_steps,
            max_batch=most,
        )
        worst = float((result.delta.abs() / result.difference.abs().clamp(min=1e-12)).max())
        notes = (f"with {result.steps} steps the values add up to within {worst:.2%} of the score's difference",)
        return Piece((result.per_channel.sum(2),), result.per_channel, result.delta, notes)
    if method.name == "deconvnet":
        return guided_piece(batch, method, (yield from rectified(batch, "deconvnet")), found, extra=0)
    if method.name == "occlusion":
        window, stride = options.window_for(images.shape[2], images.shape[3])
        maps = yield from occlusion(
            model,
            images,
            target,
            found.scores,
            window=window,
            stride=stride,
            baseline=options.baseline,
            max_batch=most,
        )
        return Piece((maps,))
    if method.name == "rise":
        maps = yield from rise(
            model,
            images,
            target,
            masks=options.masks,
            cells=options.cells,
            keep=options.keep,
            centred=options.centred,
            seed=seed,
            max_batch=most,
        )
        return Piece((maps,))
    assert method.name == "fullgrad"
    full = yield from full_gradient(model, images, target, layouts=batch.layouts)
    return Piece((full.maps,), delta=full.delta, notes=_incomplete(full.delta, found.scores))


def _incomplete(delta: Tensor, scores: Tensor) -> tuple[str, ...]:
    share = float((delta.abs() / scores.abs().clamp(min=1e-12)).max())
    if share <= 0.01:
        return ()
    return (f"the parts miss up to {share:.0%} of the score: the network is not linear between its ReLUs",)


def gradient_piece(method: Method, values: Tensor, images: Tensor, passes: int) -> Piece:
    """Signed values per channel as one map: their sum where they are shares, else the largest size."""
    if method.name == "gradient_x_input":
        values = values * images[:, None].to(values)
        return Piece((values.sum(2),), values, passes=passes)
    return Piece((values.abs().amax(2),), values, passes=passes)


def rectified(batch: Batch, rule: Rule) -> Steps[RectifiedGradients | RequestError]:
    """The backward signal by `rule`, or the error that says why the network has none."""
    try:
        return (yield from rectified_gradients(batch.model, batch.images, batch.target, rule=rule))
    except RequestError as error:
        return error


def guided_piece(
    batch: Batch,
    method: Method,
    signal: RectifiedGradients | RequestError,
    found: Capture,
    *,
    extra: int | None = None,
) -> Piece | RequestError:
    """A rectifier's rule as a map, times Grad-CAM's for guided Grad-CAM; `extra` passes are the method's own."""
    if isinstance(signal, RequestError):
        return signal
    count = batch.target.count
    values, passes = signal.per_channel, 1 + count if extra is None else extra
    if method.name == "guided_gradcam":
        cams = []
        for layer in found.layers:
            a, slopes = layer.activations.repeat_interleave(count, 0), layer.gradients["score"].flatten(0, 1)
            cam = weighted_map(a, FACTORS["gradcam"](a, slopes), eigen=batch.eigen)
            cams.append(cam.reshape(-1, count, *cam.shape[1:]).clamp(min=0))
        cam = cams[0] if len(cams) == 1 else fused([positive_scaled(one) for one in cams])
        size = (values.shape[3], values.shape[4])
        values, passes = values * upsampled(cam, size)[:, :, None].to(values), passes + count
    others = signal.other_activations
    notes = (f"{', '.join(others)} kept its own gradient: the rule is one for ReLU",) if others else ()
    return Piece((values.abs().amax(2),), values, notes=notes, passes=passes)
