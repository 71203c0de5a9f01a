"""A search over a space of configs from Python: `cnnlab.sweep`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cnnlab.api.asked_config import AskedConfig, Overrides, config_of, overrides_of
from cnnlab.api.result import Result, plain
from cnnlab.api.untouched import untouched
from cnnlab.api.values import path_of, path_or_none
from cnnlab.config.config import Config
from cnnlab.network.session import Session
from cnnlab.recipe.sweep_facts import Sweep
from cnnlab.recipe.sweep_report import sweep_report
from cnnlab.recipe.sweep_run import SweepOptions, prepared_sweep
from cnnlab.recipe.sweep_run import sweep as search
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class SweepResult(Result):
    """A study as it stood when this process was done."""

    facts: Sweep
    folder: Path
    """With the runs, and the config of the best one."""

    @property
    def best(self) -> Mapping[str, Any]:
        """The values of the best complete trial, by key; nothing where none is complete."""
        return {} if self.facts.best is None else dict(self.facts.best.values)

    @property
    def accuracy(self) -> float | None:
        """Of the best complete trial on the validation part, 0 … 1."""
        return None if self.facts.best is None else self.facts.best.accuracy

    @property
    def report(self) -> Report:
        """The best trial, parallel coordinates, importances, every trial."""
        return sweep_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """What `cnnlab sweep --json` prints."""
        return plain(self.facts.as_json())


def sweep(
    config: AskedConfig = None,
    *,
    space: Mapping[str, str],
    trials: int = 20,
    overrides: Overrides = (),
    epochs: int | None = None,
    sampler: Literal["tpe", "random"] = "tpe",
    pruner: Literal["median", "none"] = "median",
    storage: str | Path | None = None,
    name: str | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    runs: str | Path = "runs",
    allow_plugins: bool = False,
) -> SweepResult:
    """Search a space of configs with Optuna; other processes may work on the same study at the same time.

    Ctrl-C ends the training with its step, and raises KeyboardInterrupt: the same call goes on there.

    Arguments:
        config: a file, a mapping with what stands in one, a `Config`, or None for the built-in quickstart.
        space: of each key `log(1e-3,1)`, `uniform(0,0.5)`, `int(1,5)` or `choice(a,b)`.
        trials: as many are to be in the study, those of all workers together.
        overrides: changes to the config itself: `{"optimizer.lr": 0.05}`, or `["optimizer.lr=0.05"]`.
        epochs: in place of the config's.
        sampler: what chooses the next values.
        pruner: what ends a trial that lags behind.
        storage: a journal's file or a database URL; by default a journal in the folder of the study.
        name: of the study; the config's name by default.
        out: the folder of the study; `runs/sweep/NAME` by default.
        seed: of the sampler.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        runs: the folder that holds the runs.
        allow_plugins: whether Python files that the config names may be run.

    Returns:
        Every trial, the best values, and which key mattered.

    Raises:
        RequestError: without Optuna, for an empty space, a bad range, a key that the config does not have, and a study
            of another config or space.
        WorkError: where a training fails, but not for a loss that diverged, which counts as an outcome.

    Example:
        >>> import cnnlab, tempfile
        >>> small = {"data.dataset": {"shapes": {"train_count": 128, "size": 16}}, "training.batch_size": 64,
        ...          "model": [{"conv": {"channels": 4}}, "relu", "global_avg_pool", "linear"]}
        >>> found = cnnlab.sweep(space={"optimizer.lr": "log(0.01,1)"}, trials=2, overrides=small, epochs=1,
        ...                      runs=tempfile.mkdtemp(), device="cpu")
        >>> list(found.best), len(found.facts.trials)
        (['optimizer.lr'], 2)
    """
    session = Session(runs=path_of("runs", runs), device_name=device, allow_plugins=allow_plugins, seed=seed)
    with untouched():
        own = overrides_of(overrides, training__epochs=epochs)
        _, config_folder = config_of(config, own, allow_plugins=allow_plugins)

        def make(changes: Sequence[str]) -> Config:
            return config_of(config, [*own, *changes], allow_plugins=allow_plugins)[0]

        asked = [f"{key}={text}" for key, text in space.items()]
        where = None if storage is None else str(storage)
        options = SweepOptions(asked, trials, sampler, pruner, where, name)
        place = path_or_none("out", out)
        study = prepared_sweep(make, options, session, out=place, config_folder=config_folder)
        *_, facts = (step for step in search(study, session) if isinstance(step, Sweep))
        return SweepResult(facts, study.folder)
