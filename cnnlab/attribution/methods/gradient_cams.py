"""Class activation maps from feature maps A and gradients g = ∂S/∂A: what each channel is multiplied with.

Each function gives the factor that broadcasts against A (r, k, h, w); the raw map is Σ_k factor_k · A_k, signed, at the
layer's own size. ReLU after the sum, where a paper has one, is left to whoever draws (`maps.positive_scaled`).
"""

from dataclasses import replace
from functools import partial
from typing import Annotated, TypeAlias

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from cnnlab.attribution.cam_pieces import factored_maps, with_notes
from cnnlab.attribution.capture import CURVED_SCORE, SCORE, FinerScore, GradientTarget
from cnnlab.attribution.leading import cancels
from cnnlab.attribution.maps import principal_map
from cnnlab.attribution.method import Batch, Known, Method, MethodMaps, UnfitError, Work
from cnnlab.attribution.tail import Head

Maps: TypeAlias = Float[Tensor, "r k h w"]
Weights: TypeAlias = Float[Tensor, "r k 1 1"]


def grad_cam(activations: Maps, gradients: Maps) -> Weights:
    """w_k = mean over places of g_k. Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2."""
    return gradients.mean((2, 3), keepdim=True)


def counterfactual_grad_cam(activations: Maps, gradients: Maps) -> Weights:
    """w_k = mean of −g_k: what speaks against the class. Selvaraju et al. 2017, arXiv:1610.02391, equation 3."""
    return -gradients.mean((2, 3), keepdim=True)


def class_activation(activations: Maps, gradients: Maps) -> Weights:
    """w_k = sum over places of g_k: behind a global average, the linear layer's own weight.

    The map is CAM, M_c = Σ_k w_k^c A_k (Zhou et al. 2016, arXiv:1512.04150, equation 2), h·w times Grad-CAM's.
    """
    return gradients.sum((2, 3), keepdim=True)


def grad_cam_plus_plus(activations: Maps, gradients: Maps, *, eps: float = 0.0) -> Weights:
    """w_k = Σ_ij α_ij [g_ij]₊ with α = g² / (2g² + (Σ_ab A_ab) g³), 0 where g = 0.

    Chattopadhay et al. 2018, arXiv:1710.11063, equations 5 and 19, with Y = exp(S). Without `eps` g² is divided out,
    α = 1 / (2 + g ΣA), which holds for gradients of any size; `eps` is added to the denominator as other tools do.
    """
    total = activations.sum((2, 3), keepdim=True)
    positive = gradients.clamp(min=0)
    if eps:
        square = positive**2
        alpha = square / (2 * square + total * square * positive + eps)
    else:
        below = 2 + positive * total
        alpha = below.where(below == 0, 1 / below.where(below != 0, 1))
    return (alpha * positive).sum((2, 3), keepdim=True)


def hires_cam(activations: Maps, gradients: Maps) -> Maps:
    """g itself, place by place. Draelos and Carin 2020, arXiv:2011.08891, equation 4."""
    return gradients


def xgrad_cam(activations: Maps, gradients: Maps, *, eps: float = 0.0) -> Weights:
    """w_k = Σ_ij g_ij A_ij / Σ_ij A_ij, 0 where that sum is 0. Fu et al. 2020, arXiv:2008.02312, equation 8."""
    total = activations.sum((2, 3), keepdim=True) + eps
    weighted = (gradients * activations).sum((2, 3), keepdim=True)
    return (weighted / total.where(total != 0, 1)).where(total != 0, 0)


def layer_cam(activations: Maps, gradients: Maps) -> Maps:
    """[g]₊, place by place. Jiang et al. 2021, IEEE Transactions on Image Processing 30, equations 6 and 7."""
    return gradients.clamp(min=0)


Eps: TypeAlias = Annotated[float, Field(ge=0, le=1, description="Added to the denominator, as other tools do.")]


def of_score(batch: Batch, **options: object) -> tuple[GradientTarget, ...]:
    """The gradient of the target's own score."""
    return (SCORE,)


def averages_away(head: Head) -> str | None:
    """The caution on Grad-CAM where the head weighs every place by itself."""
    if head.kind != "flatten_dense":
        return None
    return (
        f"behind '{head.layer}' the head weighs every place by itself, which Grad-CAM averages away: on such a "
        "network its maps were no better than random ones; hirescam or integrated_gradients keep the places"
    )


@Method(
    name="gradcam",
    label="Grad-CAM",
    kind="cam",
    sentence="channels weighted by their mean gradient",
    paper="arXiv:1610.02391",
    wants=of_score,
    warning=averages_away,
    first_for=("gap_linear", "gap_dense"),
    unasked=("gallery", "measured"),
)
def gradcam(work: Work) -> MethodMaps:
    """Channels weighted by the mean of their gradient over places."""
    return factored_maps(work, SCORE, grad_cam)


@Method(
    name="gradcam++",
    label="Grad-CAM++",
    kind="cam",
    sentence="channels weighted by where their gradient is positive",
    paper="arXiv:1710.11063",
    wants=of_score,
)
def gradcam_plus_plus(work: Work, *, eps: Eps = 0.0) -> MethodMaps:
    """Channels weighted by where their gradient is positive."""
    return factored_maps(work, SCORE, partial(grad_cam_plus_plus, eps=eps))


