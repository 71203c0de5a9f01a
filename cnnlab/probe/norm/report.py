"""The parts that take seconds, arranged: for each a sentence of what to see, a table, and a figure for a slide."""

from cnnlab.network.asked_data import counted
from cnnlab.probe.norm.agreement import DEVIATION, LIMIT, MEAN, SHAPE
from cnnlab.probe.norm.batch_mates import Mates
from cnnlab.probe.norm.batch_statistics import REPEATS, LayerScatter
from cnnlab.probe.norm.conversion import ConversionFacts
from cnnlab.probe.norm.facts import FoldingFacts, FormulasFacts, ModesFacts, RunningFacts, StateFacts, StatisticsFacts
from cnnlab.probe.norm.running_averages import RunningCourse
from cnnlab.view.blocks import Block, Cell, Column, Figure, Section, Table, Text, Tone, interval_text, shown
from cnnlab.view.drawings import Curves, Series

UNTOUCHED = (
    "No batch has gone into the running statistics of this network, so that in evaluation mode they mean nothing: the "
    "norms before a layer take theirs from batches here."
)


def formulas(facts: FormulasFacts) -> Section:
    """How far the formulas are from torch, and who looks at other images."""
    kinds = facts.kinds
    tone: Tone = "good" if all(one.holds for one in kinds.kinds) else "bad"
    shape = " × ".join(map(str, SHAPE))
    text = (
        f"Forward and backward pass from the formulas, beside torch's, on {shape} values of mean {MEAN:g} and "
        f"deviation {DEVIATION:g}: differences are at most {shown(kinds.worst, '.1e')} (the exercise asks for "
        f"{LIMIT:g}). Only batch norm's output for image 1 changes when image 2 does, and only in training mode "
        f"({shown(kinds.evaluated_influence, 'g')} in evaluation mode)."
    )
    columns = (
        Column("norm"),
        Column("forward", align="right", form=".1e"),
        Column("backward", align="right", form=".1e"),
        Column("influence of another image", align="right", form=".2g"),
    )
    rows = tuple((one.kind, one.forward, one.backward, one.influence) for one in kinds.kinds)
    note = (
        "Largest differences; backward: of a derivative by the input, γ or β, over the largest one where that is above "
        f"1. Running mean and variance after 5 batches: {shown(kinds.running, '.1e')}."
    )
    blocks: list[Block] = [Text(text, tone), Table("The four norms by their formulas", columns, rows, note, "norms")]
    if facts.layers:
        of_layers = (
            Column("layer"),
            Column("norm"),
            Column("forward", align="right", form=".1e"),
            Column("backward", align="right", form=".1e"),
        )
        blocks.append(
            Table(
                "The network's own norms by the formulas",
                of_layers,
                tuple((one.name, one.kind, one.forward, one.backward) for one in facts.layers),
                "In training mode, each on what it is given; largest differences over the largest values.",
                "norm_layers",
            )
        )
    return Section("The formulas", tuple(blocks), "formulas")


def state(facts: StateFacts) -> Section:
    """The layers of the network as it is."""
    columns = (
        Column("layer"),
        Column("mean", align="right", form="+.3f"),
        Column("deviation", align="right", form=".3f"),
        Column("dead channels", align="right", form=".1%"),
        Column("gradient norm", align="right", form=".3g"),
    )
    rows = tuple((one.layer, one.mean, one.deviation, one.dead, one.gradient) for one in facts.layers)
    note = (
        f"One batch of {counted(facts.images, facts.split)}, in training mode. Mean and deviation of what reaches the "
        "next non-linearity, the norm included; dead: a rectifier lets nothing of the channel through; gradient of the "
        "loss by the layer's weight."
    )
    return Section(
        "The layers as they are", (Table("Activations and gradients", columns, rows, note, "state"),), "state"
    )


MODES = {
    "evaluation": "evaluation mode",
    "batch statistics": "batch norm in training mode",
    "training": "all in training mode, dropout too",
}


