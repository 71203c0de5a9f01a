"""What the best weights of a training are worth on the validation part: a section of the training's page."""

from cnnlab.evaluation.contribution import KEY
from cnnlab.evaluation.report import evaluation_report
from cnnlab.evaluation.summary_report import summary_lines
from cnnlab.fit.state import load_weights
from cnnlab.models.build import build
from cnnlab.runs.folder import Run
from cnnlab.stats.classification import classify
from cnnlab.training.setup import TrainingSetup
from cnnlab.view.blocks import Section
from cnnlab.view.contribution import Contribution


def validation_section(setup: TrainingSetup, run: Run) -> Contribution:
    """Evaluate the best weights that `run` has kept on the validation part of `setup`, which has one."""
    validation = setup.pictures.validation
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
