"""What another network's weights are worth, from Python: `cnnlab.transfer`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cnnlab.api.asked_config import AskedConfig, Overrides, config_of, overrides_of
from cnnlab.api.question import last, listed
from cnnlab.api.result import Result
from cnnlab.api.untouched import untouched
from cnnlab.api.values import path_of
from cnnlab.network.session import Session
from cnnlab.probe.transfer.facts import TransferFacts, transfer_document
from cnnlab.probe.transfer.report import transfer_report
from cnnlab.probe.transfer.run import TransferOptions, planned
from cnnlab.probe.transfer.run import transfer as measured
from cnnlab.stats.claim import Claim
from cnnlab.stats.confidence import MeanInterval
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Transfer(Result):
    """What was learned from few images, with another network's weights and without."""

    facts: TransferFacts

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What is said of taking over weights, and whether it holds here."""
        return self.facts.claims

    def accuracy(self, arm: str, images: int) -> MeanInterval | None:
        """The mean over the repeats.

        Arguments:
            arm: `scratch`, `tuned`, `head`, or `frozen2` and its like.
            images: of each class.

        Returns:
            0 … 1 with its interval; None where every training diverged.

        Raises:
            KeyError: for what was not trained.
        """
        return self.facts.cell(arm, images).mean

    def gain(self, arm: str, images: int) -> MeanInterval | None:
        """The accuracy less that from nothing, paired by repeat; arguments and errors as of `accuracy`."""
        return self.facts.cell(arm, images).gain

    @cached_property
    def report(self) -> Report:
        """The curves, the tables, and the claims."""
        return transfer_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Every training, gains and claims."""
        return transfer_document(self.facts)


def transfer(
    config: AskedConfig = None,
    *,
    source: str | Path | None = None,
    source_classes: str | Sequence[str] | None = None,
    target_classes: str | Sequence[str] | None = None,
    per_class: Sequence[int] = (50, 100, 200, 500),
    freeze: Sequence[int] | None = None,
    repeats: int = 3,
    source_epochs: int | None = None,
    epochs: int | None = None,
    overrides: Overrides = (),
    folder: str | Path = "runs/probe/transfer",
    runs: str | Path = "runs",
    seed: int = 0,
    device: str = "auto",
    allow_plugins: bool = False,
) -> Transfer:
    """Train a network on some classes, and others from few images: from its weights, and from nothing.

    Each training is a run in `folder`; one that is there already is taken as it is, an interrupted one goes on.

    Arguments:
        config: as of `cnnlab.train`: the network, its data and its recipe.
        source: a trained run whose weights are taken over; None to train one.
        source_classes: that it learns; the first half of the data set's by default.
        target_classes: that are learned with its weights; all others by default.
        per_class: numbers of training images of each class, ascending; the fewer are among the more.
        freeze: how many layers are frozen, an arm each, between none and all but the head; by default a third and two
            thirds of them.
        repeats: trainings of each, with other images, and the config's seed, seed + 1, ….
        source_epochs: of the source, in place of the config's.
        epochs: of each other training, likewise; all have as many steps.
        overrides: changes to the config, as of `cnnlab.train`.
        folder: of the trainings.
        runs: where `source` is looked up.
        seed: of the splits and subsets.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        allow_plugins: whether Python files that the config names may be run.

    Returns:
        Accuracies with their spread, gains over from nothing with intervals, and claims.

    Raises:
        RequestError: for classes that are not there or are the source's too, more images than there are, depths that
            the network does not have, and a source whose weights do not fit.
        WorkError: where a training fails.

    Example:
        >>> import cnnlab, tempfile
        >>> layers = [{"conv": {"channels": 4, "stride": 2}}, "relu", "global_avg_pool", "linear"]
        >>> data = {"dataset": {"shapes": {"train_count": 60, "size": 16}}, "validation": 0.5}
        >>> config = {"name": "tiny", "data": data, "model": layers, "training": {"epochs": 1, "batch_size": 10}}
        >>> found = cnnlab.transfer(config, per_class=[2], repeats=1, device="cpu", folder=tempfile.mkdtemp())
        >>> found.facts.classes, [arm.key for arm in found.facts.arms]
        (('cross', 'crescent', 'heart', 'arrow', 'pill'), ['scratch', 'tuned', 'head'])
    """
    session = Session(runs=path_of("runs", runs), device_name=device, seed=seed, allow_plugins=allow_plugins)
    options = TransferOptions(
        tuple(per_class),
        repeats,
        None if freeze is None else tuple(freeze),
        None if source is None else str(source),
        _names(source_classes),
        _names(target_classes),
        source_epochs,
        epochs,
    )
    with untouched():
        asked, config_folder = config_of(config, overrides_of(overrides), allow_plugins=allow_plugins)
        plan = planned(asked, session, options)
        return Transfer(last(measured(plan, path_of("folder", folder), session, config_folder=config_folder)))


def _names(classes: str | Sequence[str] | None) -> tuple[str, ...] | None:
    return None if classes is None else tuple(listed(classes))
