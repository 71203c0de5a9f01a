"""Experiments that cannot be made on a network."""

from bad_inputs.case import Case


def probed(wrong: str, command: str, message: str, **more: object) -> Case:
    """The trained run, asked for what cannot be measured."""
    return Case(wrong, f"cnnlab probe {command}", message, run=True, **more)  # type: ignore[arg-type]


PROBES = (
    probed(
        "a shift that leaves nothing of an image",
        "equivariance tiny --shifts 4,16",
        "error: --shifts 16: expected whole pixels from 1 to 15, for images of 16 × 16",
    ),
    probed(
        "a shift that is no number",
        "equivariance tiny --shifts half",
        "error: --shifts is 'half', expected whole pixels such as 1,2,4",
    ),
    probed(
        "a change that is none, the nearest named",
        "equivariance tiny --what-if pol=blur_pool",
        (
            "error: --what-if pol=blur_pool: no change 'pol'; known: padding, pool, activation. Did you mean 'pool'? "
            "Expected padding=circular|reflect|replicate, pool=blur_pool, activation=identity"
        ),
    ),
    probed(
        "a change to what is no such thing",
        "equivariance tiny --what-if padding=wrap",
        "error: --what-if padding=wrap: 'wrap' is no padding; expected circular|reflect|replicate",
    ),
    probed(
        "a shift larger than the image",
        "shift tiny --max-shift 16",
        "error: --max-shift is 16: expected 1 to 15 pixels, for tiny",
    ),
    probed(
        "a second network that is not there",
        "shift tiny tinny",
        "error: no run 'tinny' under runs. Did you mean 'tiny'? MODEL is a run, a config (.yaml), FILE.py:NAME, "
        "torchvision:NAME or timm:NAME.",
    ),
    probed(
        "shifts of images that are not named",
        "shift torchvision:squeezenet1_1 --input 64",
        "error: torchvision:squeezenet1_1 has no images of its own; name a folder, a CSV or a data set with --data",
    ),
    probed(
        "a probe of the test part",
        "equivariance tiny --split test",
        "error: the test part is opened by `cnnlab eval --split test` alone; use --split validation",
    ),
)
