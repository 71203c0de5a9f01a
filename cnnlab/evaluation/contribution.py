"""What an evaluation says on the pages of a run and of its training; images stand behind the confusion matrix."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cnnlab.evaluation.report import CONFUSION, evaluation_report
from cnnlab.evaluation.summary_report import summary_lines
from cnnlab.fit.state import load_weights
from cnnlab.models.build import build
from cnnlab.network.studied import Studied
from cnnlab.runs.folder import Run
from cnnlab.stats.classification import Classification, classify
from cnnlab.training.setup import TrainingSetup
from cnnlab.view.blocks import Section
from cnnlab.view.contribution import Contribution
from cnnlab.view.interactive import CellAlbum
from cnnlab.view.tiles import tile

PER_CELL = 6
"""Images behind a cell of the confusion matrix."""

KEY = "evaluation"


def evaluation(studied: Studied) -> Iterator[Contribution]:
    """The section on the part that the page is about."""
    images, split = studied.images, studied.split
    facts = classify(studied.predictions.logits, studied.predictions.labels, classes=studied.network.classes)
    report = evaluation_report(facts, name=studied.run.name, split=split, images=images.images, paths=images.paths)
    blocks = tuple(
        replace(block, blocks=(*block.blocks, _cells(facts, studied)))
        if isinstance(block, Section) and block.key == CONFUSION
        else block
        for block in report.blocks
    )
    section = Section(f"Evaluation on {split}", blocks, KEY)
    yield Contribution((section,), summary_lines(facts, split=split, section=KEY))


def validation_section(setup: TrainingSetup, run: Run) -> Contribution:
    """Evaluate the best weights that `run` has kept on the validation part of `setup`, which has one."""
    validation = setup.images.validation
    assert validation is not None
    weights, facts = run.weights("best")
    classes = validation.classes
    model = build(setup.config.model, validation.shape, classes=len(classes)).to(setup.state.device)
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
    probabilities = predictions.logits.softmax(1)
    sure, answers = probabilities.max(1)
    images: dict[tuple[int, int], tuple[np.ndarray, ...]] = {}
    captions: dict[tuple[int, int], tuple[str, ...]] = {}
    for truth in range(len(facts.classes)):
        for answer in range(len(facts.classes)):
            inside = ((predictions.labels == truth) & (answers == answer)).nonzero().flatten()
            best = inside[sure[inside].argsort(descending=True)][:PER_CELL].tolist()
            if best:
                images[truth, answer] = tuple(tile(some_images[i]) for i in best)
                captions[truth, answer] = tuple(f"{float(sure[i]):.0%}, image {i}" for i in best)
    return CellAlbum(
        "confused",
        "Follow a number to its images",
        np.asarray(facts.matrix, dtype=np.int64),
        facts.classes,
        "truth",
        "answer",
        images,
        captions,
        "The surest answers of each cell come first.",
    )
