"""`cnnlab probe prior`: dense, locally connected and convolutional networks, trained on the same nested subsets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from cnnlab.config.config import Config
from cnnlab.core.advance import Advance
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.data.batches import batch_bounds
from cnnlab.layers_lab.toeplitz import ConvolutionMatrix, convolution_matrix
from cnnlab.models.build import parameter_count
from cnnlab.network.fresh import new_network, outline
from cnnlab.network.session import Session
from cnnlab.probe.prior.claims import Outcome, claims_of
from cnnlab.probe.prior.crossing import crossings
from cnnlab.probe.prior.facts import Cell, Difference, Entrant, Pair, PriorFacts
from cnnlab.probe.prior.siblings import Kind, sibling
from cnnlab.probe.prior.tasks import CHANGES, FAR, PERMUTED, PLAIN, Setting, Task, gap
from cnnlab.probe.shift.answers import kind_of
from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.runs.images import TrainingImages, training_images
from cnnlab.stats.known import less
from cnnlab.training.report import EpochRow
from cnnlab.training.trials import Trial, one_by_one, quiet, trained

RANKS = ("dense", "locally connected", "convolutional")
"""From the fewest assumptions to the most."""

KERNEL = ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (7.0, 8.0, 9.0))
"""Of the convolution that is written as a matrix."""

SIDE = 6
"""Pixels of its image."""


@dataclass(frozen=True)
class PriorOptions:
    """What is asked."""

    sizes: tuple[int, ...] = (100, 300, 1000, 3000)
    """Numbers of images, ascending; the fewer are among the more."""
    repeats: int = 3
    """Trainings of each network on each subset, with seeds of their own."""
    kinds: tuple[Kind, ...] = ()
    """Siblings of the config, where it is a single one."""
    width: int = 8
    """Units of a dense sibling's layer for each channel of its convolution."""
    equal: Literal["steps", "epochs"] = "steps"
    """What all trainings have alike: the images that they see in all, or the passes over their own."""
    epochs: int | None = None
    """In place of the configs'."""
    permute: bool = False
    far: bool = False


@dataclass(frozen=True, eq=False)
class Plan:
    """The trainings that are needed, and what they are of."""

    networks: tuple[Entrant, ...]
    tasks: tuple[Task, ...]
    trials: dict[tuple[str, str, int, int], Trial]
    """By task, network, number of images and repeat."""
    data: str
    validation: int
    options: PriorOptions
    schedule: str
    gap: int | None
    """Pixels between the marks of the far task."""


def planned(configs: Sequence[Config], session: Session, options: PriorOptions) -> Plan:
    """Check what is asked, and say what has to be trained for it.

    Arguments:
        configs: of one data set; with `kinds` a single one, whose siblings are made.
        session: where data lies; its seed is that of the split, the subsets and the permutation.
        options: of the experiment.

    Returns:
        The plan; nothing is trained yet.

    Raises:
        RequestError: for configs of different data, more images than there are, and networks without siblings.
    """
    _check(options)
    session.device  # noqa: B018  first: a wrong one is told before anything is made
    asked = _asked(configs, options)
    images = _images(asked, session)
    setting = Setting(images.train.shape, options.sizes[-1], session.seed)
    if options.sizes[-1] > len(images.train):
        raise RequestError(
            f"`sizes` has {options.sizes[-1]:,}, and the training part of {images.train.name} has "
            f"{len(images.train):,} images"
        )
    if options.sizes[0] < len(images.train.classes):
        raise RequestError(
            f"`sizes` has {options.sizes[0]:,}, fewer than the {len(images.train.classes):,} classes of "
            f"{images.train.name}"
        )
    if images.validation is None:
        raise RequestError("data.validation is 0; networks are compared on a validation part")
    classes = len(images.train.classes)
    tasks = tuple(task for task, wanted in ((PLAIN, True), (PERMUTED, options.permute), (FAR, options.far)) if wanted)
    changed = {(task.key, one.name): CHANGES[task](one, setting) for task in tasks for one in asked}
    trials = {
        (task.key, one.name, size, repeat): _trial(
            changed[task.key, one.name], task, size, repeat, options, session.seed
        )
        for task in tasks
        for one in asked
        for size in options.sizes
        for repeat in range(options.repeats)
    }
    networks = tuple(_entrant(one, images.train.shape, classes, with_field=options.far) for one in asked)
    return Plan(
        networks,
        tasks,
        trials,
        data=images.train.name,
        validation=len(images.validation),
        options=options,
        schedule=_schedule(asked, options),
        gap=gap(setting.shape[1]) if options.far else None,
    )


