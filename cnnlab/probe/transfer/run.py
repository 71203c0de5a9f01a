"""`cnnlab probe transfer`: the same few images learned from nothing, and from another network's weights."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from cnnlab.config.config import Config
from cnnlab.core.advance import Advance
from cnnlab.core.characters import some
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.data.batches import ChannelStatistics, batch_bounds
from cnnlab.data.classes import chosen_classes
from cnnlab.data.dataset import Dataset
from cnnlab.models.build import parameter_count
from cnnlab.network.fresh import new_network, outline
from cnnlab.network.inheritance import inherit
from cnnlab.network.session import Session
from cnnlab.probe.transfer.arms import SCRATCH, Arm, arms_of
from cnnlab.probe.transfer.claims import claims_of
from cnnlab.probe.transfer.facts import Cell, Source, TransferFacts
from cnnlab.runs.folder import Run
from cnnlab.runs.images import images_of, training_images
from cnnlab.stats.known import less
from cnnlab.training.report import EpochRow
from cnnlab.training.trials import Trial, check_trials, one_by_one, quiet, trained


@dataclass(frozen=True)
class TransferOptions:
    """What is asked."""

    sizes: tuple[int, ...] = (50, 100, 200, 500)
    """Images of each class, ascending; in a repeat the fewer are among the more."""
    repeats: int = 3
    """Trainings of each arm on each number of images, with images and seeds of their own."""
    freeze: tuple[int, ...] | None = None
    """Layers that are frozen, a number for each arm; by default about a third and two thirds of them."""
    source: str | None = None
    """A trained run whose weights are taken over; by default one is trained."""
    source_classes: tuple[str, ...] | None = None
    """That the source learns; by default the first half."""
    target_classes: tuple[str, ...] | None = None
    """That are learned with its weights; by default all others."""
    source_epochs: int | None = None
    """Of the source, in place of the config's."""
    epochs: int | None = None
    """Of each other training, likewise."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The trainings that are needed, and what they are of."""

    run: Run | None
    """The source, where it is trained already."""
    source: Trial | None
    """Its training, where it is not."""
    trials: dict[tuple[str, int, int], Trial]
    """By the arm, images of each class, and repeat."""
    arms: tuple[Arm, ...]
    data: str
    classes: tuple[str, ...]
    validation: int
    parameters: int
    options: TransferOptions
    schedule: str

    @property
    def in_order(self) -> list[Trial]:
        """All trainings: the source, then repeat by repeat, so that what is there is comparable."""
        return [*([self.source] if self.source else []), *self.trials.values()]


def planned(config: Config, session: Session, options: TransferOptions) -> Plan:
    """Check what is asked, and say what has to be trained for it.

    Arguments:
        config: of the network, its data and its recipe, for the source and all arms alike.
        session: where data and runs lie; its seed, seed + 1, … are those of the splits and subsets.
        options: of the experiment.

    Returns:
        The plan; nothing is trained yet.

    Raises:
        RequestError: for classes that are not there or are the source's too, more images than there are, depths that
            the network does not have, and a source whose weights do not fit.
    """
    _check(options)
    session.device  # noqa: B018  first: a wrong one is told before anything is read
    whole = images_of(config, session.place, "train")
    run = None if options.source is None else session.run(options.source)
    theirs, ours = _classes(whole, run, options)
    halves = training_images(_with_data(config, ours, session.seed), session.place)
    if halves.validation is None:
        raise RequestError("data.validation is 0; networks are compared on a validation part")
    counts = halves.train.counts()
    if options.sizes[-1] > int(counts.min()):
        raise RequestError(
            f"`per_class` has {options.sizes[-1]:,}, and the training part of {whole.name} has {int(counts.min()):,} "
            f"images of '{ours[int(counts.argmin())]}'"
        )
    model = outline(config, whole.shape, len(ours))
    arms = arms_of(model, options.freeze)
    if run is None:
        source = _source_trial(config, theirs, session.seed, options)
        name, statistics = source.name, training_images(source.config, session.place).statistics
    else:
        source, name = None, str(options.source)
        statistics = ChannelStatistics(run.record.data.mean, run.record.data.std)
    made = _ArmTrials(config, name, ours, statistics, session.seed, options)
    trials = {
        (arm.key, size, repeat): made.trial(arm, size, repeat)
        for repeat, size, arm in product(range(options.repeats), options.sizes, arms)
    }
    if run is not None:  # weights that do not fit are told before anything is trained
        last = made.trial(arms[-1], options.sizes[0], 0).config
        inherit(new_network(last, whole.shape, len(ours)), last, whole.shape, ours, session)
    return Plan(
        run,
        source,
        trials,
        arms,
        data=whole.name,
        classes=ours,
        validation=len(halves.validation),
        parameters=parameter_count(model),
        options=options,
        schedule=made.schedule,
    )


