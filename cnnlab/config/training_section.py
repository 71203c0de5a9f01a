"""The sections of a config that say how a training goes: its length, averages of weights, its end, what it logs."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from cnnlab.core.durations import Duration
from cnnlab.core.quantities import Fraction, NonNegative, Positive
from cnnlab.core.registry import Section
from cnnlab.fit.compilation import CompileChoice
from cnnlab.fit.precision import PrecisionChoice

Count = Annotated[int, Field(gt=0, le=1_000_000)]
EmaDecay = Annotated[float, Field(gt=0, lt=1)]


def _each_share_once(sizes: Any) -> Any:
    """`sizes`, where no share of the training is there twice in two spellings.

    Raises: ValueError with the one that is.
    """
    seen: set[float] = set()
    for share in sizes if isinstance(sizes, Mapping) else ():
        try:
            number = float(share)
        except ValueError:
            continue  # told by its own check
        if number in seen:
            raise ValueError(f"has the share {number:g} twice")
        seen.add(number)
    return sizes


Sizes = Annotated[dict[Fraction, Annotated[int, Field(ge=1, le=10_000)]], BeforeValidator(_each_share_once)]


class Training(Section):
    """How long, in what portions, and with what arithmetic."""

    epochs: Count = Field(default=10, description="passes over the training part")
    time_budget: Duration | None = Field(
        default=None,
        description="a time such as 90s, 10m or 1.5h after which the training ends, if its epochs have not ended by "
        "then; the schedule runs by the clock where that is ahead of the steps. null for none",
    )
    sizes: Sizes = Field(
        default={},
        description="progressive resolution: by the share of the training from which on it holds, the side of the "
        "images in pixels, {0: 24, 0.4: 28, 0.75: 32}; {} for their own throughout",
    )
    epoch_images: Count | None = Field(
        default=None, description="images that an epoch shows, the training part over and over; null for each once"
    )
    batch_size: Positive = Field(default=128, description="images a batch")
    accumulate: Count = Field(default=1, description="batches that make one optimizer step")
    drop_last: bool = Field(default=False, description="leave out the last batch of an epoch where it is smaller")
    precision: PrecisionChoice = Field(
        default="fp32",
        description="of convolutions and matrix products: fp32, bf16, fp16, or auto: bf16 where it is faster",
    )
    channels_last: bool = Field(default=False, description="memory layout NHWC")
    compile: CompileChoice = Field(
        default=False,
        description="torch.compile: slower to start, faster after; true, or its mode reduce-overhead or max-autotune",
    )
    deterministic: bool = Field(default=False, description="only deterministic algorithms; slower on a GPU")
    synchronized_norm: bool = Field(
        default=False, description="batch normalisation over the images of all processes, where there are several"
    )
    evaluation_batch_size: Positive = Field(default=500, description="images a batch where nothing is learned")
    clean_train_pictures: NonNegative = Field(
        default=5000, description="training images, unaugmented, on which accuracy is measured after each epoch"
    )


class Ema(Section):
    """An exponential moving average of the weights, evaluated and kept in their place."""

    decay: EmaDecay = Field(default=0.999, description="the share of the old average that an update keeps")
    every: Positive = Field(default=1, description="steps from one update to the next")


class Lookahead(Section):
    """Slow weights that follow the fast ones, which begin again from them; validated and kept in their place.

    Every so many steps slow ← d·slow + (1 − d)·fast and fast ← slow, with d = decay^every · (share of the training that
    is done)^power. Sources: Zhang et al. 2019, arXiv:1907.08610; Jordan 2024, arXiv:2404.00498.
    """

    every: Count = Field(default=5, description="steps from one meeting of the two to the next")
    decay: EmaDecay = Field(default=0.95, description="the share of the slow weights that a step keeps at the end")
    power: Annotated[float, Field(ge=0, le=100)] = Field(
        default=3.0,
        description="how late that share is reached: in proportion to the share of the training to this power",
    )


class EarlyStopping(Section):
    """Stop when validation no longer improves."""

    patience: Positive = Field(description="epochs without improvement")
    minimum_gain: Annotated[float, Field(ge=0)] = Field(default=0.0, description="of accuracy (0..1) that counts")


class Logging(Section):
    """What TensorBoard and metrics.jsonl get, and how often."""

    every_steps: Positive = Field(default=50, description="steps between two points of the training curves")
    histograms_every_epochs: NonNegative = Field(default=5, description="weights and activations; 0 for never")
    effective_field_every_epochs: NonNegative = Field(
        default=0, description="the effective receptive field of the last local layer; 0 for never"
    )
    snapshots_every_epochs: NonNegative = Field(
        default=0, description="weights kept as checkpoints/epoch-007.safetensors, for films of a training; 0 for never"
    )
    pictures: bool = Field(default=True, description="example images, augmented, with their labels")
    graph: bool = Field(default=True, description="the network as a graph")
