"""The parts that train, arranged: for each a sentence of what to see, a table, and a figure for a slide."""

import math
from collections.abc import Callable

from cnnlab.probe.norm.conversion import RATE, ConversionFacts
from cnnlab.probe.norm.course import Course, CourseFacts, LandscapeFacts, LineCourse
from cnnlab.probe.norm.gradient_line import GradientLine
from cnnlab.probe.norm.ranges import Cell, RangeFacts, What
from cnnlab.probe.norm.report import conversion_blocks
from cnnlab.probe.norm.short_training import LEARNED
from cnnlab.probe.norm.small_batches import BatchOutcome, SmallBatchFacts
from cnnlab.probe.norm.trainings import BATCH, GROUP, WITH, WITHOUT
from cnnlab.view.blocks import Block, Column, Figure, Section, Table, Text, ends_of, interval_text, mean_of, shown
from cnnlab.view.drawings import Curves, Panels, Series

COLOURS = {WITH: 0, WITHOUT: 1, BATCH: 0, GROUP: 1}


def tuned(facts: ConversionFacts) -> Section:
    """The swap, and some steps after it."""
    text = f"After {facts.steps} steps at {RATE:g} of the learning rate: accuracy {interval_text(facts.tuned, '.1%')}."
    blocks = (*conversion_blocks(facts, "fine_tuning"), Text(text, label="fine-tuned"))
    return Section("Batch norms turned into group norms, and fine-tuned", blocks, "fine-tuning")


def training(facts: CourseFacts) -> Section:
    """Activations, gradients and accuracy, with norms and without."""
    said = [f"{one.name} ({one.parameters:,} parameters): {_reached(one, facts.threshold)}" for one in facts.courses]
    if facts.gain is not None:
        said.append(f"the difference over the same images is {interval_text(facts.gain, '+.1%')}")
    blocks: list[Block] = [Text("; ".join(said) + ".")]
    columns = (
        Column("network"),
        Column("epoch", align="right"),
        Column("layer"),
        Column("mean", align="right", form="+.3f"),
        Column("deviation", align="right", form=".3g"),
        Column("dead channels", align="right", form=".1%"),
        Column("gradient norm", align="right", form=".3g"),
    )
    rows = tuple(
        (one.name, point.epoch, layer.layer, layer.mean, layer.deviation, layer.dead, layer.gradient)
        for one in facts.courses
        for point in one.points
        for layer in point.layers
    )
    note = (
        f"On one batch of {facts.batch} training images, in training mode; epoch 0 is before the first step. Mean and "
        "deviation of what reaches the next non-linearity; gradient of the loss by the layer's weight. Without: each "
        "norm is none, and the layers before them have a bias."
    )
    blocks.append(_accuracy_figure(facts))
    blocks.append(_layers_figure(facts))
    blocks.append(_dead_figure(facts))
    blocks.append(Table("Layer by layer", columns, rows, note, "training_layers"))
    return Section("Along a training, with norms and without", tuple(blocks), "training")


def _reached(one: Course, threshold: float) -> str:
    known = [accuracy for accuracy in one.accuracies if accuracy is not None]
    if one.status == "diverged":
        return f"diverged after {len(one.losses)} epochs"
    if not known:
        return f"training loss {one.losses[-1]:.3f}"
    passed = one.first_epoch_above(threshold)
    when = f"{shown(threshold, '.0%')} first after epoch {passed}" if passed else f"never at {shown(threshold, '.0%')}"
    return f"validation accuracy {shown(known[-1], '.1%')} at last, {when}"


def _accuracy_figure(facts: CourseFacts) -> Figure:
    series = tuple(
        Series(
            f"{one.name}",
            tuple(float(n) for n in range(1, len(one.accuracies) + 1)),
            one.accuracies,
            colour=COLOURS[one.name],
        )
        for one in facts.courses
        if one.accuracies
    )
    drawn = Curves(series, "epoch", "validation accuracy", percent=True)
    return Figure("training_accuracy", "The same recipe, with norms and without", drawn, "One training each.")


def _layers_figure(facts: CourseFacts) -> Figure:
    panels = []
    for what, label, title in (
        ("deviation", "deviation", "activation's deviation"),
        ("gradient", "norm", "gradient norm"),
    ):
        values = [getattr(layer, what) for one in facts.courses for point in one.points for layer in point.layers]
        good = [value for value in values if math.isfinite(value) and value > 0]
        ends = (min(good) / 1.3, max(good) * 1.3) if good else (None, None)
        for one in facts.courses:
            panels.append(
                Curves(
                    tuple(
                        Series(
                            layer.layer,
                            tuple(float(point.epoch) for point in one.points),
                            tuple(_positive(getattr(point.layers[place], what)) for point in one.points),
                            colour=place,
                        )
                        for place, layer in enumerate(one.points[0].layers)
                    ),
                    "epoch",
                    label,
                    y_scale="log",
                    y_range=ends,
                    title=f"{title}, {one.name}",
                )
            )
    return Figure(
        "training_layers",
        "Activations and gradients along a training, layer by layer",
        Panels(tuple(panels)),
        "The same axes with norms and without; a curve is a layer.",
    )


