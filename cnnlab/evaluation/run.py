"""`cnnlab eval`: what a trained network is worth on images it has not learned from."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import torch

from cnnlab.core.errors import RequestError
from cnnlab.core.files import append_line, refuse_links, remove_parts
from cnnlab.core.patterns import captured, checked_pattern
from cnnlab.data.batches import EvaluationBatches
from cnnlab.data.dataset import Dataset
from cnnlab.data.registry import facts_of
from cnnlab.evaluation.accepted import Acceptance, acceptance
from cnnlab.evaluation.neighbours import MistakeNeighbours, NeighbourOptions, neighbours_of_mistakes
from cnnlab.evaluation.neighbours_report import neighbours_blocks
from cnnlab.evaluation.report import evaluation_document, evaluation_report
from cnnlab.fit.distributed.ranks import ALONE, Ranks
from cnnlab.fit.predict import Predictions, predict
from cnnlab.fit.views import PLAIN, AveragedViews
from cnnlab.network.asked_data import ALL, counted
from cnnlab.network.network import Network, RunNetwork
from cnnlab.network.session import Session
from cnnlab.rejection.kept import Rejection
from cnnlab.runs.folder import TEST_EVALUATIONS
from cnnlab.runs.images import evaluation_images
from cnnlab.stats.calibration import Temperature, fit_temperature
from cnnlab.stats.classification import Classification, GroupAccuracy, by_group, classify
from cnnlab.stats.probabilities import class_logits
from cnnlab.view import csv, png
from cnnlab.view.blocks import Report, Text

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class EvaluateOptions:
    """What to evaluate, and how."""

    split: SplitName = "validation"
    """Each opening of a run's `test` is noted in the run."""
    tta: AveragedViews = PLAIN
    """The views of each image that the answers are averaged over."""
    by: str | None = None
    """`class`, `group`, or a regex on the path whose capture names the group that an accuracy is measured of."""
    rejection: Rejection | None = None
    """A rule of which it is told how many of the images it accepts."""
    neighbours: NeighbourOptions | None = None
    """How many training images stand beside each of the most confident mistakes of a run."""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """The facts, and the report on them."""

    split: str
    """The part, or `all` of data that has none."""
    facts: Classification
    groups: tuple[GroupAccuracy, ...]
    report: Report
    places: Mapping[str, str]
    """The folder or file that the images are from, by its part (`all` where there is none), where it is the user's."""
    test_evaluations: int
    """How often the test part of this run has been opened, this time included; 0 for other parts."""
    epoch: int | None
    """Epoch of a run's weights, from 1."""
    averaged: bool
    """Whether they are the mean over the training's steps (`ema`)."""
    acceptance: Acceptance | None
    """What the rule of rejection says of the images, where it was asked."""
    neighbours: MistakeNeighbours | None
    """The training images nearest to the most confident mistakes of a run, where they were asked for."""
    tta: AveragedViews
    """The views that the answers were averaged over."""
    seconds: float
    """That the network took for the answers, the images' preparation included."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the images are from, as `test images: photos/test`; nothing where they are not the user's own."""
        return tuple(f"{counted('', part).strip()}: {path}" for part, path in self.places.items())

    def document(self, **more: Any) -> dict[str, Any]:
        """What `--json` prints, with `more`; shares are 0 … 1, the confusion matrix has the truth in rows."""
        document = evaluation_document(self.facts, split=self.split)
        document |= {"epoch": self.epoch, "averaged": self.averaged, "tta": self.tta.as_json(), **more}
        document["seconds"] = self.seconds
        if self.groups:
            document["groups"] = {
                g.name: {"accuracy": g.accuracy, "ci95": [g.interval.low, g.interval.high], "n": g.n}
                for g in self.groups
            }
        if self.acceptance is not None:
            document["rejection"] = self.acceptance.as_json()
        if self.neighbours is not None:
            document["neighbours"] = self.neighbours.as_json(self.facts.classes)
        return document


@dataclass(frozen=True, eq=False)
class Evaluation(Evaluated):
    """The same, and the folder it was written to."""

    folder: Path

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return self.document(report=str(self.folder))


