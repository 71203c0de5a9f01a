"""Class activation maps that are a principal component: of the feature maps, or of their products with gradients."""

from torch import Tensor

from cnnlab.attribution.cam_pieces import factored_maps, layer_maps
from cnnlab.attribution.capture import SCORE, LayerCapture
from cnnlab.attribution.maps import principal_map
from cnnlab.attribution.method import Method, Work, register
from cnnlab.attribution.methods.gradient_cams import hires_cam, of_score
from cnnlab.attribution.piece import MethodMaps, Steps, at_once


@register(
    Method(
        name="eigencam",
        label="Eigen-CAM",
        kind="cam",
        sentence="the pattern that most channels share, whatever the class",
        paper="arXiv:2008.00299",
        of_class=False,
        unasked=("gallery", "measured"),
    )
)
def eigencam(work: Work) -> Steps[MethodMaps]:
    """The first principal component of the feature maps; no gradient, and the same for every class."""
    t = work.batch.target.count

    def of_layer(layer: LayerCapture) -> Steps[Tensor]:
        return at_once(principal_map(layer.activations)[:, None].expand(-1, t, -1, -1))

    return (yield from layer_maps(work, of_layer))


@register(
    Method(
        name="eigengradcam",
        label="Eigen-Grad-CAM",
        kind="cam",
        sentence="the pattern that most channels' activation times gradient share",
        paper="arXiv:2008.00299",
        wants=of_score,
    )
)
def eigengradcam(work: Work) -> Steps[MethodMaps]:
    """The first principal component of activation times gradient."""
    return (yield from factored_maps(work, SCORE, hires_cam, eigen=True))
