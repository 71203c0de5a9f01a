"""The report on what another network's weights are worth: accuracy over the number of images, gains, and claims."""

from collections.abc import Sequence

from cnnlab.core.characters import some
from cnnlab.probe.means import bands, line_of_means, spread
from cnnlab.probe.transfer.arms import SCRATCH, Arm
from cnnlab.probe.transfer.facts import TransferFacts
from cnnlab.view.blocks import Block, Cell, Column, Figure, Report, Table, Text, interval_text, shown
from cnnlab.view.claims import claims_section
from cnnlab.view.drawings import Curves, Panels, Series

FORM = ".1%"
SIGNED = "+.1%"
SHOWN = 12
"""Classes that are named."""


def transfer_report(facts: TransferFacts) -> Report:
    """The curves, the same by depth, the tables, and claims.

    Arguments:
        facts: of the experiment.
    """
    source = facts.source
    accuracy = "" if source.accuracy is None else f", of which it gets {shown(source.accuracy, FORM)} right"
    lead = (
        f"{source.name} has learned {some(source.classes, SHOWN)} from {source.train:,} images of {source.data}"
        f"{accuracy}. From its weights, and from nothing, networks of {facts.parameters:,} parameters learn "
        f"{some(facts.classes, SHOWN)}; they are asked about {facts.validation:,} validation images. "
        f"{facts.repeats} repeat{'s' * (facts.repeats > 1)}; {facts.schedule}."
    )
    blocks: list[Block] = [_curves(facts), _by_depth(facts), _accuracies(facts), _gains(facts)]
    blocks += [claims_section(facts.claims), Text(_note(facts), "note")]
    title = f"What the weights of {source.name} are worth: {len(facts.classes)} other classes of {facts.data}"
    return Report(title, tuple(blocks), lead)


def _curves(facts: TransferFacts) -> Figure:
    accuracies, gains = [], []
    for number, arm in enumerate(facts.arms):
        cells = [facts.cell(arm.key, size) for size in facts.sizes]
        accuracies.append(line_of_means(arm.words, facts.sizes, [one.mean for one in cells], number, shares=True))
        if arm != SCRATCH:
            gains.append(line_of_means(arm.words, facts.sizes, [one.gain for one in cells], number))
    gains.append(_nothing("no gain", (facts.sizes[0], facts.sizes[-1])))
    words = (
        "Above: validation accuracy after the last epoch. Below: the same less that from nothing, paired by repeat. "
        f"{bands(facts.repeats)}"
    )
    panels = (_panel(accuracies, "accuracy (%)", "Accuracy"), _panel(gains, "gain (%)", "Gain over from nothing"))
    return Figure("transfer", "Accuracy over the number of images", Panels(panels), words)


def _by_depth(facts: TransferFacts) -> Figure:
    arms = [arm for arm in facts.arms if arm.frozen is not None]
    depths = [arm.frozen or 0 for arm in arms]
    lines = [
        line_of_means(f"{size:,} a class", depths, [facts.cell(arm.key, size).gain for arm in arms], number)
        for number, size in enumerate(facts.sizes)
    ]
    lines.append(_nothing("no gain", (depths[0], depths[-1])))
    words = f"0: all layers are tuned; {depths[-1]}: the head alone learns. {bands(facts.repeats)}"
    curves = Curves(tuple(lines), "frozen layers, from the image on", "gain over from nothing (%)", percent=True)
    return Figure("depth", "Gain by how many layers are frozen", curves, words)


def _nothing(name: str, ends: tuple[int, int]) -> Series:
    return Series(name, (float(ends[0]), float(ends[1])), (0.0, 0.0), "faint")


def _panel(series: Sequence[Series], label: str, title: str) -> Curves:
    return Curves(tuple(series), "training images of each class", label, x_scale="log", percent=True, title=title)


def _accuracies(facts: TransferFacts) -> Table:
    rows = [(arm.words, *(spread(facts.cell(arm.key, size).mean, FORM) for size in facts.sizes)) for arm in facts.arms]
    note = "Mean ± standard deviation over the repeats, by the training images of each class; facts.json has each."
    return _table("Accuracy", facts, rows, note, "accuracy")


def _gains(facts: TransferFacts) -> Table:
    rows = [
        (arm.words, *(interval_text(facts.cell(arm.key, size).gain, SIGNED) for size in facts.sizes))
        for arm in facts.arms
        if arm != SCRATCH
    ]
    return _table("Gain over from nothing", facts, rows, "Paired by repeat; 95 % t intervals of the mean.", "gains")


def _table(title: str, facts: TransferFacts, rows: Sequence[tuple[Cell, ...]], note: str, key: str) -> Table:
    columns = (Column("begins"), *(Column(f"{size:,}", "", "right") for size in facts.sizes))
    return Table(title, columns, tuple(rows), note, key)


def _note(facts: TransferFacts) -> str:
    frozen = "; ".join(f"{arm.words}: {_patterns(arm)}" for arm in facts.arms if arm.freeze)
    return (
        "In a repeat all arms learn the same images, in as many steps, and are asked about the same; the fewer images "
        "are among the more. Repeats differ in the images, in the weights that are new, in the order, and in "
        "augmentation; the source is the same in all, so the intervals say nothing of other sources or other classes. "
        "The recipe is the same for all arms and numbers of images, and images are prepared as for the source. No "
        f"epoch is chosen: it is the last that counts. Frozen are: {frozen}."
    )


def _patterns(arm: Arm) -> str:
    return some(arm.freeze, 8)
