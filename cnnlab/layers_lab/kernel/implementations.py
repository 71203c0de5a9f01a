"""Four ways to the same convolution, as it is computed in every framework: a cross-correlation.

    y[n, o, i, j] = Σ_{c, u, v} w[o, c, u, v] · x[n, c, i + u, j + v]

with stride 1 and without padding, so that the output has height − kernel height + 1 rows; pad the images for more.
The sum has three indices and the output four: seven nested loops. What costs time is not the arithmetic, which is the
same in the first two, but how it is asked for. Sources: im2col: Chellapilla et al. 2006 (hal-00112631); FFT: Mathieu,
Henaff & LeCun 2013, arXiv:1312.5851.
"""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "n c h w"]
Filters = Float[Tensor, "o c kh kw"]
Maps = Float[Tensor, "n o i j"]


def by_loops(images: Images, filters: Filters) -> Maps:
    """Seven nested loops over Python's numbers, which are double."""
    x, w = images.tolist(), filters.tolist()
    (count, channels, height, width), (outputs, _, rows, columns) = images.shape, filters.shape
    y = images.new_zeros(count, outputs, height - rows + 1, width - columns + 1).tolist()
    for n in range(count):
        for o in range(outputs):
            for i in range(height - rows + 1):
                for j in range(width - columns + 1):
                    total = 0.0
                    for c in range(channels):
                        for u in range(rows):
                            for v in range(columns):
                                total += w[o][c][u][v] * x[n][c][i + u][j + v]
                    y[n][o][i][j] = total
    return torch.tensor(y, dtype=images.dtype)


def by_im2col(images: Images, filters: Filters) -> Maps:
    """Every window becomes a column, so that all of it is one product of two matrices."""
    (count, _, height, width), (outputs, _, rows, columns) = images.shape, filters.shape
    windows = images.unfold(2, rows, 1).unfold(3, columns, 1)  # n c i j u v, a view: nothing is copied yet
    patches = windows.permute(0, 1, 4, 5, 2, 3).flatten(4).flatten(1, 3)  # n (c u v) (i j)
    return (filters.flatten(1) @ patches).reshape(count, outputs, height - rows + 1, width - columns + 1)


def by_fft(images: Images, filters: Filters) -> Maps:
    """A product of two spectra, the filter's conjugated since it is not flipped; its cost does not know the kernel.

    The spectrum's correlation goes around the border; where a window lies inside the image it does not matter.
    """
    (_, _, height, width), (_, _, rows, columns) = images.shape, filters.shape
    spectrum = torch.fft.rfft2(images)
    answer = torch.fft.rfft2(filters, s=(height, width)).conj()
    whole: Tensor = torch.fft.irfft2(torch.einsum("nchw,ochw->nohw", spectrum, answer), s=(height, width))
    return whole[..., : height - rows + 1, : width - columns + 1]


def by_torch(images: Images, filters: Filters) -> Maps:
    """The library's own, which chooses among several ways."""
    return F.conv2d(images, filters)


WAYS: Mapping[str, Callable[[Images, Filters], Maps]] = {
    "loops": by_loops,
    "im2col": by_im2col,
    "FFT": by_fft,
    "torch": by_torch,
}
"""In the order in which they are shown; the last one is what the others are compared with."""