def modes(facts: ModesFacts) -> Section:
    """One image among other batch-mates."""
    batches = [one for one in facts.mates if one.mode == "batch statistics"]
    evaluated = next(one for one in facts.mates if one.mode == "evaluation")
    small = min(batches, key=lambda one: one.size) if batches else None
    said = f"In evaluation mode {shown(evaluated.kept, '.1%')} of the answers are the same whatever the batch-mates"
    if small is not None:
        said += f"; in training mode, in batches of {small.size}, {shown(small.kept, '.1%')}"
    columns = (
        Column("mode"),
        Column("batch", align="right"),
        Column("same answer", align="right", form=".1%"),
        Column("agreement", align="right", form=".1%"),
        Column("spread of logits", align="right", form=".3f"),
        Column("accuracy", align="right", form=".1%"),
    )
    rows = tuple((MODES[one.mode], one.size, one.kept, one.agreement, one.spread, one.accuracy) for one in facts.mates)
    note = (
        f"{counted(evaluated.images, facts.split)}, sorted into batches several times. Same answer: in all sortings; "
        "agreement: of two sortings; spread: deviation of a logit over the sortings, over the deviation of all logits."
    )
    figure = Figure(
        "batch_mates",
        "The same images among other batch-mates",
        Curves(
            _mates_series(facts.mates),
            x_label="images of a batch",
            y_label="images with the same answer",
            x_scale="log",
            percent=True,
            y_range=(0.0, 1.02),
        ),
        "In training mode an image's answer depends on the images beside it, the more the fewer they are.",
    )
    return Section(
        "Training mode trusts the batch, evaluation mode the memory",
        (Text(f"{said}.", "plain"), Table("Batch-mates", columns, rows, note, "batch_mates"), figure),
        "modes",
    )


def _mates_series(mates: tuple[Mates, ...]) -> tuple[Series, ...]:
    sizes = sorted({one.size for one in mates})
    series = []
    for mode, title in MODES.items():
        found = [one for one in mates if one.mode == mode]
        if len(found) == 1:  # the same at each size
            series.append(Series(title, (sizes[0], sizes[-1]), (found[0].kept,) * 2, "dashed"))
        elif found:
            series.append(Series(title, tuple(one.size for one in found), tuple(one.kept for one in found)))
    return tuple(series)


def statistics(facts: StatisticsFacts) -> Section:
    """The scatter of batch statistics, by the size of the batch."""
    independent, *layers = facts.layers
    small = min(independent.sizes, key=lambda one: one.size)
    last = layers[-1] if layers else independent
    own = min(last.sizes, key=lambda one: one.size)
    text = (
        f"In batches of {small.size} the variance of {last.layer} scatters by {shown(own.variance_deviation, '.0%')} "
        f"and its mean by {shown(own.mean_deviation, '.2f')} deviations. An image of {last.positions} pixels is worth "
        f"{shown(last.effective, '.1f')} independent values, so that the closed form for independent pixels promises "
        "far too little scatter. The variance of the output shows nothing of it: it is σ²/(σ² + ε) in every batch, "
        "whatever its size, since each batch is normalised by itself."
    )
    columns = (
        Column("layer"),
        Column("batch", align="right"),
        Column("mean: deviation", align="right", form=".3f"),
        Column("closed form", align="right", form=".3f"),
        Column("if pixels were independent", align="right", form=".3f"),
        Column("variance: bias", align="right", form="+.1%"),
        Column("closed form", align="right", form="+.1%"),
        Column("deviation", align="right", form=".1%"),
        Column("95 % between", align="right"),
        Column("output's variance", align="right", form=".4f"),
        Column("its deviation", align="right", form=".1e"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            one.layer,
            each.size,
            each.mean_deviation,
            each.mean_expected,
            each.mean_independent,
            each.variance_bias,
            each.variance_bias_expected,
            each.variance_deviation,
            f"{shown(each.variance_lowest, '.2f')} … {shown(each.variance_highest, '.2f')}",
            each.output_variance,
            each.output_deviation,
        )
        for one in facts.layers
        for each in one.sizes
    ]
    note = (
        f"{REPEATS} batches of each size, drawn with replacement from {counted(last.images, facts.split)}; means over "
        "the channels. Means in true deviations, variances over the true one; the variance is the biased one, by "
        f"which a batch is normalised. Independent values: the chapter's, mean {MEAN:g} and deviation {DEVIATION:g}, "
        f"of which the variance {DEVIATION**2:g} is estimated as {_range_text(small, DEVIATION**2)} in batches of "
        f"{small.size}."
    )
    blocks: list[Block] = [Text(text), Table("Batch statistics", columns, tuple(rows), note, "batch_statistics")]
    if facts.untouched and layers:
        blocks.append(Text(UNTOUCHED, "note"))
    blocks.append(_scatter_figure(last))
    if layers:
        blocks.append(_mean_figure(facts.layers))
    return Section("Small batches: noisy statistics", tuple(blocks), "statistics")