def evaluate(
    network: Network, session: Session, options: EvaluateOptions | None = None, *, out: Path | None = None
) -> Evaluation:
    """Evaluate a network on one part of its data, or of the data that was named for it.

    The temperature of the calibration is fitted on the validation part, and reported for the other ones.

    Arguments:
        network: opened for images.
        session: where its data lies.
        options: the part and the rest.
        out: the folder, in place of the usual one.

    Returns:
        The measures with their intervals, and a report on them, written to `RUN/reports/eval-SPLIT[-last][-VIEWS]`,
        or to `RUNS/eval/NAME-SPLIT[-VIEWS]` of a network that has no run.

    Raises:
        RequestError: when the data is not there, or its classes are not those of the network.
        WorkError: where the network's answers are NaN or infinite.

    Example:
        session = Session()
        evaluate(open_run("cifar", session), session, EvaluateOptions(split="test")).facts.accuracy
    """
    options = options or EvaluateOptions()
    folder = out or _folder(network, session, network.named_part(options.split), options.tta)
    refuse_links(folder)
    found = evaluated(network, session, options)
    png.save(found.report, folder)
    csv.save(found.report, folder)
    return Evaluation(**vars(found), folder=folder)


def evaluated(network: Network, session: Session, options: EvaluateOptions) -> Evaluated:
    """The facts of `evaluate`; nothing is written, but that a run's test part was opened.

    Arguments:
        network, session, options: as `evaluate`.

    Returns:
        The measures with their intervals, and a report on them.

    Raises:
        RequestError: when the data is not there, or its classes are not those of the network.
        WorkError: where the network's answers are NaN or infinite.
    """
    run, split = network.run, network.named_part(options.split)
    if run is not None:
        refuse_links(run.path / TEST_EVALUATIONS)  # before the test part is opened, which is noted there
        remove_parts(run.path)
    dataset = _images(network, session, options.split)
    names = group_names(dataset, options.by) if options.by else ()  # first: a wrong one need not wait for the network
    check_asks_for_one_class(network, dataset)
    network = network.named_by(dataset)
    began = time.perf_counter()
    predictions = predictions_of(network, dataset, options.tta, session.ranks)
    seconds = time.perf_counter() - began
    temperature, untempered = _temperature(network, session, options, dataset)
    session.ranks.leave_to_first()
    facts = classify(predictions.logits, predictions.labels, classes=network.classes, temperature=temperature)
    groups = by_group(predictions.logits, predictions.labels, names) if names else ()
    rule = options.rejection
    told = None if rule is None else acceptance(network, dataset, predictions, rule)
    near = None
    if options.neighbours is not None:
        near = neighbours_of_mistakes(network, session, dataset, options.split, facts.mistakes, options.neighbours)
    report = evaluation_report(
        facts,
        name=network.name,
        split=split,
        images=dataset.images,
        paths=dataset.paths,
        groups=groups,
        note=_note(network, options.tta),
        told=(*untempered, *(() if told is None else (told.text(),))),
        beside=() if near is None else neighbours_blocks(near, dataset.images, facts.classes),
    )
    count = 0
    if isinstance(network, RunNetwork) and options.split == "test":
        count = note_test_opened(network, facts, options.tta)  # first: the test part has been opened
    source: str = options.split if options.split in dataset.places else dataset.part
    places = {(ALL if split == ALL else source): dataset.places[source]} if dataset.places else {}
    epoch, averaged = _training_of(network)
    return Evaluated(
        split, facts, groups, report, places, count, epoch, averaged, told, near, tta=options.tta, seconds=seconds
    )


def _images(network: Network, session: Session, split: SplitName) -> Dataset:
    if network.run is not None and network.config is not None:
        return network.fitted(evaluation_images(network.run, network.config, split, session.place))
    return network.part(split, session.place)


def _training_of(network: Network) -> tuple[int | None, bool]:
    """The epoch of a run's weights, and whether they are averaged over the steps of the training."""
    if not isinstance(network, RunNetwork):
        return None, False
    return network.epoch, network.config.ema is not None


def _note(network: Network, tta: AveragedViews) -> str:
    """How the answers were made: of which weights, and from how many views."""
    epoch, averaged = _training_of(network)
    weights = f"Weights of epoch {epoch}" if epoch is not None else network.weights[:1].upper() + network.weights[1:]
    weights += ", averaged over the training's steps (ema)" * averaged
    return f"{weights}. {tta.sentence}".rstrip()


