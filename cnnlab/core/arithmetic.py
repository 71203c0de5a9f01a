"""The output-size formula of a sliding window, with its numbers filled in.

Source: Dumoulin & Visin 2016, arXiv:1603.07285; `torch.nn.Conv2d` documentation.
"""

from cnnlab.core.errors import ShapeError

Shape = tuple[int, ...]
"""The shape of one example, without the batch: (channels, height, width) or (features,)."""


def output_size(size: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Outputs along one axis: floor((size + 2·padding − dilation·(kernel − 1) − 1)/stride) + 1, in pixels."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def output_size_formula(size: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1) -> str:
    """The same with its numbers, such as `floor((32 + 2·1 − 1·(3−1) − 1)/2) + 1 = 16`."""
    result = output_size(size, kernel, stride=stride, padding=padding, dilation=dilation)
    return f"floor(({size} + 2·{padding} − {dilation}·({kernel}−1) − 1)/{stride}) + 1 = {result}"


def smallest_padding(size: int, kernel: int, *, dilation: int = 1) -> int:
    """The least symmetric padding with which the window fits at least once."""
    return max(0, -(-(dilation * (kernel - 1) + 1 - size) // 2))


def window_shape(
    shape: Shape,
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> tuple[int, int]:
    """Height and width after a window has slid over `shape` = (channels, height, width).

    Raises: ShapeError when the window is larger than the padded picture, with the formula and a padding that fits.
    """
    sizes = []
    for axis, name in enumerate(("height", "width")):
        numbers = {"stride": stride[axis], "padding": padding[axis], "dilation": dilation[axis]}
        size, k = shape[axis + 1], kernel[axis]
        result = output_size(size, k, **numbers)
        if result < 1:
            fit = smallest_padding(size, k, dilation=dilation[axis])
            raise ShapeError(
                f"the {name} of its input, {size}, is too small for a kernel of {k}: "
                f"{output_size_formula(size, k, **numbers)}; padding: {fit} would fit"
            )
        sizes.append(result)
    return sizes[0], sizes[1]
