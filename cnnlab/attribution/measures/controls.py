"""Maps that know nothing of the network: what a method has to beat before its map says something.

Removing any pixels changes an answer, and objects are mostly in the middle and full of edges: these three maps say how
much of a method's score is that. Edges are the control of Adebayo et al. 2018, arXiv:1810.03292, section 5.1.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cnnlab.core.seeds import derive_seed

CONTROLS = ("random", "centre", "edges")

CENTRE_SIGMA = 0.25
"""Standard deviation of the centre prior, in heights and widths of the image."""


def control_maps(images: Float[Tensor, "n c h w"], *, seed: int) -> dict[str, Float[Tensor, "n h w"]]:
    """One map per image and control, all ≥ 0, on the images' device, by the names in `CONTROLS`.

    `random` is uniform noise in [0, 1), `centre` a Gaussian around the middle, `edges` the length of Sobel's gradient
    of the channels' mean, the border repeated outwards.
    """
    n, _, height, width = images.shape
    generator = torch.Generator().manual_seed(derive_seed(seed, "control"))
    random = torch.rand(n, height, width, generator=generator).to(images.device)
    return {
        "random": random,
        "centre": centre_prior(height, width).to(images.device).expand(n, height, width),
        "edges": sobel(images.float().mean(1)),
    }


def centre_prior(height: int, width: int) -> Float[Tensor, "h w"]:
    """exp(−(dy² + dx²)/2σ²) with distances from the middle in heights and widths; `CENTRE_SIGMA` is σ."""
    y = ((torch.arange(height) + 0.5) / height - 0.5) / CENTRE_SIGMA
    x = ((torch.arange(width) + 0.5) / width - 0.5) / CENTRE_SIGMA
    return torch.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / 2)


def sobel(images: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """The length of the gradient, in units of brightness per pixel (Sobel's kernels divided by 8)."""
    row = torch.tensor([[1.0, 0.0, -1.0]], device=images.device) * torch.tensor(
        [[1.0], [2.0], [1.0]], device=images.device
    )
    kernels = torch.stack([row, row.mT])[:, None] / 8
    gradients = F.conv2d(F.pad(images[:, None], (1, 1, 1, 1), mode="replicate"), kernels)
    return gradients.square().sum(1).sqrt()
