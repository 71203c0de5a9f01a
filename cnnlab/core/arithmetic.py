"""The output-size formula of a sliding window, with its numbers filled in.

Source: Dumoulin & Visin 2016, arXiv:1603.07285; `torch.nn.Conv2d` documentation.
"""

from cnnlab.core.errors import ShapeError
from cnnlab.core.minus import formatted

Shape = tuple[int, ...]
"""The shape of one example, without the batch: (channels, height, width) or (features,)."""


def output_size(size: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Outputs along one axis: floor((size + 2·padding − dilation·(kernel − 1) − 1)/stride) + 1, in pixels."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def output_size_formula(size: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1) -> str:
    """The same with its numbers, such as `floor((32 + 2·1 − 1·(3−1) − 1)/2) + 1 = 16`."""
    result = output_size(size, kernel, stride=stride, padding=padding, dilation=dilation)
    return f"floor(({size} + 2·{padding} − {dilation}·({kernel}−1) − 1)/{stride}) + 1 = {formatted(result)}"


def transposed_size(
    size: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1, output_padding: int = 0
) -> int:
    """Outputs of a transposed convolution: (size − 1)·stride − 2·padding + dilation·(kernel − 1) + more + 1, in pixels.

    `output_padding` is the `more`: which of the sizes that a convolution with this stride would make equal.
    """
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1


def transposed_size_formula(
    size: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1, output_padding: int = 0
) -> str:
    """The same with its numbers, such as `(16 − 1)·2 − 2·1 + 1·(3−1) + 1 + 1 = 32`."""
    numbers = {"stride": stride, "padding": padding, "dilation": dilation, "output_padding": output_padding}
    result = transposed_size(size, kernel, **numbers)
    return f"({size} − 1)·{stride} − 2·{padding} + {dilation}·({kernel}−1) + {output_padding} + 1 = {formatted(result)}"


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

    Raises: ShapeError when the window is larger than the padded picture, with the formula and a padding that fits
    along both axes.
    """
    axes = [
        {"stride": stride[axis], "padding": padding[axis], "dilation": dilation[axis]} for axis in range(len(kernel))
    ]
    sizes = [output_size(n, k, **numbers) for n, k, numbers in zip(shape[1:], kernel, axes, strict=True)]
    for axis, name in enumerate(("height", "width")):
        if sizes[axis] < 1:
            size, k = shape[axis + 1], kernel[axis]
            spread = f" at dilation {dilation[axis]}" if dilation[axis] > 1 else ""
            raise ShapeError(
                f"the {name} of its input, {size}, is too small for a kernel of {k}{spread}: "
                f"{output_size_formula(size, k, **axes[axis])}; "
                f"padding: {_fitting(shape, kernel, padding, dilation)} would fit"
            )
    return sizes[0], sizes[1]


def _fitting(shape: Shape, kernel: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int]) -> str:
    """`3`, or `[3, 0]` where height and width need different ones; what is padded already stays so."""
    sides = zip(shape[1:], kernel, padding, dilation, strict=True)
    vertical, horizontal = (max(given, smallest_padding(n, k, dilation=d)) for n, k, given, d in sides)
    return str(vertical) if vertical == horizontal else f"[{vertical}, {horizontal}]"
