"""Images that are to be explained: from files or from a run's own data, prepared, and as they were."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import Dataset
from cnnlab.data.parallel import in_parallel
from cnnlab.network.image_files import Source, Unreadable
from cnnlab.network.placement import WHOLE, Placement, placement_of
from cnnlab.network.preparation import Preparation
from cnnlab.runs.images import sample_indices


@dataclass(frozen=True, eq=False)
class ExplainedImage:
    """One image: what the network sees of it, and how to see it as it was."""

    name: str
    """Its path, or such as validation/17."""
    pixels: UInt8[Tensor, "c h w"]
    """The image as the network sees it, but for the normalisation."""
    placement: Placement
    truth: int | None
    """The number of its class, where it is known."""
    mask: Bool[Tensor, "h w"] | None
    """True where the object is."""
    source: Source | None = None
    """The source from which the image as it was is read again; without one, `pixels` are all there is."""

    def original(self) -> UInt8[Tensor, "_ _ _"]:
        """The image at its own size. It is not kept, since a folder of photos would not fit into memory.

        Raises: RequestError where it can no longer be read.
        """
        return self.pixels if self.source is None else self.source.read(1 if len(self.pixels) == 1 else 3)


def images_of_files(
    sources: Sequence[Source], preparation: Preparation, classes: Sequence[str]
) -> tuple[list[ExplainedImage], list[Unreadable]]:
    """Read `sources`, prepared exactly as `cnnlab predict` prepares them; and list those that cannot be read.

    An image in a folder that is called like a class is taken to be of it.
    """
    fitting = preparation.fitting
    numbers = {name: number for number, name in reversed(list(enumerate(classes)))}

    def prepared(source: Source) -> ExplainedImage | Unreadable:
        try:
            image = source.read(1 if preparation.shape[0] == 1 else 3)
        except RequestError as error:
            return Unreadable(source.name, str(error).removeprefix(f"{source.name}: "))
        return ExplainedImage(
            name=source.name,
            pixels=fitting(image),
            placement=placement_of(image.shape[1], image.shape[2], fitting),
            truth=numbers.get(Path(source.name).parent.name),
            mask=None,
            source=source,
        )

    found = list(in_parallel(prepared, sources))
    good = [one for one in found if isinstance(one, ExplainedImage)]
    return good, [one for one in found if isinstance(one, Unreadable)]


def images_of_part(
    part: Dataset, split: str, preparation: Preparation, *, count: int, seed: int
) -> list[ExplainedImage]:
    """`count` images of a part in the network's size, the same ones for the same seed; with labels, and masks if known.

    Those of a data set of files are drawn on as the files are.

    Raises: RequestError unless `count` ≥ 1.
    """
    if count < 1:
        raise RequestError(f"`count` is {count}; at least one image is needed")
    made = []
    for number in sample_indices(len(part), count, seed, "explanations").tolist():
        image, label, name = part.images[number], int(part.labels[number]), f"{split}/{number}"
        mask = None if part.masks is None else part.masks[number]
        placement, source = WHOLE, None
        if part.paths is not None:
            name, source = part.paths[number], Source(part.paths[number])
            _, height, width = source.read(1 if len(image) == 1 else 3).shape
            placement = placement_of(height, width, preparation.fitting)
        made.append(ExplainedImage(name, image, placement, label, mask, source))
    return made


def pixels_of(images: Sequence[ExplainedImage]) -> UInt8[Tensor, "n c h w"]:
    """What the network sees of all of them."""
    return torch.stack([image.pixels for image in images])


def masks_of(images: Sequence[ExplainedImage]) -> Bool[Tensor, "n h w"] | None:
    """The objects; None unless each image has one that is seen."""
    masks = [image.mask for image in images if image.mask is not None and bool(image.mask.any())]
    return torch.stack(masks) if len(masks) == len(images) else None
