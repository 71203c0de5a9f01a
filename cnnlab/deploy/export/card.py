"""The model card of a network: what it was trained on, how good it is, what it is for and what it is not."""

import math
from collections.abc import Iterator

import yaml

from cnnlab.config.config import Config
from cnnlab.core.characters import markdown_escaped
from cnnlab.deploy.export.leaving import Leaving
from cnnlab.network.exported.opened import WEIGHTS
from cnnlab.rejection.scores import facts_of_score

CLASSES_SHOWN = 100


def model_card(leaving: Leaving, *, by_itself: bool) -> str:
    """The README of a folder, in Markdown with YAML front matter.

    Arguments:
        leaving: the network, with what was measured of it.
        by_itself: whether the folder is all that cnnlab needs to open it.

    Returns:
        The text; what is not known is said to be so.
    """
    sections = (
        ("", _lead(leaving)),
        ("Use", _use(leaving, by_itself)),
        ("How good it is", _measures(leaving)),
        *((("None of these", _rejection(leaving)),) if leaving.rule is not None else ()),
        ("Data", _data(leaving)),
        ("Preparation of an image", [f"Of {leaving.network.preparation.sentence}."]),
        ("Training", _training(leaving)),
        ("Intended use", _intended(leaving)),
        ("Limits", _limits(leaving)),
    )
    parts = [f"---\n{yaml.safe_dump(_front(leaving), sort_keys=False, allow_unicode=True)}---\n"]
    for title, lines in sections:
        head = f"## {title}" if title else f"# {markdown_escaped(leaving.network.name)}"
        parts.append("\n".join([head, "", *lines, ""]))
    return "\n".join(parts)


def _front(leaving: Leaving) -> dict[str, object]:
    found: dict[str, object] = {
        "library_name": "cnnlab",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "cnnlab"],
    }
    facts, record = leaving.measured.facts, leaving.network.run and leaving.network.run.record
    if facts is None:
        return found
    data = record.data.name if record else leaving.measured.part
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"name": data, "type": data, "split": leaving.measured.part},
        "metrics": [{"type": "accuracy", "value": round(facts.accuracy, 4)}],
    }
    return found | {"model-index": [{"name": leaving.network.name, "results": [result]}]}


def _lead(leaving: Leaving) -> Iterator[str]:
    network = leaving.network
    count = sum(parameter.numel() for parameter in leaving.model.parameters())
    shape = " × ".join(map(str, network.shape))
    classes = f"{len(network.classes)} classes" if network.classes else "classes without names"
    yield f"A network for images of {shape} pixels and {classes}: {count:,} parameters, {network.weights}."
    known = leaving.metadata
    yield f"Exported by cnnlab {known.cnnlab_version}; SHA-256 of its weights `{known.weights_sha256}`."


def _use(leaving: Leaving, by_itself: bool) -> Iterator[str]:
    if by_itself:
        yield "```sh\ncnnlab predict FOLDER photo.png      # FOLDER: where this file lies\n```"
    else:
        yield f"It is made by Python code that is not in this folder; with it, `MODEL --weights FOLDER/{WEIGHTS}`:"
        yield "classes and preparation are found beside the weights."


def _measures(leaving: Leaving) -> Iterator[str]:
    known, facts = leaving.measured, leaving.measured.facts
    if facts is None:
        yield f"Not measured: {known.reason}."
    else:
        low, high = facts.interval.low, facts.interval.high
        yield f"On {facts.n:,} images of the {known.part} part:\n"
        yield "| measure | value |\n| --- | ---: |"
        yield f"| accuracy, 95 % interval | {facts.accuracy:.2%} [{low:.2%}, {high:.2%}] |"
        yield f"| macro F1 | {facts.macro_f1:.3f} |"
        yield f"| cross-entropy | {facts.loss:.4f} |"
        yield f"| calibration error | {facts.calibration.ece:.2%} |"
        yield ""
        yield "| class | precision | recall | F1 | images |\n| --- | ---: | ---: | ---: | ---: |"
        for one in facts.per_class[:CLASSES_SHOWN]:
            values = ("–" if math.isnan(value) else f"{value:.3f}" for value in (one.precision, one.recall, one.f1))
            yield f"| {markdown_escaped(one.name)} | {' | '.join(values)} | {one.support} |"
    if known.test_accuracy is not None:
        yield f"\nOn the test part, as it was last opened: {known.test_accuracy:.2%}."


def _rejection(leaving: Leaving) -> Iterator[str]:
    rule = leaving.rule
    assert rule is not None
    yield f"An image whose score ({facts_of_score(rule.score).label}) is below {rule.threshold:.4g} is none of"
    yield "the classes: `cnnlab predict FOLDER photo.png --reject`."
    yield f"Of the images that it was made from, {rule.share:.0%} lie above."
    groups = rule.facts.get("outsiders")
    if isinstance(groups, list) and groups:
        yield "\n| images of none of the classes | n | accepted all the same |\n| --- | ---: | ---: |"
        for one in groups:
            yield f"| {markdown_escaped(str(one['outsiders']))} | {one['n']} | {one['false_accept_rate']:.1%} |"


def _data(leaving: Leaving) -> Iterator[str]:
    run = leaving.network.run
    if run is None:
        yield "Not known to cnnlab: the network was not trained by it."
    else:
        data = run.record.data
        yield f"{data.name}: {data.train:,} images to learn from, {data.validation:,} for validation."
    names = leaving.network.classes
    if names:
        more = f" … and {len(names) - CLASSES_SHOWN} more" if len(names) > CLASSES_SHOWN else ""
        yield f"Classes, in the order of the logits: {', '.join(map(markdown_escaped, names[:CLASSES_SHOWN]))}{more}."


def _training(leaving: Leaving) -> Iterator[str]:
    run, config = leaving.network.run, leaving.network.config
    if run is None or config is None:
        yield "Not known to cnnlab."
        return
    outcome = run.record.outcome
    yield f"{outcome.epochs} epochs ({outcome.status}), {_recipe(config)}, seed {config.seed}."


def _recipe(config: Config) -> str:
    augmented = ", ".join(one.name for one in config.data.augment) or "none"
    return (
        f"batches of {config.training.batch_size}, optimizer {config.optimizer.name}, schedule {config.schedule.name}, "
        f"loss {config.loss.name}, augmentation {augmented}"
    )


def _intended(leaving: Leaving) -> Iterator[str]:
    kind = "each class by itself" if leaving.network.activation == "sigmoid" else "one of these classes"
    yield f"Telling of an image like those that it has learned from {kind}."


def _limits(leaving: Leaving) -> Iterator[str]:
    unless = ", unless its score is asked for" if leaving.rule is not None else ""
    yield f"- An image of none of these classes gets one of them all the same, often with a high probability{unless}."
    yield "- The measures hold for images like those on which they were made; of others they say nothing."
    if not leaving.network.trained:
        yield "- The weights are random: its answers mean nothing."
    for remark in leaving.network.remarks:
        yield f"- {markdown_escaped(remark)}."
