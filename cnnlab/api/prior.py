"""What a convolution assumes, from Python: `cnnlab.prior`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from cnnlab.api.asked_config import AskedConfig, Overrides, config_of, overrides_of
from cnnlab.api.question import last, listed
from cnnlab.api.result import Result
from cnnlab.api.untouched import untouched
from cnnlab.api.values import path_of
from cnnlab.core.errors import RequestError
from cnnlab.network.session import Session
from cnnlab.probe.prior.facts import PriorFacts, prior_document
from cnnlab.probe.prior.report import prior_report
from cnnlab.probe.prior.run import PriorOptions, planned
from cnnlab.probe.prior.run import prior as measured
from cnnlab.probe.prior.siblings import kinds_of
from cnnlab.stats.claim import Claim
from cnnlab.stats.confidence import MeanInterval
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Prior(Result):
    """What networks learned from the same few and many images."""

    facts: PriorFacts

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What is said of locality and shared weights, and whether it holds here."""
        return self.facts.claims

    def accuracy(self, network: str, images: int, task: str = "images") -> MeanInterval | None:
        """The mean over the repeats.

        Arguments:
            network: its name, such as `conv-dense` for a sibling of `conv`.
            images: that it learned from.
            task: `images`, `permuted` or `far`.

        Returns:
            0 … 1 with its interval; None where every training diverged.

        Raises:
            KeyError: for what was not trained.
        """
        return self.facts.cell(task, network, images).mean

    @cached_property
    def report(self) -> Report:
        """The curves, the tables, and the claims."""
        return prior_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Every training, differences, crossings and claims."""
        return prior_document(self.facts)


def prior(
    configs: AskedConfig | Sequence[AskedConfig] = None,
    *,
    kinds: str | Sequence[str] = (),
    sizes: Sequence[int] = (100, 300, 1000, 3000),
    repeats: int = 3,
    epochs: int | None = None,
    equal: Literal["steps", "epochs"] = "steps",
    permute: bool = False,
    far: bool = False,
    width: int = 8,
    overrides: Overrides = (),
    folder: str | Path = "runs/probe/prior",
    seed: int = 0,
    device: str = "auto",
    allow_plugins: bool = False,
) -> Prior:
    """Train dense, locally connected and convolutional networks on the same nested subsets of the images.

    Each training is a run in `folder`; one that is there already is taken as it is, an interrupted one goes on.

    Arguments:
        configs: two or more as of `cnnlab.train`, for the same images; or one, with `kinds`.
        kinds: siblings of the one config: `dense`, `local`, `conv`.
        sizes: numbers of training images, ascending; the fewer are among the more.
        repeats: trainings of each, with the config's seed, seed + 1, ….
        epochs: in place of the configs'.
        equal: `steps` for as many for few images as for many, or `epochs`.
        permute: whether they also learn images whose pixels have another order, the same for all.
        far: whether they also learn whether two marks far apart are alike.
        width: units of a dense sibling's layer for each channel of its convolution.
        overrides: changes to all configs, as of `cnnlab.train`.
        folder: of the trainings.
        seed: of the split, the subsets and the permutation.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        allow_plugins: whether Python files that a config names may be run.

    Returns:
        Accuracies with their spread, paired differences with intervals, crossings and claims.

    Raises:
        RequestError: for configs of different data, more images than there are, and layers without siblings.
        WorkError: where a training fails.

    Example:
        >>> import cnnlab, tempfile
        >>> layers = [{"conv": {"channels": 4, "stride": 2}}, "relu", "global_avg_pool", "linear"]
        >>> data = {"dataset": {"shapes": {"train_count": 60, "size": 16}}, "validation": 0.5}
        >>> config = {"name": "tiny", "data": data, "model": layers, "training": {"epochs": 1, "batch_size": 10}}
        >>> asked = {"kinds": ["dense", "conv"], "sizes": [10, 20], "repeats": 1, "device": "cpu"}
        >>> found = cnnlab.prior(config, **asked, folder=tempfile.mkdtemp())
        >>> [(one.name, one.parameters) for one in found.facts.networks]
        [('tiny-dense', 24938), ('tiny-conv', 162)]
    """
    if isinstance(equal, str) and equal not in ("steps", "epochs"):
        raise RequestError(f"`equal` is '{equal}', expected steps or epochs")
    several = list(configs) if isinstance(configs, Sequence) and not isinstance(configs, str) else [configs]
    session = Session(device_name=device, seed=seed, allow_plugins=allow_plugins)
    options = PriorOptions(
        tuple(sizes),
        repeats,
        kinds_of(",".join(listed(kinds))) if kinds else (),
        width,
        equal=equal,
        epochs=epochs,
        permute=permute,
        far=far,
    )
    with untouched():
        changes = overrides_of(overrides)
        found = [config_of(one, changes, allow_plugins=allow_plugins) for one in several]
        plan = planned([config for config, _ in found], session, options)
        return Prior(last(measured(plan, path_of("folder", folder), session, config_folder=found[0][1])))
