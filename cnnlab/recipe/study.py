"""A study of Optuna that several processes share: who works on which trial, and what becomes of a dead worker's."""

import logging
import socket
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cnnlab.config.differences import first_difference
from cnnlab.core.errors import RequestError, first_line
from cnnlab.core.seeds import derive_seed
from cnnlab.runs.lock import training_lock

RUN, WORKER, MACHINE, STATUS, AGAIN = "run", "worker", "machine", "status", "taken_up_again"
"""Attributes of a trial."""

SETTLING = timedelta(seconds=60)
"""What a worker needs at most from a trial's beginning to signing it."""

SAMPLERS = ("tpe", "random")
PRUNERS = ("median", "none")


def optuna_here() -> Any:
    """Optuna, quiet.

    Raises:
        RequestError: where it is not installed, with what installs it.
    """
    try:
        import optuna
    except ImportError:
        raise RequestError("a sweep needs Optuna, which is not installed: pip install 'cnnlab[sweep]'") from None
    optuna.logging.set_verbosity(logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


class SharedStudy:
    """A study, and this process as one of its workers."""

    def __init__(self, study: Any, folder: Path, *, seed: int, sampler: str) -> None:
        self.study = study
        self.folder = folder
        self._seed = seed
        self._sampler = sampler
        self.worker = uuid.uuid4().hex[:12]

    @classmethod
    def opened(
        cls,
        name: str,
        folder: Path,
        *,
        storage: str | None,
        facts: Mapping[str, Any],
        sampler: str,
        pruner: str,
        seed: int,
    ) -> "SharedStudy":
        """The study of that name; it is made where it is not there.

        Arguments:
            name: of the study.
            folder: with its runs, and by default its journal.
            storage: a journal's file, or a database URL; `folder/study.journal` by default.
            facts: config and space, by which a study is known.
            sampler: of `SAMPLERS`.
            pruner: of `PRUNERS`.
            seed: of the sampler.

        Raises:
            RequestError: where the storage cannot be opened, and for a study of another config or space, with the first
                difference.
        """
        optuna = optuna_here()
        for kind, known, given in (("sampler", SAMPLERS, sampler), ("pruner", PRUNERS, pruner)):
            if given not in known:
                raise RequestError(f"`{kind}` is '{given}', expected {' or '.join(known)}")
        try:
            study = optuna.create_study(
                study_name=name,
                storage=_storage(optuna, folder, storage),
                load_if_exists=True,
                direction="maximize",
                pruner=optuna.pruners.MedianPruner() if pruner == "median" else optuna.pruners.NopPruner(),
            )
        except _storage_errors() as error:
            place = folder / "study.journal" if storage is None else storage
            raise RequestError(f"`storage` {place}: cannot be opened: {first_line(error)}") from None
        for key, value in facts.items():
            there = study.user_attrs.get(key)
            if there is None:
                study.set_user_attr(key, value)
            elif (difference := first_difference(there, value)) is not None:
                option, was, now = difference
                raise RequestError(
                    f"the study {name} is of another {key}: {option or key} is {was} there, and {now} now; "
                    "choose another `name`"
                )
        return cls(study, folder, seed=seed, sampler=sampler)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While inside, others see that this worker lives: a lock says so, which dies with the process."""
        place = self.folder / "workers" / self.worker
        place.mkdir(parents=True, exist_ok=True)
        try:
            with training_lock(place):
                yield
        finally:
            with suppress(OSError):
                place.rmdir()

    def ask(self) -> Any:
        """The next trial, signed by this worker; one that was queued again is first.

        Its values depend on the seed, the trial's number and what was found before, not on who asks.
        """
        optuna = optuna_here()
        trial = self.study.ask()
        trial.set_user_attr(WORKER, self.worker)
        trial.set_user_attr(MACHINE, socket.gethostname())
        makes = optuna.samplers.TPESampler if self._sampler == "tpe" else optuna.samplers.RandomSampler
        self.study.sampler = makes(seed=derive_seed(self._seed, "sweep", trial.number) % 2**32)
        if RUN not in trial.user_attrs:
            trial.set_user_attr(RUN, f"trial-{trial.number:04}")
        return trial

    def queue_again(self, trial: Any) -> None:
        """Close a trial that has not ended and queue the same values again, for the same run."""
        optuna = optuna_here()
        try:
            self.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        except ValueError:  # somebody was faster
            return
        if run := trial.user_attrs.get(RUN):
            self.study.enqueue_trial(trial.params, user_attrs={RUN: run, AGAIN: trial.number})

    def take_up_dead(self) -> list[str]:
        """Queue again what dead workers have left; the runs' names."""
        optuna = optuna_here()
        found = []
        for trial in self.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            if self._is_dead(trial):
                self.queue_again(trial)
                found.append(trial.user_attrs.get(RUN, f"trial {trial.number}"))
        return found

    def _is_dead(self, trial: Any) -> bool:
        worker = trial.user_attrs.get(WORKER)
        if worker is None:
            return bool(trial.datetime_start and datetime.now() - trial.datetime_start > SETTLING)
        place = self.folder / "workers" / worker
        if worker == self.worker:
            return False
        if not place.exists():  # it ended without a word, or has a folder of its own on another machine
            return bool(trial.user_attrs.get(MACHINE) == socket.gethostname())
        try:
            with training_lock(place) as remark:
                return remark is None  # without locks nobody can tell
        except RequestError:
            return False

    def count(self, *states: str) -> int:
        """Trials in one of these states: COMPLETE, PRUNED, RUNNING, WAITING, FAIL."""
        return sum(trial.state.name in states for trial in self.study.get_trials(deepcopy=False))


def _storage(optuna: Any, folder: Path, storage: str | None) -> Any:
    if storage is not None and "://" in storage:
        return storage
    path = folder / "study.journal" if storage is None else Path(storage).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))


def _storage_errors() -> tuple[type[Exception], ...]:
    try:
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        return OSError, ValueError, ImportError
    return OSError, ValueError, ImportError, SQLAlchemyError