def _range_text(one: object, variance: float) -> str:
    low, high = (getattr(one, name) * variance for name in ("variance_lowest", "variance_highest"))
    return f"{shown(low, '.1f')} … {shown(high, '.1f')}"


def _scatter_figure(one: LayerScatter) -> Figure:
    sizes = tuple(float(each.size) for each in one.sizes)
    drawn = Series(
        "batch variance",
        sizes,
        tuple(1 + each.variance_bias for each in one.sizes),
        low=tuple(each.variance_lowest for each in one.sizes),
        high=tuple(each.variance_highest for each in one.sizes),
    )
    expected = Series("its mean, closed form", sizes, tuple(1 + e.variance_bias_expected for e in one.sizes), "dashed")
    output = Series(
        "variance of the output",
        sizes,
        tuple(each.output_variance for each in one.sizes),
        low=tuple(each.output_variance - 2 * each.output_deviation for each in one.sizes),
        high=tuple(each.output_variance + 2 * each.output_deviation for each in one.sizes),
    )
    return Figure(
        "batch_variance",
        "Where small batches scatter, and where they do not",
        Curves((drawn, expected, output), "images of a batch", "variance, over the true one", x_scale="log"),
        f"{one.layer}: the band holds 95 % of the batches. The output's variance is the same in every batch, up to ε.",
    )


def _mean_figure(layers: tuple[LayerScatter, ...]) -> Figure:
    series: list[Series] = []
    for number, one in enumerate(layers):
        sizes = tuple(float(each.size) for each in one.sizes)
        found = tuple(each.mean_deviation for each in one.sizes)
        series.append(Series(one.layer, sizes, found, "points", colour=number))
        expected = tuple(each.mean_expected for each in one.sizes)
        series.append(Series(f"{one.layer}, σ_b/(σ·√m)", sizes, expected, "dashed", colour=number))
    return Figure(
        "batch_mean",
        "How far the mean of a batch is off",
        Curves(tuple(series), "images of a batch", "deviation of the batch mean, σ", x_scale="log", y_scale="log"),
        "Points: measured; dashed: the closed form. Neighbouring pixels are alike, so that an image counts for few.",
    )


def running(facts: RunningFacts) -> Section:
    """Running statistics on their way, and those that the network has."""
    independent = facts.courses[0]
    begun, true = facts.gaps[0], facts.gaps[-1]
    way = shown(1 - (1 - independent.momentum) ** (begun.updates or 1), ".0%")
    text = (
        f"After {begun.updates} batches running averages stand at {way} of the way, and {independent.updates_needed} "
        f"take them to 99 %. One image through both modes differs by {shown(begun.difference, '.2f')} then (the "
        f"chapter's False), and by {shown(true.difference, '.2f')} with true averages: nearly all of it is averages "
        "that are not there yet."
    )
    columns = (
        Column("layer"),
        Column("batches", align="right"),
        Column("way of the mean", align="right", form=".1%"),
        Column("closed form", align="right", form=".1%"),
        Column("variance over the true one", align="right", form=".3g"),
        Column("closed form", align="right", form=".3g"),
        Column("scatter of the mean", align="right", form=".3f"),
    )
    rows = tuple(
        (one.layer, s.updates, s.way, s.way_expected, s.variance, s.variance_expected, s.scatter)
        for one in facts.courses
        for s in one.steps
    )
    note = (
        f"From mean 0 and variance 1 on, momentum {independent.momentum:g}, batches of {independent.batch}. Way: the "
        "share of the true mean, over all channels (rough where means are small); scatter in true deviations, which "
        f"ends at {', '.join(shown(one.scatter_expected, '.3f') for one in facts.courses)}."
    )
    blocks: list[Block] = [
        Text(text),
        Table("Running statistics after so many batches", columns, rows, note, "running"),
        _running_figure(independent),
        Table(
            "One image through both modes",
            (Column("batches in the averages", align="right"), Column("difference", align="right", form=".3f")),
            tuple((shown(one.updates) if one.updates else "true averages", one.difference) for one in facts.gaps),
            "Root mean square of the difference of both outputs, of the chapter's values; their deviation is 1.",
            "modes_of_one",
        ),
    ]
    if facts.kept and not facts.untouched:
        blocks.append(_kept_table(facts))
    return Section("Running statistics", tuple(blocks), "running")