def _folder(network: Network, session: Session, split: str, tta: AveragedViews) -> Path:
    """A name for each way of evaluating, so that none replaces another's report."""
    weights = "-last" if isinstance(network, RunNetwork) and network.which == "last" else ""
    without_run = f"eval/{network.file_name}-{split}{tta.slug}"
    return session.folder(f"eval-{split}{weights}{tta.slug}", network.run, without_run=without_run)


def group_names(dataset: Dataset, by: str) -> Sequence[str]:
    """The group of each image: `group` (the data set's own), `class`, or a regex with one capture on the path.

    Raises: RequestError when the data set has no groups or paths, or the regex does not fit.
    """
    if by == "class":
        return [dataset.classes[label] for label in dataset.labels.tolist()]
    if by == "group":
        if dataset.groups is None:
            raise RequestError(f"the data set {dataset.name} has no groups; `by` class works for every data set")
        return dataset.groups
    if dataset.paths is None:
        raise RequestError(f"`by` is '{by}', expected class or group: the images of {dataset.name} have no paths")
    try:
        checked_pattern(by)
    except ValueError as error:
        raise RequestError(f"`by` is neither class nor group: {error}") from None
    return ["(no match)" if group is None else group for group in captured(by, dataset.paths)]


def check_asks_for_one_class(network: Network, dataset: Dataset) -> None:
    """Raises: RequestError where the network answers each class by itself, and an image has one class."""
    if network.activation == "sigmoid" and network.logits != 1:
        raise RequestError(
            f"`activation` is sigmoid, so each class of {network.name} is a question of its own, and {dataset.name} "
            "tells one class of each image; `activation` softmax measures which class is the likeliest"
        )


def predictions_of(network: Network, dataset: Dataset, tta: AveragedViews = PLAIN, ranks: Ranks = ALONE) -> Predictions:
    """What the network says of each image, in order: logits of two classes or more, also where it puts out one.

    Of several `ranks` each asks it about a share of the images, and gets the answers to all.

    Raises: RequestError where it answers each class by itself, and an image has one class.
    """
    check_asks_for_one_class(network, dataset)
    batches = EvaluationBatches(
        dataset.images_for(network.device),
        dataset.labels.to(network.device),
        batch_size=network.batch_size,
        statistics=network.preparation.statistics,
        device=network.device,
        share=ranks.share,
    )
    found = predict(network.model, batches, tta=tta, precision=network.precision, ranks=ranks)
    return replace(found, logits=class_logits(found.logits))


def _temperature(
    network: Network, session: Session, options: EvaluateOptions, judged: Dataset
) -> tuple[Temperature | None, tuple[Text, ...]]:
    """Fitted on the validation part: never on the images that it is judged on; and what is said where it is gone."""
    if options.split == "validation" or network.named_part(options.split) == ALL:
        return None, ()
    if network.run is not None and not network.run.record.data.validation:
        return None, ()
    try:
        validation = _images(network, session, "validation")
    except RequestError as error:
        if network.run is None:
            return None, ()  # the data that was named has none
        # of images of one's own what has changed may have gone from one part to another
        if network.config is None or facts_of(network.config.data.dataset).source == "own":
            raise
        return None, (Text(f"No temperature is fitted: {error}.", "note"),)
    if torch.equal(validation.images, judged.images):
        return None, ()
    predictions = predictions_of(network, validation, options.tta, session.ranks)
    return fit_temperature(predictions.logits, predictions.labels, fitted_on="the validation part"), ()


def note_test_opened(network: RunNetwork, facts: Classification, tta: AveragedViews = PLAIN) -> int:
    """Note in the run that its test part was opened; returns how often that has happened."""
    path = network.run.path / TEST_EVALUATIONS
    entry = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "weights": network.which,
        "tta": tta.name,
        "accuracy": facts.accuracy,
        "loss": facts.loss if math.isfinite(facts.loss) else None,
    }
    if tta.least_sure < 1:
        entry["least_sure"] = tta.least_sure
    append_line(path, json.dumps(entry))
    return len(path.read_text(encoding="utf-8").splitlines())
