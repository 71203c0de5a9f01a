"""A recipe taken apart from Python: `cnnlab.ablate`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.api.asked_config import AskedConfig, Overrides, config_of, overrides_of
from cnnlab.api.result import Result, plain
from cnnlab.api.untouched import untouched
from cnnlab.api.values import path_of, path_or_none
from cnnlab.config.config import Config
from cnnlab.network.session import Session
from cnnlab.recipe.facts import Ablation
from cnnlab.recipe.report import ablation_report
from cnnlab.recipe.run import AblationOptions, prepared
from cnnlab.recipe.run import ablate as ablated
from cnnlab.recipe.variants import AS_IT_IS
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class AblationResult(Result):
    """The variants of a config, each trained with the same seeds."""

    facts: Ablation
    folder: Path
    """With the trainings."""

    @property
    def accuracies(self) -> Mapping[str, float]:
        """The mean validation accuracy of each variant, 0 … 1; without those that have none."""
        return {one.label: one.accuracy.mean for one in self.facts.variants if one.accuracy is not None}

    @property
    def differences(self) -> Mapping[str, tuple[float, float, float]]:
        """Of each variant the mean difference to the baseline, and its 95 % interval; NaN where there is none."""
        found = {}
        for one in self.facts.variants:
            if (mean := self.facts.difference(one.label)) is not None:
                nan = float("nan")
                ends = (nan, nan) if mean.interval is None else (mean.interval.low, mean.interval.high)
                found[one.label] = (mean.mean, *ends)
        return found

    @property
    def report(self) -> Report:
        """Differences, variants, learning curves, claims, every training."""
        return ablation_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """What `cnnlab ablate --json` prints."""
        return plain(self.facts.as_json())


def ablate(
    config: AskedConfig = None,
    *,
    vary: Mapping[str, Sequence[Any]],
    overrides: Overrides = (),
    epochs: int | None = None,
    repeats: int = 3,
    jobs: int = 1,
    baseline: str = AS_IT_IS,
    threshold: float = 0.7,
    together: bool = False,
    out: str | Path | None = None,
    device: str = "auto",
    runs: str | Path = "runs",
    allow_plugins: bool = False,
) -> AblationResult:
    """Train a config with one switch changed at a time, each variant with the same seeds.

    What is trained already is taken from the folder; Ctrl-C ends the training with its step, and raises
    KeyboardInterrupt: the same call goes on there.

    Arguments:
        config: a file, a mapping with what stands in one, a `Config`, or None for the built-in quickstart.
        vary: the other values of each key; text is YAML, as on the command line. The key `norm` stands for every norm
            of the model.
        overrides: changes to the config itself: `{"optimizer.lr": 0.05}`, or `["optimizer.lr=0.05"]`.
        epochs: in place of the config's.
        repeats: seeds.
        jobs: trainings at a time, each in a process.
        baseline: the variant with which the others are compared, such as `schedule=constant`.
        threshold: a validation accuracy, 0 … 1; the epochs and seconds until there are told.
        together: also a variant with the first value of every key.
        out: the folder of the ablation; `runs/ablation/NAME` by default.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        runs: the folder that holds the runs.
        allow_plugins: whether Python files that the config names may be run.

    Returns:
        Mean, spread and paired differences, the epochs to the threshold, and claims.

    Raises:
        RequestError: before anything is trained: for every mistake in a changed config, a value that changes nothing,
            and a folder with trainings of another config.
        WorkError: where a training fails, but not for a loss that diverged, which is an outcome.

    Example:
        >>> import cnnlab, tempfile
        >>> small = {"data.dataset": {"shapes": {"train_count": 128, "size": 16}}, "training.batch_size": 64,
        ...          "model": [{"conv": {"channels": 4}}, "relu", "global_avg_pool", "linear"]}
        >>> found = cnnlab.ablate(vary={"data.augment": [[]]}, overrides=small, epochs=1, repeats=1,
        ...                       runs=tempfile.mkdtemp(), device="cpu")
        >>> list(found.accuracies)
        ['as it is', 'data.augment=[]']
    """
    session = Session(runs=path_of("runs", runs), device_name=device, allow_plugins=allow_plugins)
    with untouched():
        own = overrides_of(overrides, training__epochs=epochs)
        _, config_folder = config_of(config, own, allow_plugins=allow_plugins)

        def make(changes: Sequence[str]) -> Config:
            return config_of(config, [*own, *changes], allow_plugins=allow_plugins)[0]

        options = AblationOptions(
            {key: [_yaml(value) for value in values] for key, values in vary.items()},
            repeats,
            jobs=jobs,
            baseline=baseline,
            threshold=threshold,
            together=together,
        )
        place = path_or_none("out", out)
        ablation = prepared(make, options, session, out=place, config_folder=config_folder)
        *_, facts = _facts(ablated(ablation, session))
        return AblationResult(facts, ablation.folder)


def _facts(steps: Iterator[Any]) -> Iterator[Ablation]:
    return (step for step in steps if isinstance(step, Ablation))


def _yaml(value: Any) -> str:
    if isinstance(value, str):
        return value
    (text,) = overrides_of({"value": value})
    return text.partition("=")[2]
