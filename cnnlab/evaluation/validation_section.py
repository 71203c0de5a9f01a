"""What the best weights of a training are worth on the validation part: a section of the training's report."""

from cnnlab.evaluation.report import evaluation_report
from cnnlab.fit.state import load_weights
from cnnlab.models.build import build
from cnnlab.runs.folder import Run
from cnnlab.stats.classification import classify
from cnnlab.training.setup import TrainingSession
from cnnlab.view.blocks import Section


def validation_section(session: TrainingSession, run: Run) -> Section:
    """Evaluate the best weights that `run` has kept on the validation part of `session`, which has one."""
    validation = session.pictures.validation
    assert validation is not None
    weights, facts = run.weights("best")
    classes = validation.classes
    model = build(session.config.model, validation.shape, classes=len(classes)).to(session.state.device)
    load_weights(model, weights)
    predictions = session.evaluate(validation, model=model)
    report = evaluation_report(
        classify(predictions.logits, predictions.labels, classes=classes),
        name=run.path.name,
        split="validation",
        images=validation.images,
        paths=validation.paths,
    )
    return Section(f"Validation, weights of epoch {facts['epoch']}", report.blocks)
