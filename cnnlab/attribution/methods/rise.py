"""RISE: which pixels go along with the class's probability when random parts of the image are hidden."""

from collections.abc import Iterator
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor, nn

from cnnlab.attribution.method import Method, MethodMaps, Steps, add_to_images, passes_for, row_chunks
from cnnlab.attribution.passes import frozen_logits, in_runs
from cnnlab.attribution.target import Target, check_classes
from cnnlab.core.errors import RequestError

READY = 2**25
"""Bytes up to which all masks are held at once."""


def _check(*, masks: int, centred: bool, **options: object) -> None:
    if centred and masks < 2:
        raise RequestError("masks: is 1, expected 2 or more: less its own mean one mask has no value left")


@Method(
    name="rise",
    label="RISE",
    kind="pixel",
    sentence="how the probability goes along with seeing the place",
    paper="arXiv:1806.07421",
    passes=lambda batch, masks, **options: passes_for(batch, masks),
    perturbs=True,
    check=_check,
)
def rise(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    target: Target,
    seed: int,
    max_batch: int,
    *,
    masks: Annotated[int, Field(ge=1, le=100_000, description="Random masks, the same for every image.")] = 500,
    cells: Annotated[int, Field(ge=1, le=64, description="Cells of a mask's grid along each axis.")] = 7,
    keep: Annotated[float, Field(gt=0, lt=1, description="Probability that a cell is open.")] = 0.5,
    centred: Annotated[bool, Field(description="Take each image's mean probability off first.")] = True,
) -> Steps[MethodMaps]:
    """How the class's probability goes along with seeing each place, over images seen through random masks.

    Σ p(x · M) M / (masks · keep). Petsiuk et al. 2018, arXiv:1806.07421, equation 6.

    A mask is a grid of `cells` × `cells` that are open with probability `keep`, grown bilinearly to one cell more than
    the image and cropped at random (section 3.2). Hidden is 0, the mean colour where images are normalised.
    `centred` takes each image's mean probability off first: the sum's expectation is the same up to a constant, and
    the pattern of where the masks happened to be open, the same for every image and network, goes.
    All images get the same masks.

    Raises: RequestError where a pixel is hidden by every mask: it would have no value.
    """
    size = (images.shape[2], images.shape[3])
    grids, shifts = mask_draws(masks, cells, keep, size, seed)
    shape = (len(images), target.count)
    total = torch.zeros(*shape, *size, device=images.device)
    probability = torch.zeros(*shape, device=images.device)
    opened = torch.zeros(*size, device=images.device)
    # of several images each mask would be grown as often
    ready = grown_masks(grids, shifts, size).to(images.device) if 4 * masks * size[0] * size[1] <= READY else None

    def passes() -> Iterator[None]:
        for rows, items in row_chunks(len(images), masks, max_batch):
            drawn = grown_masks(grids[items], shifts[items], size).to(images.device) if ready is None else ready[items]
            logits = frozen_logits(model, images[rows] * drawn[:, None].to(images.dtype))
            check_classes(target, logits.shape[1])
            p = target.probabilities(logits, rows).to(total)
            add_to_images(total, rows, p[:, :, None, None] * drawn[:, None])
            add_to_images(probability, rows, p)
            opened.add_(drawn[rows == 0].sum(0))
            yield

    yield from in_runs(model, passes())
    if hidden := int((opened == 0).sum()):
        raise RequestError(
            f"masks: with {masks} of them {hidden} of {opened.numel()} pixels are never seen and have no value; "
            "expected more masks, or a larger keep"
        )
    if centred:
        total -= (probability / masks)[:, :, None, None] * opened
    return MethodMaps((total / (masks * keep),))


def mask_draws(
    masks: int, cells: int, keep: float, size: tuple[int, int], seed: int
) -> tuple[Float[Tensor, "m cells cells"], Int64[Tensor, "m 2"]]:
    """Open cells of each mask, and by how many pixels (down, right) it is shifted."""
    generator = torch.Generator().manual_seed(seed)
    grids = (torch.rand(masks, cells, cells, generator=generator) < keep).float()
    return grids, torch.stack([torch.randint(_cell(side, cells), (masks,), generator=generator) for side in size], 1)


def grown_masks(
    grids: Float[Tensor, "m cells cells"], shifts: Int64[Tensor, "m 2"], size: tuple[int, int]
) -> Float[Tensor, "m h w"]:
    """The masks at the size of the image, 0 … 1."""
    cells = grids.shape[-1]
    larger = tuple((cells + 1) * _cell(side, cells) for side in size)
    grown = F.interpolate(grids[:, None], size=larger, mode="bilinear", align_corners=False)[:, 0]
    return torch.stack([m[y : y + size[0], x : x + size[1]] for m, (y, x) in zip(grown, shifts.tolist(), strict=True)])


def _cell(side: int, cells: int) -> int:
    return -(-side // cells)
