"""A run put to the test: its network, a sample of its pictures, and what it answers to them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cnnlab.attribution.passes import logits_of
from cnnlab.attribution.targets import class_probabilities
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.data.batches import normalise
from cnnlab.data.dataset import Dataset
from cnnlab.evaluation.run import group_names
from cnnlab.network.network import RunNetwork
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run, WhichWeights
from cnnlab.runs.images import evaluation_pictures, fixed_sample

ProbedSplit = Literal["train", "validation"]


@dataclass(frozen=True)
class ProbeOptions:
    """What the command line chooses."""

    split: ProbedSplit | None
    """None for validation, or train where no validation part was kept."""
    count: int
    """Pictures at most."""
    weights: WhichWeights
    session: Session
    by: str | None = None
    """`class`, `group` or a regular expression on the path, as `cnnlab eval --by`."""


@dataclass(frozen=True, eq=False)
class ProbedRun:
    """All of it; the pictures in the order of the part that they are from."""

    network: RunNetwork
    split: str
    pictures: Dataset
    numbers: tuple[int, ...]
    """Of each picture within its part, from 0."""
    groups: Sequence[str]
    """Of each picture; none without `by`."""
    inputs: Float[Tensor, "n c h w"]
    """Normalised, on the device."""
    probabilities: Float[Tensor, "n classes"]
    """On the CPU."""

    @property
    def run(self) -> Run:
        """Whose network it is."""
        return self.network.run

    @property
    def answers(self) -> Int64[Tensor, "n"]:
        """The class that the network finds likeliest."""
        return self.probabilities.argmax(1)


def probed_split(text: str | None) -> ProbedSplit | None:
    """`text`, where it is a part that may be looked into.

    Raises: RequestError for the test part: what is learned from it is learned too early.
    """
    if text == "test":
        raise RequestError("the test part is opened by `cnnlab eval --split test` alone; use --split validation")
    assert text in (None, "train", "validation")
    return text  # type: ignore[return-value]


def probed_run(
    run: Run, options: ProbeOptions, purpose: str, *, loaded: tuple[RunNetwork, Dataset] | None = None
) -> ProbedRun:
    """Load the network and the same pictures for the same seed and purpose.

    loaded: the network, and all pictures of `options.split`, where a caller has them already.

    Raises: RequestError where the run has no weights or no such part, its data has changed, or `by` does not fit;
    WorkError where the network's answers are NaN or infinite.
    """
    kept = run.record.data.validation > 0
    split = options.split or ("validation" if kept else "train")
    if split == "validation" and not kept:
        raise RequestError(f"the run {run.name} kept no validation part (data.validation is 0); use --split train")
    if loaded is not None:
        network, part = loaded
    else:
        network = open_run(run, options.session, options.weights)
        part = evaluation_pictures(run, network.config, split, options.session.place)
    names = group_names(part, options.by) if options.by else ()
    # the numbers go along under `paths`, which stay beside their pictures
    carried = replace(part, paths=tuple(map(str, range(len(part)))))
    chosen = fixed_sample(carried, options.count, options.session.seed, purpose)
    assert chosen.paths is not None
    numbers = tuple(map(int, chosen.paths))
    paths = None if part.paths is None else tuple(part.paths[number] for number in numbers)
    inputs = normalise(chosen.images.to(options.session.device), network.preparation.statistics)
    parts = inputs.split(options.session.max_batch)
    logits = torch.cat([logits_of(network.model, some).float().cpu() for some in parts])
    if not bool(logits.isfinite().all()):
        raise WorkError(f"the answers of {run.name} are NaN or infinite: its weights diverged")
    return ProbedRun(
        network=network,
        split=split,
        pictures=replace(chosen, paths=paths),
        numbers=numbers,
        groups=tuple(names[number] for number in numbers) if names else (),
        inputs=inputs,
        probabilities=class_probabilities(logits),
    )
