"""The parts of the normalisation lab: what each measures and takes, how it is shown, what it says of claims."""

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from torch import Tensor
from torch.nn import functional as F

from cnnlab.config.norms import NONE, with_norm
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, unknown
from cnnlab.core.seeds import derive_seed
from cnnlab.models.own_model import OwnModel
from cnnlab.probe.norm import claims, report, training_report
from cnnlab.probe.norm.activations import layer_states
from cnnlab.probe.norm.agreement import DEVIATION, MEAN, SHAPE, formula_facts, layer_agreements
from cnnlab.probe.norm.answers import last_answers
from cnnlab.probe.norm.batch_mates import REPEATS, SIZES, batch_mates
from cnnlab.probe.norm.batch_statistics import batch_scatter
from cnnlab.probe.norm.conversion import ConversionFacts, conversion, tuned_conversion
from cnnlab.probe.norm.course import Course, CourseFacts, LandscapeFacts, LineCourse, course, line_course
from cnnlab.probe.norm.facts import (
    FoldingFacts,
    FormulasFacts,
    ModesFacts,
    RunningFacts,
    StateFacts,
    StatisticsFacts,
)
from cnnlab.probe.norm.folding import followed_layers, scaled_weights
from cnnlab.probe.norm.gradient_line import MULTIPLES
from cnnlab.probe.norm.lab import BATCH, Lab
from cnnlab.probe.norm.layers import fitting_groups
from cnnlab.probe.norm.moments import Moments, independent_moments
from cnnlab.probe.norm.ranges import range_cells
from cnnlab.probe.norm.running_averages import kept_statistics, mode_gaps, running_course
from cnnlab.probe.norm.small_batches import batch_outcomes, small_batch_facts
from cnnlab.probe.norm.trainings import WITH, WITHOUT, batch_trials, twin_trials
from cnnlab.stats.claim import Claim
from cnnlab.stats.confidence import MeanInterval, paired_difference
from cnnlab.training.trials import Trained, Trial, trained
from cnnlab.view.blocks import Section

K = TypeVar("K")

TRIED = 32
"""Images of a batch that is enough where a layer is looked at alone."""

INDEPENDENT = "independent values"
"""The chapter's own tensor beside the network's layers: normal values, each for itself."""

INDEPENDENT_IMAGES = 4096

Measure = Callable[[Lab], Iterator[Any]]
"""Yields `Advance`, and at last the part's facts."""


def _nothing(lab: Lab) -> str | None:
    return None


def _none(lab: Lab) -> int:
    return 0


def _once(lab: Lab) -> int:
    return len(lab.sample.images)


def _twice(lab: Lab) -> int:
    return 2 * len(lab.sample.images)


def _sorted(lab: Lab) -> int:
    return (1 + len(SIZES)) * REPEATS * len(lab.sample.images)


@dataclass(frozen=True)
class Part:
    """One part."""

    name: str
    about: str
    """What it measures, in a few words."""
    measure: Measure
    section: Callable[[Any], Section]
    claims: Callable[[Any], tuple[Claim, ...]]
    missing: Callable[[Lab], str | None] = _nothing
    """Why it cannot be asked of a network, in words; None where it can."""
    cost: Callable[[Lab], str] | None = None
    """Of a part that trains what it costs, in words."""
    passes: Callable[[Lab], int] = _none
    """Of another one how many images go through the network."""


def _images_missing(lab: Lab) -> str | None:
    if lab.network.has_images:
        return None
    return f"{lab.network.name} has no images of its own; name a folder, a CSV or a data set with `data`"


def _batch_norm_missing(lab: Lab) -> str | None:
    if lab.batch_norms:
        return None
    return f"{lab.network.name} has no batch norm, and none of its norms depends on other images"


def _both_missing(lab: Lab) -> str | None:
    return _batch_norm_missing(lab) or _images_missing(lab)


def _trained_missing(lab: Lab) -> str | None:
    if not lab.network.trained:
        return f"{lab.network.name} has {lab.network.weights}, which have nothing to lose"
    return _both_missing(lab)


