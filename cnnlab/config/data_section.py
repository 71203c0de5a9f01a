"""The section `data` of a config: which images, with which labels, in which part."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from cnnlab.core.arithmetic import Shape
from cnnlab.core.characters import printable, shortened
from cnnlab.core.quantities import NonNegative, Positive, PositiveNumber
from cnnlab.core.registry import Section, as_data
from cnnlab.data import catalog as _data_catalog  # noqa: F401  (it fills the registries)
from cnnlab.data.registry import AugmentationChoice, DatasetChoice, image_of


def _a_share(value: Any) -> Any:
    """`value`, unless it is a word: then somebody means a folder.

    Raises: ValueError, which says where a folder is named.
    """
    try:
        float(value if isinstance(value, str) else 0)
    except ValueError:
        raise ValueError(
            f"'{value[:40]}' is no share of the training part, such as 0.1; the folder of a validation part is an "
            "option of the data set: dataset: {folder: {path: …, validation: val}}"
        ) from None
    return value


ValidationShare = Annotated[float, Field(ge=0, le=0.9), BeforeValidator(_a_share)]


def _digits(value: Any) -> Any:
    """`value`, or its digits where it is a whole number, as Python has them."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _each_once(classes: list[str]) -> list[str]:
    """`classes`, where none is there twice.

    Raises: ValueError with the one that is.
    """
    twice = next((one for number, one in enumerate(classes) if one in classes[:number]), None)
    if twice is not None:
        raise ValueError(f"has '{shortened(printable(twice), 60)}' twice")
    return classes


Classes = Annotated[
    list[Annotated[str, Field(min_length=1), BeforeValidator(_digits)]],
    Field(min_length=2),
    AfterValidator(_each_once),
]


class Fold(Section):
    """All of the training part but one of its folds is learned from, and that one is the validation part."""

    number: Positive = Field(description="of the fold that is kept out, from 1")
    of: Annotated[int, Field(ge=2, le=1000)] = Field(description="folds, with an equal share of each class")


class LabelNoise(Section):
    """Labels of the training part that are made wrong on purpose, to measure what finds them or what they cost."""

    swap: Annotated[float, Field(gt=0, lt=1)] = Field(description="the share of images that get another class")
    seed: NonNegative = Field(default=0, description="of the choice of images and classes, whatever `seed` is")


class Data(Section):
    """Which images, and what happens to them before the network sees them."""

    dataset: DatasetChoice = Field(default="shapes", description="a data set; `cnnlab list datasets`")  # type: ignore[assignment]
    classes: Classes | None = Field(
        default=None, description="names or numbers of those that are there, in the order of the logits; null for all"
    )
    assumed_classes: Positive | None = Field(
        default=None,
        description="how many there are where no data is loaded, as for `cnnlab summary`; a training takes the data's",
    )
    validation: ValidationShare = Field(default=0.1, description="the share of the training part kept for validation")
    fold: Fold | None = Field(
        default=None, description="a validation part that is one of several folds, in place of a share; null for none"
    )
    split_seed: NonNegative | None = Field(
        default=None, description="of the split and of `take`, where it is to stay the same whatever `seed` is"
    )
    take: Positive | None = Field(
        default=None, description="so many images of the training part alone, the classes in turn; null for all"
    )
    corrections: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="a CSV of images of the training part that are left out or have another label, as `cnnlab data "
        "label-errors` writes one; null for none",
    )
    label_noise: LabelNoise | None = Field(
        default=None, description="labels of the training part that are made wrong on purpose; null for none"
    )
    mean: Annotated[list[float], Field(min_length=1)] | None = Field(
        default=None, description="of pixels in 0 … 1, taken off, by channel; null for that of the training part"
    )
    std: Annotated[list[PositiveNumber], Field(min_length=1)] | None = Field(
        default=None, description="what is divided by, likewise; both or neither"
    )
    augment: list[AugmentationChoice] = Field(default=[], description="changes of each training batch, in order")

    @property
    def known(self) -> tuple[Shape | None, int | None]:
        """The shape of an image and the number of classes, as far as they are known without loading any."""
        shape, count = image_of(self.dataset)
        return shape, count if self.classes is None else len(self.classes)

    @property
    def made_for(self) -> int | None:
        """The number of classes that the network is made for where no data is loaded, as far as it is known."""
        return (self.assumed_classes or self.known[1]) if self.classes is None else len(self.classes)

    @property
    def identity(self) -> dict[str, Any]:
        """What decides which images there are, with which labels, and in which part; but for seeds and `take`."""
        names = ("dataset", "classes", "validation", "fold", "corrections", "label_noise")
        return {name: as_data(getattr(self, name)) for name in names}
