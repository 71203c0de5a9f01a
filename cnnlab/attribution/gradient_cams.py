"""Class activation maps from feature maps A and gradients g = ∂S/∂A: what each channel is multiplied with.

Each function gives the factor that broadcasts against A (r, k, h, w); the raw map is Σ_k factor_k · A_k, signed, at the
layer's own size. ReLU after the sum, where a paper has one, is left to whoever draws (`maps.positive_scaled`).
"""

from collections.abc import Callable
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor

from cnnlab.attribution.principal import principal_map

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


FACTORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gradcam": grad_cam,
    "counterfactual_gradcam": counterfactual_grad_cam,
    "cam": class_activation,
    "gradcam++": grad_cam_plus_plus,
    "hirescam": hires_cam,
    "xgradcam": xgrad_cam,
    "layercam": layer_cam,
    "eigengradcam": hires_cam,
    "finercam": grad_cam,
    "shapleycam": grad_cam,
}
"""By method; Finer-CAM and ShapleyCAM are Grad-CAM with a gradient of their own."""


def weighted_map(activations: Maps, factor: Float[Tensor, "r k _ _"], *, eigen: bool = False) -> Float[Tensor, "r h w"]:
    """Σ_k factor_k · A_k; with `eigen` the first principal component of the products: what they have in common."""
    if not eigen and factor.shape[2:] == (1, 1):
        # as a product of matrices, which needs no room for the products
        return (factor.flatten(1)[:, None] @ activations.flatten(2)).reshape(-1, *activations.shape[2:])
    products = factor * activations
    return principal_map(products) if eigen else products.sum(1)
