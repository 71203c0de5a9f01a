"""The report of an ablation: the differences, the table of variants, how they learned, the claims, every training."""

from cnnlab.recipe.facts import Ablation, Repeat, VariantFacts
from cnnlab.stats.confidence import MeanInterval
from cnnlab.view.blocks import (
    Block,
    Cell,
    Column,
    Figure,
    Report,
    Table,
    Text,
    ends_of,
    mean_of,
    shown,
)
from cnnlab.view.claims import claims_section
from cnnlab.view.drawings import Bars, Curves, Series

SHARE = ".2%"


def ablation_report(facts: Ablation) -> Report:
    """The report, of a complete ablation or of what is there so far.

    Arguments:
        facts: of the variants.
    """
    blocks: list[Block] = []
    if not facts.complete:
        there, wanted = facts.trained, facts.repeats * len(facts.variants)
        words = f"{there} of {wanted} trainings are there; the same command goes on with the others."
        blocks.append(Text(words, "note"))
    if facts.trained and not facts.learned(*facts.variants):
        words = (
            f"No variant is far above a guess ({shown(facts.chance, '.0%')}): these trainings are too short, or too "
            "small, to tell anything of a recipe."
        )
        blocks.append(Text(words, "caution"))
    blocks.append(variants_table(facts))
    if any(facts.difference(one.label) is not None for one in facts.variants):
        blocks.append(_differences(facts))
    if any(len(one.course) > 1 for one in facts.variants):
        blocks.append(_curves(facts))
    if facts.claims:
        blocks.append(claims_section(facts.claims))
    if facts.trained:
        blocks += [_numbers(facts), _trainings(facts)]
    images = f"{facts.train:,} training and {facts.validation:,} validation images of {facts.data}; " * bool(
        facts.train
    )
    seeds = f"{facts.repeats} seed{'s' if facts.repeats > 1 else ''}"
    lead = (
        f"{images if facts.train else ''}{seeds}, the same in every variant, so that differences are paired; with 95 % "
        f"intervals (Student's t over seeds). Differences are to: {facts.baseline}."
    )
    return Report(f"Ablation of {facts.name}", tuple(blocks), lead)


def variants_table(facts: Ablation) -> Table:
    """A line for each variant: what it reaches, how far from the baseline, how fast, and what its curves say.

    Arguments:
        facts: of the variants.
    """
    level = shown(facts.threshold, ".0%")
    columns = (
        Column("variant"),
        Column("accuracy", align="right"),
        Column("difference", "points", "right"),
        Column("gap", "points", "right", ".1f"),
        Column(f"epochs to {level}", "", "right"),
        Column(f"seconds to {level}", "", "right", ",.1f"),
        Column("parameters", "", "right", ",d"),
        Column("diagnosis"),
    )
    rows = tuple(
        (
            one.label,
            spread(one.accuracy),
            points(facts.difference(one.label)),
            _hundredfold(mean_of(one.mean(lambda repeat: repeat.gap))),
            _reached(one),
            mean_of(one.mean(lambda repeat: repeat.seconds_to_threshold)),
            one.parameters,
            one.diagnosis,
        )
        for one in facts.variants
    )
    note = (
        "Accuracy: of the best epoch on the validation part, mean ± standard deviation over seeds. Gap: clean training "
        "less validation accuracy after the last epoch."
    )
    return Table("Variants", columns, rows, note)


def spread(mean: MeanInterval | None) -> str:
    """`84.5 ± 0.3 %`; without a deviation where there is one repeat."""
    if mean is None:
        return shown(None)
    if mean.deviation is None:
        return shown(mean.mean, SHARE)
    return f"{100 * mean.mean:.2f} ± {100 * mean.deviation:.2f}\N{NO-BREAK SPACE}%"