def _config_missing(lab: Lab) -> str | None:
    config = lab.network.config
    if config is None:
        return f"{lab.network.name} has no config to train by; give a run or a config (.yaml)"
    if isinstance(config.model, OwnModel):
        return (
            f"{lab.network.name} trains a network in Python, whose norms its config does not name; trainings with "
            "other norms need one made of layers"
        )
    return None


def _run_missing(lab: Lab) -> str | None:
    if lab.network.run is None:
        return f"{lab.network.name} is no run, and what is not trained cannot be fine-tuned"
    return _config_missing(lab) or _batch_norm_missing(lab)


def _formulas(lab: Lab) -> Iterator[Advance | FormulasFacts]:
    own = () if _images_missing(lab) else layer_agreements(lab.network.model, lab.sample.images[:TRIED])
    yield FormulasFacts(formula_facts(seed=lab.session.seed), own)


def _state(lab: Lab) -> Iterator[Advance | StateFacts]:
    count = min(lab.batch or BATCH, len(lab.sample.images))
    labels = lab.sample.labels[:count].to(lab.session.device)
    states = layer_states(lab.network.model, lab.sample.images[:count], lambda logits: _loss(logits, labels))
    yield StateFacts(states, count, lab.sample.split)


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    if logits.shape[1] == 1:  # a single logit speaks for class 1
        return F.binary_cross_entropy_with_logits(logits[:, 0], labels.float())
    return F.cross_entropy(logits, labels)


def _modes(lab: Lab) -> Iterator[Advance | ModesFacts]:
    for step in batch_mates(lab.network.model, lab.sample.images, lab.sample.labels, seed=lab.session.seed):
        yield step if isinstance(step, Advance) else ModesFacts(step, lab.sample.split)


def _chosen(lab: Lab) -> dict[str, Moments]:
    """The first and the last batch norm, beside independent values."""
    _, channels, height, width = SHAPE
    seed = derive_seed(lab.session.seed, "independent values")
    found = independent_moments(
        images=INDEPENDENT_IMAGES,
        channels=channels,
        positions=height * width,
        mean=MEAN,
        deviation=DEVIATION,
        seed=seed,
    )
    known = list(lab.known_moments)
    return {INDEPENDENT: found, **{name: lab.known_moments[name] for name in dict.fromkeys([*known[:1], *known[-1:]])}}


def _statistics(lab: Lab) -> Iterator[Advance | StatisticsFacts]:
    yield from lab.moments()
    chosen = _chosen(lab)
    layers = tuple(batch_scatter(name, one, seed=lab.session.seed) for name, one in chosen.items())
    yield StatisticsFacts(layers, lab.sample.split, lab.untouched)


def _running(lab: Lab) -> Iterator[Advance | RunningFacts]:
    yield from lab.moments()
    momenta = {layer.name: layer.momentum for layer in lab.layers}
    courses = tuple(
        running_course(name, one, momentum=momenta.get(name) or 0.1, batch=lab.batch or BATCH, seed=lab.session.seed)
        for name, one in _chosen(lab).items()
    )
    kept = (kept_statistics(n, lab.network.model.get_submodule(n), one) for n, one in lab.known_moments.items())
    gaps = mode_gaps(seed=lab.session.seed)
    yield RunningFacts(courses, tuple(one for one in kept if one), gaps, lab.sample.split, lab.untouched)


def _folding(lab: Lab) -> Iterator[Advance | FoldingFacts]:
    images = lab.sample.images[:TRIED]
    pairs = followed_layers(lab.network.model, images)
    found = []
    for one in scaled_weights(lab.network.model, images, pairs):
        found.append(one)
        yield Advance("scaled weights", len(found), len(pairs))
    yield FoldingFacts(tuple(found), len(lab.batch_norms))


def _converted(lab: Lab, groups: int) -> ConversionFacts:
    sample, session = lab.sample, lab.session
    return conversion(
        lab.network.model,
        sample.images,
        sample.labels,
        groups=groups,
        max_batch=session.max_batch,
        seed=session.seed,
    )