def transfer(
    plan: Plan, folder: Path, session: Session, *, config_folder: Path = Path()
) -> Iterator[Advance | TransferFacts]:
    """Train what the plan needs, and compare it.

    Arguments:
        plan: of the experiment.
        folder: of the trainings, each an ordinary run; what is there already is taken as it is.
        session: device, data, trust.
        config_folder: at which relative paths of plugins start.

    Yields:
        How far the trainings are, and at last the facts.

    Raises:
        RequestError: where the folder holds a training of another config under the same name.
        WorkError: where a training fails, and where the loss of the source diverged.
        KeyboardInterrupt: after Ctrl-C, when all is safe.

    Example:
        session = Session(device_name="cpu")
        plan = planned(read_config("cifar.yaml"), session, TransferOptions(sizes=(50, 500)))
        *_, facts = transfer(plan, Path("runs/probe/transfer/trainings"), session)
        print(facts.cell("tuned", 50).gain)
    """
    if plan.source is not None:  # the source is found by its name among the trainings
        session = replace(session, runs=folder, named=None)
    check_trials(plan.in_order, folder)
    found: dict[str, EpochRow | None] = {}
    source = plan.run
    for step in one_by_one(trained(plan.in_order, folder, session, config_folder=config_folder)):
        if isinstance(step, Advance):
            yield step
        elif step.trial is plan.source:
            source = step.run
            if step.status == "diverged":
                raise WorkError(f"the loss of the source {source.name} diverged; a smaller learning rate may help")
        else:
            found[step.trial.name] = step.last
    assert source is not None
    yield _facts(plan, source, found)


def _facts(plan: Plan, source: Run, found: Mapping[str, EpochRow | None]) -> TransferFacts:
    options, data = plan.options, source.record.data
    ends = {
        (arm.key, size): [found[plan.trials[arm.key, size, repeat].name] for repeat in range(options.repeats)]
        for arm, size in product(plan.arms, options.sizes)
    }
    known = {key: tuple(None if row is None else row.val_accuracy for row in rows) for key, rows in ends.items()}
    losses = {key: tuple(None if row is None else row.val_loss for row in rows) for key, rows in ends.items()}
    cells = tuple(
        Cell(arm, size, accuracies, less(accuracies, known[SCRATCH.key, size]), losses[arm, size])
        for (arm, size), accuracies in known.items()
    )
    return TransferFacts(
        data=plan.data,
        classes=plan.classes,
        validation=plan.validation,
        parameters=plan.parameters,
        source=Source(source.name, data.name, data.classes, data.train, source.record.outcome.val_accuracy),
        arms=plan.arms,
        sizes=options.sizes,
        repeats=options.repeats,
        schedule=plan.schedule,
        cells=cells,
        claims=tuple(claims_of(plan.arms, options.sizes, known)),
    )