@Method(
    name="hirescam",
    label="HiResCAM",
    kind="cam",
    sentence="activation times gradient, place by place",
    paper="arXiv:2011.08891",
    wants=of_score,
    first_for=("flatten_dense", "other"),
    unasked=("gallery", "measured"),
)
def hirescam(work: Work) -> MethodMaps:
    """Activation times gradient, place by place: behind dense layers the map sums to the logit."""
    found = factored_maps(work, SCORE, hires_cam)
    notes = tuple(
        f"at '{layer.name}' gradient times activation adds up to 0 over the channels at every place, as in front of a "
        "normalisation over channels: what HiResCAM shows there is rounding; name the layer of that normalisation, or "
        "take gradcam"
        for layer in work.capture.layers
        if cancels(layer.gradients[SCORE] * layer.activations[:, None], 2)
    )
    return replace(found, notes=found.notes + notes)


@Method(
    name="xgradcam",
    label="XGrad-CAM",
    kind="cam",
    sentence="channels weighted by their gradient where they are active",
    paper="arXiv:2008.02312",
    wants=of_score,
)
def xgradcam(work: Work, *, eps: Eps = 0.0) -> MethodMaps:
    """Channels weighted by their gradient where they are active."""
    return factored_maps(work, SCORE, partial(xgrad_cam, eps=eps))


@Method(
    name="layercam",
    label="LayerCAM",
    kind="cam",
    sentence="activation times positive gradient, place by place",
    paper="doi:10.1109/TIP.2021.3089943",
    wants=of_score,
    signed=False,
    unasked=("gallery", "measured"),
)
def layercam(work: Work) -> MethodMaps:
    """Activation times positive gradient, place by place: for layers far from the head, too."""
    return factored_maps(work, SCORE, layer_cam)


@Method(
    name="cam",
    label="CAM",
    kind="cam",
    sentence="channels weighted by the linear layer behind the global average",
    paper="arXiv:1512.04150",
    wants=of_score,
    needs=(Known.head,),
)
def cam(work: Work) -> MethodMaps:
    """Channels weighted by the linear layer behind the global average; refused where there is none."""
    batch = work.batch
    for layer in work.capture.layers:
        head = batch.heads[layer.name]
        if head.kind != "gap_linear" or batch.target.classes is None:
            raise UnfitError(
                f"it needs a global average pool and one linear layer behind '{layer.name}', and a class to explain; "
                f"here {head.sentence}; gradcam is the same where CAM exists, and goes everywhere"
            )
    return factored_maps(work, SCORE, class_activation)


@Method(
    name="finercam",
    label="Finer-CAM",
    kind="cam",
    sentence="Grad-CAM of the score less that of the nearest classes",
    paper="arXiv:2501.11309",
    wants=lambda batch, gamma, nearest: (FinerScore(gamma, nearest),),
)
def finercam(
    work: Work,
    *,
    gamma: Annotated[
        float, Field(ge=0, le=1000, description="How much of the nearest classes' mean logit is taken off.")
    ] = 0.6,
    nearest: Annotated[int, Field(ge=1, le=1_000_000, description="How many classes that is.")] = 3,
) -> MethodMaps:
    """Grad-CAM of the score less that of the nearest classes: what tells the class from those like it."""
    return factored_maps(work, FinerScore(gamma, nearest), grad_cam)


@Method(
    name="shapleycam",
    label="ShapleyCAM",
    kind="cam",
    sentence="channels weighted by gradient less half of its curvature",
    paper="arXiv:2501.06261",
    wants=lambda batch: (CURVED_SCORE,),
)
def shapleycam(work: Work) -> MethodMaps:
    """Channels weighted by gradient less half of its curvature, of the logit and its log-probability."""
    return factored_maps(work, CURVED_SCORE, grad_cam)


@Method(
    name="counterfactual_gradcam",
    label="counterfactual Grad-CAM",
    kind="cam",
    sentence="what speaks against the class",
    paper="arXiv:1610.02391",
    wants=of_score,
    against=True,
)
def counterfactual_gradcam(work: Work) -> MethodMaps:
    """Grad-CAM turned round: what speaks against the class."""
    return factored_maps(work, SCORE, counterfactual_grad_cam)


@Method(
    name="eigencam",
    label="Eigen-CAM",
    kind="cam",
    sentence="the pattern that most channels share, whatever the class",
    paper="arXiv:2008.00299",
    of_class=False,
    unasked=("gallery", "measured"),
)
def eigencam(work: Work) -> MethodMaps:
    """The first principal component of the feature maps; no gradient, and the same for every class."""
    maps = (principal_map(layer.activations)[:, None] for layer in work.capture.layers)
    return with_notes(work, (each.expand(-1, work.batch.target.count, -1, -1) for each in maps))


@Method(
    name="eigengradcam",
    label="Eigen-Grad-CAM",
    kind="cam",
    sentence="the pattern that most channels' activation times gradient share",
    paper="arXiv:2008.00299",
    wants=of_score,
)
def eigengradcam(work: Work) -> MethodMaps:
    """The first principal component of activation times gradient."""
    return factored_maps(work, SCORE, hires_cam, eigen=True)
