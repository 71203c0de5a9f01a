"""`cnnlab eval`: what a trained network is worth on images it has not learned from."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from cnnlab.core.errors import RequestError
from cnnlab.core.files import append_line, refuse_links, remove_parts
from cnnlab.core.patterns import captured, checked_pattern
from cnnlab.data.batches import evaluation_batches
from cnnlab.data.dataset import Dataset
from cnnlab.evaluation.report import evaluation_document, evaluation_report
from cnnlab.fit.predict import Predictions, TestTimeAugmentation, predict
from cnnlab.network.network import RunNetwork
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.folder import TEST_EVALUATIONS, Run, WhichWeights
from cnnlab.runs.images import evaluation_images
from cnnlab.stats.calibration import Temperature, fit_temperature
from cnnlab.stats.classification import Classification, GroupAccuracy, by_group, classify
from cnnlab.view import csv, png
from cnnlab.view.blocks import Report

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class EvaluateOptions:
    """What to evaluate, and how."""

    session: Session
    """Where runs and data lie, and on which device."""
    split: SplitName = "validation"
    """Each opening of `test` is noted in the run."""
    tta: TestTimeAugmentation = "none"
    """`flip`: the mean of the answers to each image and its mirror image."""
    by: str | None = None
    """`class`, `group`, or a regex on the path whose capture names the group that an accuracy is measured of."""
    weights: WhichWeights = "best"


@dataclass(frozen=True)
class Evaluation:
    """The facts, the report on them, and the folder it was written to."""

    split: SplitName
    facts: Classification
    groups: tuple[GroupAccuracy, ...]
    report: Report
    folder: Path
    places: Mapping[str, str]
    """The folder or file that the images are from, by its part, where it is the user's own."""
    test_evaluations: int
    """How often the test part of this run has been opened, this time included; 0 for other parts."""
    epoch: int
    """Epoch of the weights, from 1."""
    averaged: bool
    """Whether they are the mean over the training's steps (`ema`)."""

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints; shares are 0 … 1, the confusion matrix has the truth in rows."""
        document = evaluation_document(self.facts, split=self.split)
        document |= {"epoch": self.epoch, "averaged": self.averaged, "report": str(self.folder)}
        if self.groups:
            document["groups"] = {
                g.name: {"accuracy": g.accuracy, "ci95": [g.interval.low, g.interval.high], "n": g.n}
                for g in self.groups
            }
        return document


def evaluate(run: Run, options: EvaluateOptions) -> Evaluation:
    """Evaluate a run on one part of its data; the report goes to `RUN/reports/eval-SPLIT[-last][-flip]`.

    The temperature of the calibration is fitted on the validation part, and reported for the other ones.

    Arguments:
        run: that has weights.
        options: the part, the weights and the rest.

    Returns:
        The measures with their intervals, and a report on them.

    Raises:
        RequestError: when the run, its weights or its data are not there or do not fit each other.

    Example:
        session = Session()
        evaluate(session.run("cifar"), EvaluateOptions(session, split="validation")).facts.accuracy
    """
    folder = options.session.folder(_folder_name(options), run)
    for path in (folder, run.path / TEST_EVALUATIONS):  # before the test part is opened, which is noted there
        refuse_links(path)
    remove_parts(run.path)
    network = open_run(run, options.session, options.weights)
    dataset = evaluation_images(run, network.config, options.split, options.session.place)
    names = group_names(dataset, options.by) if options.by else ()  # first: a wrong one need not wait for the network
    predictions = predictions_of(network, dataset, options.tta)
    temperature = _temperature(run, network, options)
    facts = classify(predictions.logits, predictions.labels, classes=network.classes, temperature=temperature)
    groups = by_group(predictions.logits, predictions.labels, names) if names else ()
    report = evaluation_report(
        facts,
        name=run.name,
        split=options.split,
        images=dataset.images,
        paths=dataset.paths,
        groups=groups,
        note=_note(network, options.tta),
    )
    count = _log(run, options, facts) if options.split == "test" else 0  # first: the test part has been opened
    png.save(report, folder)
    csv.save(report, folder)
    source: str = options.split if options.split in dataset.places else "train"
    places = {source: dataset.places[source]} if dataset.places else {}
    return Evaluation(
        options.split, facts, groups, report, folder, places, count, network.epoch, network.config.ema is not None
    )


def _note(network: RunNetwork, tta: TestTimeAugmentation) -> str:
    """How the answers were made: of which weights, and from how many views."""
    weights = f"Weights of epoch {network.epoch}" + (
        ", averaged over the training's steps (ema)" * bool(network.config.ema)
    )
    return f"{weights}." + (" Answers averaged with the mirror image's." if tta == "flip" else "")


def _folder_name(options: EvaluateOptions) -> str:
    """A name for each way of evaluating, so that none replaces another's report."""
    weights = "" if options.weights == "best" else f"-{options.weights}"
    tta = "" if options.tta == "none" else f"-{options.tta}"
    return f"eval-{options.split}{weights}{tta}"


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


def predictions_of(network: RunNetwork, dataset: Dataset, tta: TestTimeAugmentation = "none") -> Predictions:
    """What the network says of each image, in order."""
    training = network.config.training
    batches = evaluation_batches(
        dataset.images.to(network.device),
        dataset.labels.to(network.device),
        batch_size=training.evaluation_batch_size,
        statistics=network.preparation.statistics,
    )
    return predict(network.model, batches, tta=tta, precision=training.precision)


def _temperature(run: Run, network: RunNetwork, options: EvaluateOptions) -> Temperature | None:
    """Fitted on the validation part: never on the images that it is judged on."""
    if options.split == "validation" or not run.record.data.validation:
        return None
    validation = evaluation_images(run, network.config, "validation", options.session.place)
    predictions = predictions_of(network, validation, options.tta)
    return fit_temperature(predictions.logits, predictions.labels, fitted_on="the validation part")


def _log(run: Run, options: EvaluateOptions, facts: Classification) -> int:
    """Note in the run that its test part was opened; returns how often that has happened."""
    path = run.path / TEST_EVALUATIONS
    entry = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "weights": options.weights,
        "tta": options.tta,
        "accuracy": facts.accuracy,
        "loss": facts.loss if math.isfinite(facts.loss) else None,
    }
    append_line(path, json.dumps(entry))
    return len(path.read_text(encoding="utf-8").splitlines())