def _check(options: TransferOptions) -> None:
    sizes = options.sizes
    if not sizes or list(sizes) != sorted(set(sizes)) or sizes[0] < 1:
        raise RequestError(
            f"`per_class` is {','.join(map(str, sizes))}, expected numbers of images from 1 on, each larger than the "
            "one before"
        )
    for name in ("repeats", "epochs", "source_epochs"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise RequestError(f"`{name}` is {value}, expected 1 or more")
    for name in ("source_classes", "source_epochs"):
        if options.source is not None and getattr(options, name) is not None:
            raise RequestError(f"`{name}` is of a source that is trained, and `source` names one that is there")


def _classes(whole: Dataset, run: Run | None, options: TransferOptions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes of the source and those of the target.

    Raises: RequestError where one of the two has fewer than two, or both have the same.
    """
    there = whole.classes

    def named(wanted: Sequence[str] | None, option: str) -> tuple[str, ...] | None:
        return None if wanted is None else tuple(there[one] for one in chosen_classes(wanted, there, f"`{option}`"))

    ours = named(options.target_classes, "target_classes")
    if run is not None:
        theirs = run.record.data.classes if _same_images(run, whole) else ()
    else:
        rest = [name for name in there if name not in (ours or ())]
        half = len(there) // 2 if ours is None else len(rest)
        theirs = named(options.source_classes, "source_classes") or tuple(rest[:half])
    ours = ours or tuple(name for name in there if name not in theirs)
    if common := [name for name in ours if name in theirs]:
        raise RequestError(
            f"the source has learned {some(common)} as well: nothing would be transferred; name others with "
            "`target_classes`"
        )
    for option, chosen in (("source_classes", theirs), ("target_classes", ours)):
        if len(chosen) < 2 and not (run is not None and option == "source_classes"):
            left = some(chosen) or "none"
            if run is None and len(there) < 4:
                raise RequestError(
                    f"{whole.name} has {len(there)} classes ({some(there)}), and 4 are needed: two for a source and "
                    "two others; or name a trained run of other classes as `source`"
                )
            raise RequestError(f"`{option}` has {left}, expected two classes at least, of {some(there, 12)}")
    return theirs, ours


def _same_images(run: Run, whole: Dataset) -> bool:
    """Whether a run has learned from the data set, as far as its name and place tell."""
    data, there = run.record.data, whole.places.get("train", "")
    return data.name == whole.name and Path(data.places.get("train", "")).absolute() == Path(there).absolute()


def _with_data(config: Config, classes: Sequence[str], split_seed: int, **changes: object) -> Config:
    """The config with some classes, all of their images, and a seed for the split."""
    update = {"classes": list(classes), "take": None, "split_seed": split_seed, **changes}
    return config.model_copy(update={"data": config.data.model_copy(update=update)})


def _suffix(seed: int, split_seed: int) -> str:
    return f"seed{seed}" + (f"-split{split_seed}" if split_seed else "")


def _source_trial(config: Config, classes: Sequence[str], split_seed: int, options: TransferOptions) -> Trial:
    name = f"{config.name[:60]}-source-{_suffix(config.seed, split_seed)}"
    epochs = options.source_epochs or config.training.epochs
    training = config.training.model_copy(update={"epochs": epochs, "clean_train_pictures": 0})
    with_data = quiet(_with_data(config, classes, split_seed))
    return Trial(name, with_data.model_copy(update={"name": name, "training": training}))


@dataclass(frozen=True)
class _ArmTrials:
    """What the trainings of all arms have alike."""

    config: Config
    source: str
    classes: tuple[str, ...]
    statistics: ChannelStatistics
    """Of the source's images: all arms see theirs prepared alike."""
    seed: int
    options: TransferOptions

    @property
    def shown(self) -> int:
        """Images that an epoch shows."""
        return self.options.sizes[-1] * len(self.classes)

    @property
    def epochs(self) -> int:
        return self.options.epochs or self.config.training.epochs

    @property
    def schedule(self) -> str:
        """How long each training is."""
        batch = self.config.training.batch_size
        steps = len(batch_bounds(self.shown, batch)) * self.epochs
        return (
            f"{self.epochs} epoch{'s' * (self.epochs != 1)} of {self.shown:,} images, few ones over and over: "
            f"{steps:,} steps of {batch} images for every arm and number of images"
        )

    def trial(self, arm: Arm, size: int, repeat: int) -> Trial:
        """The training of an arm from `size` images of each class."""
        config, seed = self.config, self.config.seed + repeat
        name = f"{config.name[:60]}-{arm.key}-{size}-{_suffix(seed, self.seed)}"
        training = config.training.model_copy(
            update={"epochs": self.epochs, "epoch_images": self.shown, "clean_train_pictures": 0}
        )
        mean, std = list(self.statistics.mean), list(self.statistics.std)
        taken = _with_data(config, self.classes, self.seed + repeat, take=size * len(self.classes), mean=mean, std=std)
        begins: dict[str, object] = {
            "init_from": None if arm is SCRATCH else self.source,
            "new_head": None if arm is SCRATCH else True,
            "freeze": list(arm.freeze),
            "unfreeze": {},
        }
        return Trial(name, quiet(taken).model_copy(update={"name": name, "seed": seed, "training": training} | begins))
