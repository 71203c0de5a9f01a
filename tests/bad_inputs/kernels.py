"""Kernels that are none, or that do not fit the image."""

from bad_inputs.case import Case, file
from bad_inputs.images import png

IMAGE = file("p.png", png())


def slid(wrong: str, kernel: str, message: str, *more: str, **rest: object) -> Case:
    """A sound image, and something wrong with the kernel."""
    words = " ".join(["cnnlab kernel", kernel, "p.png", *more])
    return Case(wrong, words, f"error: {message}", **{"make": IMAGE, **rest})  # type: ignore[arg-type]


KERNELS = (
    slid(
        "a kernel that is none, the nearest named",
        "sobell",
        "no kernel and no network 'sobell'. Did you mean 'sobel'? All kernels: cnnlab list kernels",
    ),
    slid(
        "two kernels at once",
        "sobel_x,sobel_y",
        "the kernel is 'sobel_x,sobel_y', which names 2 kernels; one is looked at",
    ),
    slid(
        "an option that a kernel has not",
        "gaussian:sgima=2",
        "kernel gaussian: no option 'sgima' in kernel 'gaussian'; it has sigma, size. Did you mean 'sigma'?",
    ),
    slid(
        "an option of a kernel that is no number",
        "gaussian:sigma=wide",
        "kernel gaussian: 'sigma' is 'wide', expected a number",
    ),
    slid(
        "a kernel that would be huge",
        "gaussian:sigma=99",
        "kernel gaussian: it would be 595 × 595 px, 255 at most; give its 'size'",
    ),
    slid(
        "a kernel larger than the image",
        "box:size=99",
        "the kernel box:size=99 is 99 × 99 and p.png has 8 rows: take a smaller kernel, or a larger image",
    ),
    slid(
        "a kernel in numbers with a word among them",
        "'1 0 -1; 2 zero -2'",
        "the kernel: 'zero' in row 2 is no number",
    ),
    slid(
        "a kernel in rows of different lengths",
        "'1 0 -1; 2 0'",
        "the kernel has rows of 3, 2 numbers; expected equal rows, such as '1 3 / 4 2'",
    ),
    slid(
        "a border that is none, the nearest named",
        "sobel_x",
        "--border is 'replicat', expected zero, reflect, replicate, circular or valid. Did you mean 'replicate'?",
        "--border replicat",
    ),
    slid(
        "a layer, and a kernel that is of no network",
        "sobel_x",
        "--layer is of a network, and 'sobel_x' is a kernel by itself; leave it out",
        "--layer conv1",
    ),
    slid(
        "a filter that a layer has not",
        "tiny",
        "--channel is 4: layer 'conv_bn_act1.conv' has 4 filters, from 0",
        "--channel 4",
        run=True,
    ),
    slid(
        "a kernel on a file that is no image",
        "sobel_x",
        ("p.png: is no image of a known format (JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, PPM, JPEG2000, TGA, ICO)"),
        make=file("p.png", b"hello"),
    ),
    slid("a kernel on no image", "sobel_x", "p.png: no such image, folder or pattern", make=file("q", "")),
)
