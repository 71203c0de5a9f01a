"""`cnnlab report`: everything about a run on one page that needs nothing else."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cnnlab.attribution.attribute import attribute
from cnnlab.attribution.measures.comparison import Comparison, compare_maps
from cnnlab.attribution.measures.report import faithfulness_section
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.files import refuse_links, remove_folder, remove_parts
from cnnlab.data.batches import normalise
from cnnlab.data.dataset import Dataset
from cnnlab.evaluation.report import CONFUSION, evaluation_report
from cnnlab.evaluation.run import EvaluateOptions, predictions_of
from cnnlab.fit.predict import Predictions
from cnnlab.layers_lab.summary.report import Summary, summary_blocks
from cnnlab.layers_lab.summary.run import summarize
from cnnlab.network.named import NamedModel
from cnnlab.network.preparation import of_run
from cnnlab.network.trained import TrainedNetwork, trained_network
from cnnlab.receptive_field.report import field_blocks
from cnnlab.receptive_field.run import inspect
from cnnlab.report.card.report import report_card_report
from cnnlab.report.card.run import report_card
from cnnlab.report.gallery.report import gallery_album
from cnnlab.report.gallery.run import chosen_pictures, gallery, of_pixels
from cnnlab.report.inside import forgetting_section, inside_sections
from cnnlab.runs.events import EventLog
from cnnlab.runs.folder import Run
from cnnlab.runs.images import evaluation_pictures
from cnnlab.stats.classification import Classification, classify
from cnnlab.training.overfitting import diagnose
from cnnlab.training.report import learning_curves, training_report
from cnnlab.training.report_files import epoch_rows
from cnnlab.view import files
from cnnlab.view import tensorboard as events_of
from cnnlab.view.blocks import Block, Link, Links, Report, Section, Text
from cnnlab.view.interactive import CellAlbum
from cnnlab.view.tiles import tile

METHODS_MEASURED = ("gradcam", "hirescam", "layercam", "eigencam", "gradient", "integrated_gradients")
MEASURED = 48
"""Pictures over which the maps are measured."""

PER_CELL = 6
"""Pictures behind a cell of the confusion table."""


@dataclass(frozen=True)
class WholeReport:
    """What was written."""

    page: Path
    report: Report


def whole_report(run: Run, options: EvaluateOptions, *, tensorboard: bool = False) -> Iterator[Advance | WholeReport]:
    """How far the work is; at last the page of a run, on `options.split` (validation, or train without one).

    tensorboard: whether its pictures, numbers and words go to `RUN/tensorboard/report`, too.

    Raises: RequestError where the run has no weights, or its data is not what it was trained on.
    """
    refuse_links(run.path / "reports")  # now, and not when the work is done
    remove_parts(run.path)
    network = trained_network(run, options.device, which=options.weights, allow_plugins=options.allow_plugins)
    pictures = evaluation_pictures(run, network.config, options.split, options.place)
    predictions = predictions_of(network, pictures, options)
    facts = classify(predictions.logits, predictions.labels, classes=network.classes)
    named = NamedModel(run.name, "run", network.model, network.shape, True, network.classes, run)
    blocks: list[Block] = [
        *_training(run),
        Section(f"Evaluation on {options.split}", _evaluation(facts, predictions, pictures, run, options)),
        _architecture(named),
    ]
    chosen = chosen_pictures(predictions.logits.argmax(1), predictions.labels)
    prepared = of_run(named, options.weights, allow_plugins=options.allow_plugins)
    for step in inside_sections(prepared, pictures, options, picture=int(chosen[0])):
        if isinstance(step, Advance):
            yield step
        else:
            blocks.append(step)
    blocks.append(_explanations(network, pictures, predictions, chosen, run, options))
    for step in forgetting_section(run, network, pictures, options):
        if isinstance(step, Advance):
            yield step
        else:
            blocks.append(step)
    blocks.append(_raw(run))
    report = Report(f"Report of {run.name}", tuple(blocks), _lead(run, options))
    saved = files.save(report, run.path / "reports")
    if tensorboard:
        folder = run.path / "tensorboard" / "report"
        remove_folder(folder)
        with EventLog(folder) as events:
            events_of.write(report, events, network.epoch, prefix="report", drawn=saved.drawn)
    yield WholeReport(saved.page, report)


def _lead(run: Run, options: EvaluateOptions) -> str:
    record = run.record
    return (
        f"{record.data.train:,} training and {record.data.validation:,} validation pictures of {record.data.name}, "
        f"{len(record.data.classes)} classes, on {record.device}, seed {record.seed}. Everything below is of the "
        f"{options.weights} weights. To repeat it: cnnlab train {shlex.quote(str(run.path / 'config.yaml'))}"
    )


def _training(run: Run) -> tuple[Block, ...]:
    """Curves and diagnosis, from what the run wrote down."""
    rows = epoch_rows(run)
    if not rows:
        return (Text("The run has no finished epoch in metrics.jsonl.", "caution"),)
    held_out = run.record.data.validation
    diagnosis = diagnose(learning_curves(rows, validation_pictures=held_out)) if held_out else None
    report = training_report(
        rows,
        diagnosis,
        name=run.name,
        train_seconds=sum(row.seconds for row in rows),
        wall_seconds=run.record.outcome.wall_seconds or sum(row.seconds for row in rows),
        parameters=run.record.parameters,
    )
    return report.blocks


def _evaluation(
    facts: Classification, predictions: Predictions, pictures: Dataset, run: Run, options: EvaluateOptions
) -> tuple[Block, ...]:
    report = evaluation_report(facts, name=run.name, split=options.split, images=pictures.images, paths=pictures.paths)
    cells = _confusion(facts, predictions, pictures)
    return tuple(
        replace(block, blocks=(*block.blocks, cells))
        if isinstance(block, Section) and block.title == CONFUSION
        else block
        for block in report.blocks
    )


def _confusion(facts: Classification, predictions: Predictions, pictures: Dataset) -> CellAlbum:
    """The confusion matrix, each cell with the surest of its pictures behind it."""
    probabilities = predictions.logits.softmax(1)
    sure, answers = probabilities.max(1)
    images: dict[tuple[int, int], tuple[np.ndarray, ...]] = {}
    captions: dict[tuple[int, int], tuple[str, ...]] = {}
    for truth in range(len(facts.classes)):
        for answer in range(len(facts.classes)):
            inside = ((predictions.labels == truth) & (answers == answer)).nonzero().flatten()
            best = inside[sure[inside].argsort(descending=True)][:PER_CELL].tolist()
            if best:
                images[truth, answer] = tuple(tile(pictures.images[i]) for i in best)
                captions[truth, answer] = tuple(f"{float(sure[i]):.0%}, picture {i}" for i in best)
    return CellAlbum(
        "confused",
        "Follow a number to its pictures",
        np.asarray(facts.matrix, dtype=np.int64),
        facts.classes,
        "truth",
        "answer",
        images,
        captions,
        "The surest answers of each cell come first.",
    )


def _architecture(named: NamedModel) -> Section:
    summary: Summary = summarize(named)
    inspection = inspect(named)
    return Section(
        "Architecture",
        (*summary_blocks(summary), Section("What each layer sees", field_blocks(inspection.fields, inspection.audit))),
    )


def _explanations(
    network: TrainedNetwork,
    pictures: Dataset,
    predictions: Predictions,
    chosen: Tensor,
    run: Run,
    options: EvaluateOptions,
) -> Section:
    shown, maps = gallery(network, pictures, predictions.logits, chosen)
    methods = METHODS_MEASURED if any(one.layer is not None for one in maps) else of_pixels(METHODS_MEASURED)
    blocks: list[Block] = [gallery_album(shown, maps), _trust(network, pictures, predictions, methods)]
    try:
        card = report_card(network, pictures, run=run.name, split=options.split, pick="first-correct")
    except RequestError as error:
        blocks.append(Text(f"No report card: {error}.", "note"))
    else:
        blocks.append(report_card_report(card).blocks[0])
    return Section("What the answers rest on", tuple(blocks))


def _trust(network: TrainedNetwork, pictures: Dataset, predictions: Predictions, methods: Sequence[str]) -> Section:
    """How far the maps of the gallery's quick methods can be trusted, over the first pictures of the part."""
    chosen = pictures.take(torch.arange(min(MEASURED, len(pictures))))
    device = next(network.model.parameters()).device
    images = normalise(chosen.images.to(device), network.statistics)
    answers = predictions.logits[: len(chosen)].argmax(1)
    found = attribute(network.model, images, answers.to(device), methods=methods)
    maps = {one.method: one.maps.cpu() for one in found}
    steps = compare_maps(network.model, images, answers.to(device), maps, seed=0, masks=chosen.masks, with_road=False)
    (comparison,) = [step for step in steps if isinstance(step, Comparison)]
    return faithfulness_section(comparison, target="the answer")


def _raw(run: Run) -> Section:
    """What the page was made from, beside it in the run's folder."""
    known = {
        "config.yaml": "every option of the training",
        "run.json": "versions, seed, device, outcome",
        "metrics.jsonl": "every point of the curves",
        "checkpoints/best.safetensors": "the weights",
        "reports/per_class.csv": "precision, recall and F1 of each class",
        "reports/receptive_fields.csv": "receptive fields",
        "reports/layers.csv": "shapes and costs",
    }
    links = [
        Link(name, f"../{name}" if not name.startswith("reports/") else name.removeprefix("reports/"), detail)
        for name, detail in known.items()
        if (run.path / name).exists() or name.startswith("reports/")
    ]
    return Section("Raw data", (Links(tuple(links)),))


def default_options(run: Run, options: EvaluateOptions) -> EvaluateOptions:
    """The validation part, or what was trained on where none was kept."""
    return options if run.record.data.validation else replace(options, split="train")
