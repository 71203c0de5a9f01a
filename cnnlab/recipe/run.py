"""`cnnlab ablate`: a config's variants trained with the same seeds, and how far they lie apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, did_you_mean
from cnnlab.network.session import Session
from cnnlab.recipe.facts import Ablation, Repeat, VariantFacts, first_at
from cnnlab.recipe.ingredients import claims_of
from cnnlab.recipe.plan import AblationPlan, PlannedVariant
from cnnlab.recipe.variants import AS_IT_IS, MakesConfig, Variant, variants_of
from cnnlab.runs.folder import Run
from cnnlab.runs.images import training_images
from cnnlab.training.cost import training_seconds
from cnnlab.training.report_files import epoch_rows
from cnnlab.training.trials import Trial, check_trials, in_epochs, there, trained


@dataclass(frozen=True)
class AblationOptions:
    """What is varied, and how often each variant is trained."""

    vary: Mapping[str, Sequence[str]]
    """The values of each key, as YAML."""
    repeats: int = 3
    """Seeds, from the config's own on; the same in every variant."""
    jobs: int = 1
    """Trainings at a time."""
    baseline: str = AS_IT_IS
    """The variant that the others are compared with."""
    threshold: float = 0.7
    """A validation accuracy, 0 … 1: the first epoch and the seconds until there are told."""
    together: bool = False
    """Whether all switches are changed at once, too."""


@dataclass(frozen=True)
class Prepared:
    """An ablation that can be made: its variants, checked, and where it lies."""

    variants: tuple[Variant, ...]
    options: AblationOptions
    folder: Path
    config_folder: Path = Path()

    @property
    def trainings(self) -> Path:
        """The folder of the runs."""
        return self.folder / "trainings"

    @property
    def trials(self) -> dict[str, list[Trial]]:
        """The trainings of each variant."""
        return {one.label: one.trials(self.options.repeats) for one in self.variants}

    @property
    def in_order(self) -> list[Trial]:
        """All of them: every variant with the first seed, then with the second, so that what is there is comparable."""
        return [trial for row in zip(*self.trials.values(), strict=True) for trial in row]


def prepared(
    make: MakesConfig, options: AblationOptions, session: Session, *, out: Path | None, config_folder: Path
) -> Prepared:
    """The ablation, checked.

    Arguments:
        make: the config from changes.
        options: what is varied.
        session: where runs lie.
        out: the folder of the ablation, in place of `runs/ablation/NAME`.
        config_folder: at which relative paths of the config start.

    Raises:
        RequestError: for what cannot be varied, a baseline that is no variant, a config without a validation part, and
            for a folder that holds trainings of another config, with the first difference.
        ConfigError: with every mistake in a changed config.
    """
    if options.repeats < 1 or not 0 < options.threshold < 1:
        wrong = f"`repeats` is {options.repeats}, expected 1 or more"
        if options.repeats >= 1:
            wrong = f"`threshold` is {options.threshold:g}, expected an accuracy between 0 and 1"
        raise RequestError(wrong)
    variants = variants_of(make, options.vary, together=options.together)
    labels = [one.label for one in variants]
    if options.baseline not in labels:
        raise RequestError(
            f"`baseline` '{options.baseline}' is no variant; there are {', '.join(labels)}."
            f"{did_you_mean(options.baseline, labels)}"
        )
    name = variants[0].config.name
    found = Prepared(
        variants, options, out or session.folder("ablation", without_run=f"ablation/{name}"), config_folder
    )
    check_trials(found.in_order, found.trainings)
    return found


def ablate(ablation: Prepared, session: Session) -> Iterator[Advance | Ablation]:
    """Train what is missing, and compare.

    Arguments:
        ablation: of `prepared`.
        session: device, data, trust.

    Yields:
        How many epochs of all trainings are behind; at last the facts.

    Raises:
        RequestError, WorkError: as `trained`.
        KeyboardInterrupt: after Ctrl-C, when all is safe; the same call goes on there.
    """
    trials = ablation.in_order
    steps = trained(
        trials, ablation.trainings, session, config_folder=ablation.config_folder, jobs=ablation.options.jobs
    )
    yield from (step for step in in_epochs(trials, steps) if isinstance(step, Advance))
    yield so_far(ablation)


def so_far(ablation: Prepared) -> Ablation:
    """What is there already of an ablation; nothing is trained.

    Arguments:
        ablation: of `prepared`.

    Returns:
        The facts on the trainings that have ended.
    """
    options, configs = ablation.options, {one.label: one.config for one in ablation.variants}
    runs = {
        label: [(trial, run) for trial in trials if (run := there(trial, ablation.trainings)) is not None]
        for label, trials in ablation.trials.items()
    }
    found = tuple(
        VariantFacts(label, tuple(_repeat(trial, run, options.threshold) for trial, run in pairs))
        for label, pairs in runs.items()
    )
    some = next((run for pairs in runs.values() for _, run in pairs), None)
    data = None if some is None else some.record.data
    facts = Ablation(
        name=ablation.variants[0].config.name,
        data=ablation.variants[0].config.data.dataset.name if data is None else data.name,
        train=0 if data is None else data.train,
        validation=0 if data is None else data.validation,
        variants=found,
        baseline=options.baseline,
        threshold=options.threshold,
        repeats=options.repeats,
        chance=0.0 if data is None else 1 / len(data.classes),
    )
    return replace(facts, claims=claims_of(facts, configs))


def _repeat(trial: Trial, run: Run, threshold: float) -> Repeat:
    rows, outcome = epoch_rows(run), run.record.outcome
    curve = tuple(row.val_accuracy for row in rows)
    epoch = first_at(curve, threshold)
    return Repeat(
        run=trial.name,
        seed=trial.config.seed,
        status=outcome.status,
        accuracy=outcome.val_accuracy,
        last_accuracy=rows[-1].val_accuracy if rows else None,
        clean_accuracy=rows[-1].clean_train_accuracy if rows else None,
        epochs_to_threshold=epoch,
        seconds_to_threshold=None if epoch is None else sum(row.seconds for row in rows[:epoch]),
        train_seconds=outcome.train_seconds,
        parameters=run.record.parameters,
        diagnosis=outcome.diagnosis,
        curve=curve,
    )


def plan(ablation: Prepared, session: Session) -> Iterator[Advance | AblationPlan]:
    """Tell how many trainings are missing and about how long they take; a few steps are timed, nothing is kept.

    Where a training of a variant is there, its time is taken in place of that.

    Arguments:
        ablation: of `prepared`.
        session: device, data, trust.

    Yields:
        How many variants are timed; at last the plan.

    Raises:
        RequestError: as a training that cannot begin.
    """
    found, images, of = [], None, None
    for number, variant in enumerate(ablation.variants):
        yield Advance("variants timed", number, len(ablation.variants))
        trials = ablation.trials[variant.label]
        runs = [run for trial in trials if (run := there(trial, ablation.trainings)) is not None]
        missing = len(trials) - len(runs)
        if runs:
            seconds = sum(run.record.outcome.wall_seconds for run in runs) / len(runs)
        elif missing:
            data = variant.config.data.identity
            if images is None or data != of:
                images, of = training_images(variant.config, session.place), data
            seconds = training_seconds(variant.config, session, images)
        else:
            seconds = 0.0
        found.append(PlannedVariant(variant.label, len(runs), missing, seconds))
    yield Advance("variants timed", len(ablation.variants), len(ablation.variants))
    yield AblationPlan(ablation.variants[0].config.name, tuple(found), ablation.options.jobs)