def _conversion(lab: Lab) -> Iterator[Advance | ConversionFacts]:
    yield _converted(lab, lab.options.groups)


def _tuned(lab: Lab) -> Iterator[Advance | Any]:
    sample = lab.sample
    groups = fitting_groups([layer.channels for layer in lab.layers], lab.options.groups)
    yield from tuned_conversion(
        _converted(lab, groups),
        lab.network.model,
        lab.config,
        lab.session,
        lab.halves,
        sample.images,
        sample.labels,
        steps=lab.steps,
    )


def _trials(trials: Mapping[K, Trial], lab: Lab) -> Generator[Advance, None, dict[K, Trained]]:
    """Yield how far the trainings are, each done once; returns all of them by their keys."""
    found: dict[K, Trained] = {}
    keys = list(trials)
    for step in trained(list(trials.values()), lab.trainings, lab.session, config_folder=lab.plugins_from):
        if isinstance(step, Advance):
            yield step
        else:
            found[keys[len(found)]] = step
    return found


def _training(lab: Lab) -> Iterator[Advance | CourseFacts]:
    done = yield from _trials(twin_trials(lab.config, epochs=lab.epochs), lab)
    images, labels = lab.training_batch
    courses: list[Course] = []
    for name, one in done.items():
        for found in course(name, one, lab.session, images, lambda logits: lab.loss(logits, labels)):
            if isinstance(found, Advance):
                yield found
            else:
                courses.append(found)
    yield CourseFacts(tuple(courses), lab.epochs, len(images), lab.options.threshold, _gain(done, lab))


def _gain(twins: Mapping[str, Trained], lab: Lab) -> MeanInterval | None:
    """Accuracy with norms less that without, over the same validation images."""
    validation = lab.halves.validation
    if validation is None:
        return None
    ours, theirs = (last_answers(one, lab.session, validation) for one in twins.values())
    return None if ours is None or theirs is None else paired_difference(ours, theirs, seed=lab.session.seed)


def _landscape(lab: Lab) -> Iterator[Advance | LandscapeFacts]:
    done = yield from _trials(twin_trials(lab.config, epochs=lab.epochs), lab)
    images, labels = lab.training_batch
    steps = tuple(lab.rate * multiple for multiple in MULTIPLES)
    courses: list[LineCourse] = []
    for name, one in done.items():
        for found in line_course(name, one, lab.session, images, lambda logits: lab.loss(logits, labels), steps):
            if isinstance(found, Advance):
                yield found
            else:
                courses.append(found)
    chance = math.log(len(lab.halves.train.classes))
    yield LandscapeFacts(tuple(courses), lab.rate, chance, len(images), lab.epochs)


def _ranges(lab: Lab) -> Iterator[Advance | Any]:
    twins = {WITH: lab.config, WITHOUT: with_norm(lab.config, NONE)}
    yield from range_cells(
        twins, lab.session, lab.halves, steps=lab.steps, folder=lab.trainings, factors=lab.options.factors
    )


def _small_batches(lab: Lab) -> Iterator[Advance | Any]:
    channels = tuple(layer.channels for layer in lab.layers)
    groups = fitting_groups(channels, lab.options.groups)
    sizes = sorted(set(lab.options.batch_sizes))
    done = yield from _trials(batch_trials(lab.config, sizes=sizes, groups=groups, epochs=lab.epochs), lab)
    validation = lab.halves.validation
    assert validation is not None, "see _validation_missing"
    for found in batch_outcomes(done, lab.session, validation):
        if isinstance(found, Advance):
            yield found
        else:
            yield small_batch_facts(found, epochs=lab.epochs, groups=groups, channels=channels, seed=lab.session.seed)


def _validation_missing(lab: Lab) -> str | None:
    if missing := _config_missing(lab):
        return missing
    if lab.halves.validation is None:
        return f"{lab.network.name} keeps no validation part (data.validation is 0), by which batch sizes are compared"
    most, images = max(lab.options.batch_sizes), len(lab.halves.train)
    if most > images:
        return f"`batch_sizes` has {most}, and there are {images} training images"
    return None