def points(mean: MeanInterval | None) -> str:
    """A difference of shares in points of a per cent: `−3.2 [−4.1, −2.3]`."""
    if mean is None:
        return shown(None)
    text = shown(100 * mean.mean, "+.2f")
    if mean.interval is None:
        return text
    return f"{text} [{shown(100 * mean.interval.low, '+.2f')}, {shown(100 * mean.interval.high, '+.2f')}]"


def _hundredfold(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _reached(one: VariantFacts) -> Cell:
    """Epochs to the threshold, with how many repeats came there where not all did."""
    mean = mean_of(one.mean(lambda repeat: repeat.epochs_to_threshold))
    if mean is None or one.reached == len(one.repeats):
        return shown(mean, ".1f")
    return f"{shown(mean, '.1f')} ({one.reached} of {len(one.repeats)})"


def _differences(facts: Ablation) -> Figure:
    compared = [(one.label, found) for one in facts.variants if (found := facts.difference(one.label)) is not None]
    ends = [ends_of(found) for _, found in compared]
    return Figure(
        "differences",
        f"What each switch changes against: {facts.baseline}",
        Bars(
            tuple(label for label, _ in compared),
            tuple(100 * found.mean for _, found in compared),
            "difference of validation accuracy (points)",
            low=tuple(100 * low for low, _ in ends),
            high=tuple(100 * high for _, high in ends),
            form="+.2f",
        ),
        "Whiskers are 95 % intervals of the mean over seeds; those that cross 0 tell no direction.",
    )


def _curves(facts: Ablation) -> Figure:
    series = []
    for colour, one in enumerate(facts.variants):
        if course := one.course:
            epochs = tuple(float(epoch) for epoch in range(1, len(course) + 1))
            means, lows, highs = zip(*course, strict=True)
            dashed = one.label == facts.baseline
            style = "dashed" if dashed else "line"
            series.append(Series(one.label, epochs, means, style, lows, highs, colour))  # type: ignore[arg-type]
    return Figure(
        "curves",
        "How the variants learn",
        Curves(tuple(series), "epoch", "validation accuracy (%)", percent=True),
        f"Means over seeds; bands reach from the lowest to the highest seed. Dashed: {facts.baseline}.",
    )


def _numbers(facts: Ablation) -> Table:
    columns = (
        Column("variant"),
        Column("n", align="right", form="d"),
        Column("accuracy", align="right", form=SHARE),
        Column("deviation", align="right", form=SHARE),
        Column("difference", align="right", form="+.2%"),
        Column("low", align="right", form="+.2%"),
        Column("high", align="right", form="+.2%"),
        Column("gap difference", align="right", form="+.2%"),
    )
    rows = []
    for one in facts.variants:
        accuracy, difference = one.accuracy, facts.difference(one.label)
        gap = mean_of(facts.difference(one.label, lambda repeat: repeat.gap))
        of = (None, None) if accuracy is None else (accuracy.mean, accuracy.deviation)
        ends = (None, None) if difference is None or difference.interval is None else ends_of(difference)
        rows.append((one.label, len(one.repeats), *of, mean_of(difference), *ends, gap))
    return Table("The same as numbers", columns, tuple(rows), name="variants")


def _trainings(facts: Ablation) -> Table:
    columns = (
        Column("variant"),
        Column("seed", align="right", form="d"),
        Column("accuracy", align="right", form=SHARE),
        Column("last epoch", align="right", form=SHARE),
        Column("clean training", align="right", form=SHARE),
        Column("epochs to it", align="right", form="d"),
        Column("training", "s", "right", ",.1f"),
        Column("status"),
        Column("diagnosis"),
    )

    def row(label: str, one: Repeat) -> tuple[Cell, ...]:
        accuracies = (one.accuracy, one.last_accuracy, one.clean_accuracy)
        return (label, one.seed, *accuracies, one.epochs_to_threshold, one.train_seconds, one.status, one.diagnosis)

    rows = tuple(row(variant.label, one) for variant in facts.variants for one in variant.repeats)
    return Table("Each training", columns, rows, name="trainings")
