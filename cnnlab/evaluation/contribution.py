"""What an evaluation says on the pages of a run and of its training; images stand behind the confusion matrix.

In the summary of a page it answers how good the network is, how sure, and what it confuses.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.advance import untracked
from cnnlab.core.characters import per_cent
from cnnlab.evaluation.neighbours import neighbours_of_mistakes
from cnnlab.evaluation.neighbours_report import neighbours_blocks
from cnnlab.evaluation.report import CALIBRATION, CONFUSION, beyond_noise, evaluation_report, sureness
from cnnlab.fit.state import load_weights
from cnnlab.network.asked_data import ALL, counted
from cnnlab.network.fresh import unset
from cnnlab.network.studied import Studied
from cnnlab.runs.folder import Run
from cnnlab.stats.classification import Classification, classify
from cnnlab.stats.probabilities import class_probabilities
from cnnlab.training.setup import TrainingSetup
from cnnlab.view.blocks import Section, SummaryLine, Tone, shown
from cnnlab.view.contribution import Contribution, Question
from cnnlab.view.drawings import tile
from cnnlab.view.interactive import CellAlbum

PER_CELL = 6
"""Images behind a cell of the confusion matrix."""

MOST_CLASSES = 40
"""Classes whose cells are shown: a page with a million of them opens nowhere."""

KEY = "evaluation"


def evaluation(studied: Studied) -> Iterator[Contribution]:
    """The section on the part that the page is about."""
    images, split = studied.images, studied.part
    facts = classify(studied.predictions.logits, studied.predictions.labels, classes=studied.network.classes)
    session = replace(studied.session, track=untracked)  # the page has a bar of its own
    near = neighbours_of_mistakes(studied.network, session, images, studied.split, facts.mistakes)
    report = evaluation_report(
        facts,
        name=studied.network.name,
        split=split,
        images=images.images,
        paths=images.paths,
        beside=() if near is None else neighbours_blocks(near, images.images, facts.classes),
    )
    blocks = tuple(
        replace(block, blocks=(*block.blocks, _cells(facts, studied)))
        if isinstance(block, Section) and block.key == CONFUSION
        else block
        for block in report.blocks
    )
    section = Section(f"Evaluation on {'all images' if split == ALL else split}", blocks, KEY)
    yield Contribution((section,), summary_lines(facts, split=split, section=KEY))


def validation_section(setup: TrainingSetup, run: Run) -> Contribution:
    """Evaluate the best weights that `run` has kept on the validation part of `setup`, which has one."""
    validation = setup.images.validation
    assert validation is not None
    weights, facts = run.weights("best")
    classes = validation.classes
    model = unset(setup.config, validation.shape, len(classes)).model.to(setup.state.device)
    load_weights(model, weights)
    predictions = setup.evaluate(validation, model=model)
    found = classify(predictions.logits, predictions.labels, classes=classes)
    report = evaluation_report(
        found,
        name=run.path.name,
        split="validation",
        images=validation.images,
        paths=validation.paths,
    )
    section = Section(f"Validation, weights of epoch {facts['epoch']}", report.blocks, KEY)
    return Contribution((section,), summary_lines(found, split="validation", section=KEY))


def _cells(facts: Classification, studied: Studied) -> CellAlbum:
    """The confusion matrix, each cell with the images behind it that were answered with most confidence."""
    predictions, some_images = studied.predictions, studied.images.images
    probabilities = class_probabilities(predictions.logits)
    sure, answers = probabilities.max(1)
    images: dict[tuple[int, int], tuple[np.ndarray, ...]] = {}
    captions: dict[tuple[int, int], tuple[str, ...]] = {}
    matrix = np.asarray(facts.matrix, dtype=np.int64)
    shown = shown_classes(matrix)
    counts = matrix[np.ix_(shown, shown)]
    for row, column in zip(*counts.nonzero(), strict=True):
        inside = ((predictions.labels == shown[row]) & (answers == shown[column])).nonzero().flatten()
        best = inside[sure[inside].argsort(descending=True)][:PER_CELL].tolist()
        images[int(row), int(column)] = tuple(tile(some_images[i]) for i in best)
        captions[int(row), int(column)] = tuple(f"{per_cent(float(sure[i]))}, image {i}" for i in best)
    left_out = len(matrix) - len(shown)
    note = f" {left_out:,} classes that occur seldom or never are left out." if left_out else ""
    return CellAlbum(
        "confused",
        "Follow a number to its images",
        counts,
        tuple(facts.classes[number] for number in shown),
        "truth",
        "answer",
        images,
        captions,
        f"The surest answers of each cell come first.{note}",
    )


def shown_classes(matrix: NDArray[np.int64]) -> list[int]:
    """Whose cells a page shows: all up to `MOST_CLASSES`, beyond them those that occur most, in their order.

    Arguments:
        matrix: how many images of each class (rows) were taken for each (columns).

    Example:
        >>> counts = np.zeros((1000, 1000), dtype=np.int64)
        >>> counts[7, 3] = counts[7, 900] = 1
        >>> shown_classes(counts)
        [3, 7, 900]
    """
    if len(matrix) <= MOST_CLASSES:
        return list(range(len(matrix)))
    occurs = matrix.sum(0) + matrix.sum(1)
    most = np.argsort(-occurs, kind="stable")[:MOST_CLASSES]
    return sorted(int(number) for number in most if occurs[number])


def summary_lines(facts: Classification, *, split: str, section: str) -> tuple[SummaryLine, ...]:
    """The three answers.

    Arguments:
        facts: what was measured.
        split: the part that was evaluated; of `train`, the first line says that the network has learned from it.
        section: the key of the section that holds the evaluation's blocks.
    """
    return _good(facts, split, section), _sure(facts), _confused(facts)


def _good(facts: Classification, split: str, section: str) -> SummaryLine:
    low, high = (shown(end, ".1%") for end in (facts.interval.low, facts.interval.high))
    most = shown(float(facts.matrix.sum(1).max()) / facts.n, ".1%")
    learned = split == "train"
    images = counted(f"{facts.n:,}", split)
    text = (
        f"of {images}{', which it has learned from,' if learned else ''} are classified correctly "
        f"(95 % interval {low} to {high}); naming the most frequent class each time would reach {most}."
    )
    tone: Tone = "caution" if learned else "plain"
    return SummaryLine(Question.GOOD, text, shown(facts.accuracy, ".2%"), section, tone=tone)


def _sure(facts: Classification) -> SummaryLine:
    found = facts.calibration
    sure, right = shown(found.mean_confidence, ".1%"), shown(found.accuracy, ".1%")
    text = f"calibration error: its confidence is {sure} on average, {right} are correct, so it is {sureness(found)}."
    tone: Tone = "caution" if beyond_noise(found) else "good"
    return SummaryLine(Question.SURE, text, shown(found.ece, ".2%"), CALIBRATION, tone=tone)


def _confused(facts: Classification) -> SummaryLine:
    if not facts.pairs:
        return SummaryLine(Question.CONFUSED, f"of {facts.n:,} images is confused.", "None", CONFUSION, tone="good")
    first = facts.pairs[0]
    one, other = facts.classes[first.first], facts.classes[first.second]
    mistakes = sum(pair.n for pair in facts.pairs)
    are = "is" if first.n == 1 else "are"
    text = f"of {mistakes:,} mistake{'s' * (mistakes > 1)} {are} between {one} and {other}; no other two have more."
    return SummaryLine(Question.CONFUSED, text, f"{first.n:,}", CONFUSION)
