"""Class activation maps for one batch, from the shared capture."""

from cnnlab.attribution.capture import Capture, LayerCapture, passes_of
from cnnlab.attribution.gradient_cams import FACTORS, weighted_map
from cnnlab.attribution.head import Head
from cnnlab.attribution.methods import Method
from cnnlab.attribution.perturbation_cams import ablation_cam, ablation_cam_affine, recipro_cam, score_cam
from cnnlab.attribution.piece import Batch, Piece, counted, is_affine
from cnnlab.attribution.principal import principal_map
from cnnlab.attribution.steps import Steps
from cnnlab.attribution.tail import Tail, noise_for
from cnnlab.core.errors import RequestError


def cam_piece(batch: Batch, method: Method, found: Capture) -> Steps[Piece | RequestError]:
    """The raw maps of a CAM method at each layer; an error in place of them where the network is not made for it."""
    maps, passes = [], 0
    for layer in found.layers:
        if method.name == "cam" and not (
            batch.heads[layer.name].kind == "gap_linear" and batch.target.classes is not None
        ):
            return RequestError(_no_cam(batch.heads[layer.name]))
        piece = yield from counted(_layer_map(batch, method, layer, found))
        assert isinstance(piece, Piece)
        maps.append(piece.maps[0])
        passes += piece.passes
    notes = tuple(
        f"'{layer.name}' runs {layer.calls} times in one pass; its last output was used"
        for layer in found.layers
        if layer.calls > 1
    )
    if method.wants is not None:
        passes += passes_of([method.wants], batch.target.count, len(found.layers))
    return Piece(tuple(maps), notes=notes, passes=passes)


def _no_cam(head: Head) -> str:
    return (
        f"it needs a global average pool and one linear layer behind '{head.layer}', and a class to explain; "
        f"here {head.sentence}; gradcam is the same where CAM exists, and goes everywhere"
    )


def _layer_map(batch: Batch, method: Method, layer: LayerCapture, found: Capture) -> Steps[Piece | RequestError]:
    """The raw map (n, t, h, w) of one layer."""
    a, t = layer.activations, batch.target.count
    n, _, height, width = a.shape
    if method.name == "eigencam":
        return Piece((principal_map(a)[:, None].expand(-1, t, -1, -1),))
    if method.name == "reciprocam":
        tail = _tail(batch, layer)
        return Piece(((yield from recipro_cam(tail, batch.target, a, max_batch=batch.max_batch)),))
    repeated = a if t == 1 else a.repeat_interleave(t, 0)
    if method.wants is not None:
        factor = FACTORS[method.name](repeated, layer.gradients[method.wants].flatten(0, 1))
        extra = 0
    else:
        if method.name == "scorecam":
            weights = yield from score_cam(
                batch.model,
                batch.images,
                batch.target,
                a,
                weights=batch.options.score_weights,
                max_batch=batch.max_batch,
            )
            extra = 0
        elif is_affine(batch, layer.name):
            weights = ablation_cam_affine(a, layer.gradients["score"], found.scores)
            extra = t
        else:
            tail = _tail(batch, layer)
            weights = yield from ablation_cam(tail, batch.target, a, found.scores, max_batch=batch.max_batch)
            extra = 0
        factor = weights.flatten(0, 1)[..., None, None]
    eigen = batch.eigen or method.name == "eigengradcam"
    return Piece((weighted_map(repeated, factor, eigen=eigen).reshape(n, t, height, width),), passes=extra)


def _tail(batch: Batch, layer: LayerCapture) -> Tail:
    closed = batch.heads[layer.name].closed
    stem = noise_for(batch.images) if closed else None
    assert batch.layouts is not None
    return Tail(batch.model, layer.name, batch.layouts.of(layer.name), layer.calls, batch.images, stem)