def _twins_cost(lab: Lab) -> str:
    return _trainings_cost(lab, [lab.config.training.batch_size] * 2)


def _batches_cost(lab: Lab) -> str:
    return _trainings_cost(lab, [size for size in sorted(set(lab.options.batch_sizes)) for _ in range(2)])


def _trainings_cost(lab: Lab, sizes: list[int]) -> str:
    images = len(lab.halves.train)
    seconds = sum(lab.epochs * math.ceil(images / size) * lab.seconds_of(size) for size in sizes)
    epochs = f"{lab.epochs} epoch{'s' * (lab.epochs > 1)}"
    return f"{len(sizes)} trainings of {epochs} on {images:,} images: {about(seconds)}"


def _ranges_cost(lab: Lab) -> str:
    count = 4 * len(lab.options.factors)
    seconds = count * lab.steps * lab.seconds_of(lab.config.training.batch_size)
    return f"{count} trainings of {lab.steps} steps: {about(seconds)}"


def _tuned_cost(lab: Lab) -> str:
    return f"{lab.steps} steps: {about(lab.steps * lab.seconds_of(lab.config.training.batch_size))}"


def about(seconds: float) -> str:
    """Such as `about 40 s here`, of a rough number."""
    if seconds < 60:
        return f"about {max(1, round(seconds))} s here"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min here"
    return f"about {seconds / 3600:.1f} h here"


def _listed(*parts: Part) -> Mapping[str, Part]:
    return MappingProxyType({part.name: part for part in parts})


PARTS: Mapping[str, Part] = _listed(
    Part("formulas", "forward and backward against torch", _formulas, report.formulas, claims.of_formulas),
    Part(
        "state",
        "activations and gradients as it is",
        _state,
        report.state,
        claims.of_nothing,
        _images_missing,
    ),
    Part(
        "modes",
        "one image among other batch-mates",
        _modes,
        report.modes,
        claims.of_modes,
        _both_missing,
        passes=_sorted,
    ),
    Part(
        "statistics",
        "the scatter of batch statistics by batch size",
        _statistics,
        report.statistics,
        claims.of_statistics,
        _both_missing,
        passes=_once,
    ),
    Part("running", "running statistics and true ones", _running, report.running, claims.of_running, _both_missing),
    Part("folding", "scaled weights, and biases in vain", _folding, report.folding, claims.of_folding, _both_missing),
    Part(
        "conversion",
        "batch norms turned into group norms",
        _conversion,
        report.converted,
        claims.of_nothing,
        _trained_missing,
        passes=_twice,
    ),
    Part(
        "fine-tuning",
        "the same with a short fine-tuning",
        _tuned,
        training_report.tuned,
        claims.of_nothing,
        _run_missing,
        _tuned_cost,
    ),
    Part(
        "training",
        "activations and gradients along a training, with norms and without",
        _training,
        training_report.training,
        claims.of_training,
        _config_missing,
        _twins_cost,
    ),
    Part(
        "landscape",
        "loss and gradient along the gradient, with norms and without",
        _landscape,
        training_report.landscape,
        claims.of_landscape,
        _config_missing,
        _twins_cost,
    ),
    Part(
        "ranges",
        "initial scales and learning rates that train",
        _ranges,
        training_report.ranges,
        claims.of_ranges,
        _config_missing,
        _ranges_cost,
    ),
    Part(
        "batch-size",
        "batch norm and group norm in small batches",
        _small_batches,
        training_report.small_batches,
        claims.of_small_batches,
        _validation_missing,
        _batches_cost,
    ),
)
"""All of them, in the order in which they are shown."""


def check_known(names: tuple[str, ...]) -> None:
    """Refuse a name that is no part.

    Raises: RequestError with the nearest name.
    """
    for name in names:
        if name not in PARTS:
            raise RequestError(unknown("part", name, list(PARTS)))
