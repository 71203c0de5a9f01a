"""A sample of a network's images, and what it answers to them: what every test of a network begins with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cnnlab.attribution.passes import logits_of
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.data.batches import normalise
from cnnlab.data.dataset import Dataset
from cnnlab.evaluation.run import group_names
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.runs.images import sample_indices
from cnnlab.stats.probabilities import class_probabilities


@dataclass(frozen=True, eq=False)
class Sample:
    """A network, and the sample in the order of the part that it is from."""

    network: Network
    """Its classes named, if only by the images."""
    split: str
    images: Dataset
    numbers: tuple[int, ...]
    """Of each image within its part, from 0."""
    groups: Sequence[str]
    """Of each image; none without `by`."""
    inputs: Float[Tensor, "n c h w"]
    """Normalised, on the device."""
    probabilities: Float[Tensor, "n classes"]
    """Probabilities of all classes, 0 … 1, on the CPU."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images, in pixels."""
        return self.network.shape[1], self.network.shape[2]

    @property
    def answers(self) -> Int64[Tensor, "n"]:
        """The class that the network finds likeliest."""
        return self.probabilities.argmax(1)

    @property
    def names(self) -> tuple[str, ...]:
        """Of each image its path, or such as validation/17."""
        return self.images.paths or tuple(f"{self.split}/{number}" for number in self.numbers)


def sample_of(
    network: Network,
    session: Session,
    *,
    split: Literal["train", "validation"] | None,
    count: int,
    purpose: str,
    by: str | None = None,
    part: Dataset | None = None,
) -> Sample:
    """Draw a sample of the images of a network's data, and ask it about them.

    Arguments:
        network: opened for images.
        session: the seed of the choice, the device, and where the data lies.
        split: None for validation, or train where no validation part was kept.
        count: images at most.
        purpose: of the choice, which is the same for the same seed and purpose.
        by: `class`, `group` or a regular expression on the path, as of an evaluation.
        part: all images of `split`, where a caller has them already.

    Returns:
        The sample with the network's answers.

    Raises:
        RequestError: where there is no such part, a run's data has changed, or `by` does not fit.
        WorkError: where the network's answers are NaN or infinite.
    """
    run = network.run
    if run is not None and split == "validation" and not run.record.data.validation:
        raise RequestError(f"the run {run.name} kept no validation part (data.validation is 0); use `split` train")
    if split is None:
        split, whole = network.held_out(session.place)
    else:
        whole = network.part(split, session.place) if part is None else part
    network = network.named_by(whole)
    names = group_names(whole, by) if by else ()
    indices = sample_indices(len(whole), count, session.seed, purpose)
    images, numbers = whole.take(indices), tuple(indices.tolist())
    inputs = normalise(images.images.to(session.device), network.preparation.statistics)
    logits = torch.cat([logits_of(network.model, some).float().cpu() for some in inputs.split(session.max_batch)])
    if not bool(logits.isfinite().all()):
        raise WorkError(f"the answers of {network.name} are NaN or infinite: its weights diverged")
    return Sample(
        network=network,
        split=network.named_part(split),
        images=images,
        numbers=numbers,
        groups=tuple(names[number] for number in numbers) if names else (),
        inputs=inputs,
        probabilities=class_probabilities(logits, network.activation),
    )