def _kept_table(facts: RunningFacts) -> Table:
    columns = (
        Column("layer"),
        Column("batches", align="right"),
        Column("mean is off by", align="right", form=".3f"),
        Column("variance over the true one", align="right", form=".3f"),
    )
    rows = tuple((one.layer, one.updates, one.mean_error, one.variance_ratio) for one in facts.kept)
    note = (
        f"Against {facts.split} images as the layer is given them in evaluation mode; the mean in true deviations, "
        "root mean square over the channels; the variance of the median channel. Training saw augmented images."
    )
    return Table("The network's own running statistics", columns, rows, note, "kept_statistics")


def _running_figure(one: RunningCourse) -> Figure:
    updates = tuple(float(step.updates) for step in one.steps)
    drawn = Curves(
        (
            Series("measured", updates, tuple(step.way for step in one.steps), "points", colour=0),
            Series("1 − (1 − momentum)ⁿ", updates, tuple(step.way_expected for step in one.steps), "dashed", colour=0),
        ),
        "batches, n",
        "way to the true mean",
        x_scale="log",
        percent=True,
        y_range=(0.0, 1.05),
    )
    caption = f"{one.layer}, momentum {one.momentum:g}: {one.updates_needed} batches take them 99 % of the way."
    return Figure("running_mean", "Running averages take their time", drawn, caption)


def folding(facts: FoldingFacts) -> Section:
    """What a batch norm takes away from the layer before it."""
    if not facts.layers:
        text = f"None of the {facts.batch_norms} batch norms comes straight after a layer with weights."
        return Section("What a batch norm takes away", (Text(text, "note"),), "folding")
    columns = (
        Column("layer"),
        Column("batch norm"),
        *(
            column
            for change in facts.layers[0].changes
            for column in (
                Column(f"weights × {change.factor:g}", align="right", form=".1e"),
                Column("by ε", align="right", form=".1e"),
            )
        ),
        Column("without bias", align="right", form=".1e"),
    )
    rows = tuple(
        (
            one.follows.layer,
            one.follows.norm,
            *(value for change in one.changes for value in (change.output, change.by_eps)),
            one.without_bias,
        )
        for one in facts.layers
    )
    note = (
        "Largest change of what the norm puts out in training mode, over the largest output, when the weights before "
        "it are multiplied; by ε: the share that ε in √(σ² + ε) explains, large where the layer's variance is small."
    )
    blocks: list[Block] = [Table("Scaled weights", columns, rows, note, "folding")]
    if facts.redundant:
        named = [one.follows.layer for one in facts.layers if one.follows.bias]
        text = (
            f"{len(named)} layers before a batch norm have a bias that it takes away again, {facts.redundant:,} "
            f"numbers in vain ({', '.join(named[:4])}{', …' if len(named) > 4 else ''}): leave them out with bias: "
            "false."
        )
        blocks.insert(0, Text(text, "caution", "redundant bias"))
    return Section("What a batch norm takes away", tuple(blocks), "folding")


def converted(facts: ConversionFacts) -> Section:
    """The swap without any training."""
    return Section("Batch norms turned into group norms", conversion_blocks(facts, "conversion"), "conversion")


def conversion_blocks(facts: ConversionFacts, name: str) -> tuple[Block, ...]:
    """What both parts say of the swap; `name` is that of the table."""
    before, after = interval_text(facts.before, ".1%"), interval_text(facts.after, ".1%")
    text = (
        f"Same weights, γ and β, no training: accuracy {before} before, {after} after. The swap is one line, but the "
        "weights have been trained with the other norm and have to be trained on."
    )
    instance = [one for one in facts.layers if one.is_instance]
    blocks: list[Block] = [Text(text)]
    if instance:
        blocks.append(
            Text(
                f"In {len(instance)} of {len(facts.layers)} layers there are as many groups as channels, so that the "
                f"group norm is an instance norm ({instance[0].groups} groups on {instance[0].channels} channels): it "
                "takes the mean and the contrast of each channel out of each image.",
                "caution",
                "instance norm",
            )
        )
    columns = (Column("layer"), Column("channels", align="right"), Column("groups", align="right"), Column("is"))
    rows = tuple(
        (one.name, one.channels, one.groups, "instance norm" if one.is_instance else "group norm")
        for one in facts.layers
    )
    note = f"Groups that divide the channels, {facts.asked} at most. Accuracy over {facts.images} images."
    blocks.append(Table("Group norms in place of batch norms", columns, rows, note, name))
    return tuple(blocks)