def _dead_figure(facts: CourseFacts) -> Figure:
    series = []
    for one in facts.courses:
        shares = []
        for point in one.points:
            dead = [layer.dead for layer in point.layers if layer.dead is not None]
            shares.append(sum(dead) / len(dead) if dead else None)
        epochs = tuple(float(point.epoch) for point in one.points)
        series.append(Series(one.name, epochs, tuple(shares), colour=COLOURS[one.name]))
    drawn = Curves(tuple(series), "epoch", "dead channels", percent=True, y_range=(0.0, None))
    return Figure(
        "training_dead", "Dead channels: a rectifier lets nothing of them through", drawn, "Mean over the layers."
    )


def _positive(value: float) -> float | None:
    return value if math.isfinite(value) and value > 0 else None


def landscape(facts: LandscapeFacts) -> Section:
    """Santurkar et al.'s three measures, twin beside twin."""
    ours, theirs = facts.courses
    text = (
        "Down the gradient by half to four learning rates, at places of each training: how far the loss moves, how "
        "far the gradient changes, and how fast for its length (β). In the paper each is smaller with batch norm "
        "(Santurkar et al. 2018, arXiv:1805.11604, figure 4); it has no table, so that only the direction can be "
        "compared. Weights before a norm have no scale of their own, so that lengths of steps and gradients of the "
        "twins are not the same thing."
    )
    columns = (
        Column("network"),
        Column("epoch", align="right"),
        Column("loss", align="right", form=".3f"),
        Column("least", align="right", form=".3f"),
        Column("largest", align="right", form=".3g"),
        Column("gradient", align="right", form=".3g"),
        Column("its change", align="right"),
        Column("β", align="right", form=".3g"),
    )
    rows = tuple(
        (
            one.name,
            point.epoch,
            point.line.loss,
            min(point.line.losses),
            max(point.line.losses),
            point.line.gradient,
            f"{shown(min(point.line.changes), '.3g')} … {shown(max(point.line.changes), '.3g')}",
            point.line.smoothness if point.line.finite else None,
        )
        for one in (ours, theirs)
        for point in one.points
    )
    note = (
        f"On one batch of {facts.batch} training images, in training mode; learning rate {facts.rate:g}. The twins are "
        f"compared at the {len(facts.compared)} places where both have learned something: a plateau is flat, too."
    )
    panels = (
        _band("loss", "loss along the gradient", ours, theirs, lambda line: line.losses),
        _band("change", "change of the gradient", ours, theirs, lambda line: line.changes),
        Curves(
            tuple(
                Series(
                    one.name,
                    tuple(float(point.epoch) for point in one.points),
                    tuple(_positive(point.line.smoothness) if point.line.finite else None for point in one.points),
                    colour=COLOURS[one.name],
                )
                for one in (ours, theirs)
            ),
            "epoch",
            "β",
            y_scale="log",
            title="effective β-smoothness",
        ),
    )
    figure = Figure(
        "landscape",
        "How smooth the loss is along its gradient",
        Panels(panels),
        "Bands: from the least to the largest value over the steps. Places where a value overflows are left out.",
    )
    return Section(
        "The loss along its gradient",
        (Text(text), figure, Table("Along the gradient", columns, rows, note, "landscape")),
        "landscape",
    )


def _band(
    label: str, title: str, ours: LineCourse, theirs: LineCourse, values: Callable[[GradientLine], tuple[float, ...]]
) -> Curves:
    series = []
    for one in (ours, theirs):
        points = [point for point in one.points if point.line.finite]
        lows = tuple(max(min(values(point.line)), 1e-12) for point in points)
        highs = tuple(max(max(values(point.line)), 1e-12) for point in points)
        middle = tuple(math.sqrt(low * high) for low, high in zip(lows, highs, strict=True))
        epochs = tuple(float(point.epoch) for point in points)
        series.append(Series(one.name, epochs, middle, low=lows, high=highs, colour=COLOURS[one.name]))
    return Curves(tuple(series), "epoch", label, y_scale="log", title=title)


SAID: dict[What, tuple[str, str]] = {
    "scale": ("initial scale", "weights at the start, times"),
    "rate": ("learning rate", "learning rate, times"),
}