def prior(
    plan: Plan, folder: Path, session: Session, *, config_folder: Path = Path()
) -> Iterator[Advance | PriorFacts]:
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
        WorkError: where a training fails.
        KeyboardInterrupt: after Ctrl-C, when all is safe.

    Example:
        session = Session(device_name="cpu")
        plan = planned([read_config("conv.yaml")], session, PriorOptions(kinds=("dense", "conv")))
        *_, facts = prior(plan, Path("runs/probe/prior"), session)
        print(facts.claims[0].finding)
    """
    found: dict[str, EpochRow | None] = {}
    for step in one_by_one(trained(list(plan.trials.values()), folder, session, config_folder=config_folder)):
        if isinstance(step, Advance):
            yield step
        else:
            found[step.trial.name] = step.last
    yield _facts(plan, found)


def _facts(plan: Plan, found: Mapping[str, EpochRow | None]) -> PriorFacts:
    options = plan.options
    cells = []
    for task, one, size in product(plan.tasks, plan.networks, options.sizes):
        names = (plan.trials[task.key, one.name, size, repeat].name for repeat in range(options.repeats))
        ends = [found[name] for name in names]
        accuracies, losses = (
            tuple(None if end is None else getattr(end, what) for end in ends) for what in ("val_accuracy", "val_loss")
        )
        cells.append(Cell(task.key, one.name, size, accuracies, losses))
    known = {(one.task, one.network, one.images): one.accuracies for one in cells}
    pairs, differences = [], []
    ranked = sorted(plan.networks, key=lambda one: RANKS.index(one.kind))
    for task in plan.tasks:
        for second, first in combinations(ranked, 2):
            row = [
                Difference(
                    task.key,
                    first.name,
                    second.name,
                    size,
                    less(known[task.key, first.name, size], known[task.key, second.name, size]),
                )
                for size in options.sizes
            ]
            differences += row
            means = [one.mean for one in row]
            pairs.append(Pair(task.key, first.name, second.name, crossings(options.sizes, means)))
    matrix, error = _matrix()
    return PriorFacts(
        data=plan.data,
        validation=plan.validation,
        networks=plan.networks,
        tasks=plan.tasks,
        sizes=options.sizes,
        repeats=options.repeats,
        schedule=plan.schedule,
        cells=tuple(cells),
        differences=tuple(differences),
        pairs=tuple(pairs),
        claims=tuple(claims_of(plan.networks, plan.tasks, Outcome(cells, options.sizes), plan.gap)),
        matrix=matrix,
        matrix_error=error,
    )


def _matrix() -> tuple[ConvolutionMatrix, float]:
    """A 3 × 3 convolution of a small image as a matrix, and how far its product lies from torch's convolution."""
    weight = torch.tensor(KERNEL, dtype=torch.float64)[None, None]
    made = convolution_matrix(weight, (SIDE, SIDE), padding=1)
    image = torch.randn(1, SIDE, SIDE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return made, float((made(image) - F.conv2d(image[None], weight, padding=1)[0]).abs().max())


def _check(options: PriorOptions) -> None:
    sizes = options.sizes
    if not sizes or list(sizes) != sorted(set(sizes)) or sizes[0] < 2:
        raise RequestError(
            f"`sizes` is {','.join(map(str, sizes))}, expected numbers of images from 2 on, each larger than the one "
            "before"
        )
    if options.repeats < 1:
        raise RequestError(f"`repeats` is {options.repeats}; at least one training of each is needed")


def _asked(configs: Sequence[Config], options: PriorOptions) -> list[Config]:
    if options.kinds:
        if len(configs) != 1:
            raise RequestError(f"`kinds` makes siblings of a single config, and there are {len(configs)}")
        return [sibling(configs[0], kind, width=options.width) for kind in options.kinds]
    if len(configs) < 2:
        raise RequestError("one network has nothing to be compared with; name another config, or give `kinds`")
    names = [one.name for one in configs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RequestError(f"two configs are called {twice}; give one another name")
    return list(configs)


def _images(configs: Sequence[Config], session: Session) -> TrainingImages:
    """The images of the configs, all of the training part.

    Raises: RequestError where the configs have not all the same.
    """
    first = configs[0]

    for other in configs[1:]:
        if other.data.identity != first.data.identity:
            raise RequestError(
                f"{other.name} and {first.name} have different data (dataset or share for validation); "
                "networks are compared on the same images"
            )
    data = first.data.model_copy(update={"take": None, "split_seed": session.seed})
    whole = first.model_copy(update={"data": data})
    return training_images(whole, session.place)


def _trial(config: Config, task: Task, size: int, repeat: int, options: PriorOptions, split_seed: int) -> Trial:
    split = f"-split{split_seed}" if split_seed else ""
    name = f"{config.name[:60]}-{task.key}-{size}-seed{config.seed + repeat}{split}"
    training = config.training.model_copy(
        update={
            "epochs": options.epochs or config.training.epochs,
            "epoch_images": options.sizes[-1] if options.equal == "steps" else None,
            "clean_train_pictures": 0,
        }
    )
    data = config.data.model_copy(update={"take": size, "split_seed": split_seed})
    update = {"name": name, "seed": config.seed + repeat, "data": data, "training": training}
    return Trial(name, quiet(config).model_copy(update=update))


def _schedule(configs: Sequence[Config], options: PriorOptions) -> str:
    """How long each training is."""
    lengths = sorted({options.epochs or one.training.epochs for one in configs})
    epochs = f"{' or '.join(map(str, lengths))} epoch{'s' * (lengths != [1])}"
    if options.equal == "epochs":
        return f"{epochs} over its own images, so that fewer images mean fewer steps"
    batch = configs[0].training.batch_size
    steps = len(batch_bounds(options.sizes[-1], batch)) * lengths[-1]
    return f"{epochs} of {options.sizes[-1]:,} images, few ones over and over: {steps:,} steps for every training"


def _entrant(config: Config, shape: Shape, classes: int, *, with_field: bool) -> Entrant:
    model = outline(config, shape, classes)
    kind = kind_of(model)
    field = _field(new_network(config, shape, classes), shape) if with_field and kind == "convolutional" else None
    return Entrant(config.name, kind, parameter_count(model), field)


def _field(model: nn.Module, shape: Shape) -> int | None:
    """Pixels of the largest window that a unit sees before all places come together."""
    fields = receptive_fields(model.eval(), shape).layers
    return max((max(one.size) for one in fields if not one.is_global and one.size), default=None)