def ranges(facts: RangeFacts) -> Section:
    """Which factors train."""
    said = [
        f"{label}: {name} {_span(facts.trains(name, what))}"
        for what, (label, _) in SAID.items()
        for name in (WITH, WITHOUT)
    ]
    columns = (
        Column("what"),
        Column("factor", align="right", form="g"),
        Column("with norms", align="right", form=".3f"),
        Column("trains"),
        Column("without", align="right", form=".3f"),
        Column("trains"),
    )
    rows = tuple(
        (
            SAID[what][0],
            ours.factor,
            ours.outcome.last,
            _yes(ours),
            theirs.outcome.last,
            _yes(theirs),
        )
        for what in SAID
        for ours, theirs in zip(facts.of(WITH, what), facts.of(WITHOUT, what), strict=True)
    )
    chance = facts.cells[0].outcome.chance
    note = (
        f"Loss at the end of {facts.steps} steps (mean of the last fifth) by a constant learning rate of "
        f"{facts.rate:g} times the factor. It trains where that is below the loss at the start and below "
        f"{shown(LEARNED, '.0%')} of {chance:.3f}, the loss of an answer that gives every class the same probability. "
        "One training each."
    )
    panels = tuple(
        Curves(
            (
                *(
                    Series(
                        name,
                        tuple(one.factor for one in facts.of(name, what)),
                        tuple(_capped(one, chance) for one in facts.of(name, what)),
                        colour=COLOURS[name],
                    )
                    for name in (WITH, WITHOUT)
                ),
                Series("saying nothing", (_first(facts, what), _last(facts, what)), (chance, chance), "dashed"),
            ),
            "factor",
            "loss",
            x_scale="log",
            y_range=(0.0, 2 * chance),
            title=title,
        )
        for what, (_, title) in SAID.items()
    )
    figure = Figure(
        "ranges",
        "Which scales and which learning rates train",
        Panels(panels),
        "Below the dashed line it trains. Curves end where the loss overflows; losses above twice that line are not "
        "shown.",
    )
    return Section(
        "What trains at all",
        (Text("; ".join(said) + "."), figure, Table("Ranges", columns, rows, note, "ranges")),
        "ranges",
    )


def _first(facts: RangeFacts, what: What) -> float:
    return min(one.factor for one in facts.of(WITH, what))


def _last(facts: RangeFacts, what: What) -> float:
    return max(one.factor for one in facts.of(WITH, what))


def _span(factors: tuple[float, ...]) -> str:
    if not factors:
        return "trains by none of the factors"
    return f"trains from × {min(factors):g} to × {max(factors):g} ({len(factors)} of them)"


def _yes(one: Cell) -> str:
    return "yes" if one.outcome.trains else "no"


def _capped(one: Cell, chance: float) -> float | None:
    return one.outcome.last if one.outcome.last <= 2 * chance else None


def small_batches(facts: SmallBatchFacts) -> Section:
    """Batch norm beside group norm, by the size of the batch."""
    sizes = sorted({one.size for one in facts.outcomes})
    difference = facts.differences.get(sizes[0])
    text = (
        f"In batches of {sizes[0]} group norm is {interval_text(difference, '+.1%')} above batch norm in accuracy, "
        f"after {facts.epochs} epochs; the interval is over {facts.images} validation images of one training each."
    )
    blocks: list[Block] = [Text(text)]
    if facts.instance_layers:
        blocks.append(
            Text(
                f"In {facts.instance_layers} of {facts.layers} layers there are as many groups as channels "
                f"({facts.groups}): group norm is instance norm there.",
                "caution",
                "instance norm",
            )
        )
    columns = (
        Column("batch", align="right"),
        Column("batch norm", align="right"),
        Column("group norm", align="right"),
        Column("group less batch norm", align="right"),
    )
    by_key = {(one.norm, one.size): one for one in facts.outcomes}
    rows = tuple(
        (
            size,
            _accuracy_text(by_key[BATCH, size]),
            _accuracy_text(by_key[GROUP, size]),
            interval_text(facts.differences.get(size), "+.1%"),
        )
        for size in sizes
    )
    note = (
        "Accuracy of the last weights on the validation part, 95 % intervals over images. The learning rate goes "
        f"with the size of the batch. Group norm with {facts.groups} groups."
    )
    blocks.append(_batch_figure(facts))
    blocks.append(_epochs_figure(facts, sizes[0]))
    blocks.append(Table("Batch norm and group norm", columns, rows, note, "batch_size"))
    return Section("Small batches: batch norm beside group norm", tuple(blocks), "batch-size")


def _accuracy_text(one: BatchOutcome) -> str:
    return one.status if one.accuracy is None else interval_text(one.accuracy, ".1%")


def _batch_figure(facts: SmallBatchFacts) -> Figure:
    series = []
    for norm in (BATCH, GROUP):
        known = [one for one in facts.of(norm) if one.accuracy is not None]
        ends = [ends_of(one.accuracy) for one in known]
        series.append(
            Series(
                norm,
                tuple(float(one.size) for one in known),
                tuple(mean_of(one.accuracy) for one in known),
                low=tuple(low for low, _ in ends),
                high=tuple(high for _, high in ends),
                colour=COLOURS[norm],
            )
        )
    drawn = Curves(tuple(series), "images of a batch", "validation accuracy", x_scale="log", percent=True)
    return Figure(
        "batch_size", "Batch norm and group norm as batches get smaller", drawn, "Bands: 95 % over the images."
    )


def _epochs_figure(facts: SmallBatchFacts, size: int) -> Figure:
    series = tuple(
        Series(
            one.norm,
            tuple(float(n) for n in range(1, len(one.accuracies) + 1)),
            one.accuracies,
            colour=COLOURS[one.norm],
        )
        for one in facts.outcomes
        if one.size == size and one.accuracies
    )
    drawn = Curves(series, "epoch", "validation accuracy", percent=True)
    return Figure("small_batch_epochs", f"Epoch by epoch, in batches of {size}", drawn, "One training each.")
