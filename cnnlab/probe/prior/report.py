"""The report on what a convolution assumes: accuracy over the number of images, differences, and claims."""

from collections.abc import Sequence

from cnnlab.layers_lab.toeplitz_report import matrix_section
from cnnlab.probe.means import bands, line_of_means, spread
from cnnlab.probe.prior.facts import Difference, Entrant, Pair, PriorFacts
from cnnlab.probe.prior.tasks import Task
from cnnlab.view.blocks import (
    Block,
    Cell,
    Column,
    Figure,
    Report,
    Section,
    Table,
    Text,
    interval_text,
    shown,
)
from cnnlab.view.claims import claims_section
from cnnlab.view.drawings import Curves, Panels, Series

FORM = ".1%"
SIGNED = "+.1%"


def prior_report(facts: PriorFacts) -> Report:
    """The curves, tables, claims, and a convolution as the dense layer that it is."""
    sentences = tuple(Text(_pair_sentence(pair, facts)) for pair in facts.pairs)
    blocks: list[Block] = [_curves(facts), _accuracies(facts), _lead_curves(facts)]
    blocks += [Section("Pair by pair, and where they cross", sentences, "pairs"), _differences(facts)]
    blocks.append(matrix_section(facts.matrix, facts.matrix_error))
    if facts.claims:
        blocks.append(claims_section(facts.claims))
    blocks.append(Text(_note(facts), "note"))
    lead = (
        f"{' and '.join(_network_words(one) for one in facts.networks)}; {facts.data}, {facts.validation:,} validation "
        f"images, {facts.repeats} repeat{'s' * (facts.repeats > 1)}. {_capital(facts.schedule)}."
    )
    return Report(f"What is assumed, and how many images that is worth: {facts.data}", tuple(blocks), lead)


def _network_words(one: Entrant) -> str:
    return f"{one.name} ({one.kind}, {one.parameters:,} parameters)"


def _pair_sentence(pair: Pair, facts: PriorFacts) -> str:
    rows = _of_pair(pair, facts)
    ends = rows[:1] if len(rows) == 1 else [rows[0], rows[-1]]
    leads = ", ".join(f"{interval_text(one.mean, SIGNED)} with {one.images:,} images" for one in ends)
    words = _capital(_task(pair.task, facts).words)
    return f"{words}: {pair.first} less {pair.second} {leads}. {_crossing(pair, facts)}"


def _of_pair(pair: Pair, facts: PriorFacts) -> list[Difference]:
    key = (pair.task, pair.first, pair.second)
    return [one for one in facts.differences if (one.task, one.first, one.second) == key]


def _crossing(pair: Pair, facts: PriorFacts) -> str:
    span = f"{facts.sizes[0]:,} to {facts.sizes[-1]:,} images"
    if not pair.crossings:
        return f"They do not cross from {span}."
    found = []
    for one in pair.crossings:
        ends = one.interval
        there = f" (the difference there: {shown(ends.low, SIGNED)} … {shown(ends.high, SIGNED)})" if ends else ""
        doubt = "" if one.sure else ", within what chance does"
        found.append(f"near {one.images:,.0f} images{there}{doubt}")
    return f"They cross {'; '.join(found)}."


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _task(key: str, facts: PriorFacts) -> Task:
    return next(task for task in facts.tasks if task.key == key)


def _curves(facts: PriorFacts) -> Figure:
    panels = []
    for task in facts.tasks:
        series = []
        for number, one in enumerate(facts.networks):
            means = [facts.cell(task.key, one.name, size).mean for size in facts.sizes]
            series.append(line_of_means(f"{one.name} ({one.parameters:,})", facts.sizes, means, number, shares=True))
        panels.append(_panel(series, "accuracy (%)", task.words))
    words = f"Validation accuracy after the last epoch. {bands(facts.repeats)} In brackets: parameters."
    return Figure("prior", "Accuracy over the number of images", Panels(tuple(panels)), words)


def _lead_curves(facts: PriorFacts) -> Figure:
    ends = (float(facts.sizes[0]), float(facts.sizes[-1]))
    panels = []
    for task in facts.tasks:
        series = []
        for number, pair in enumerate(one for one in facts.pairs if one.task == task.key):
            means = [one.mean for one in _of_pair(pair, facts)]
            name = f"{pair.first} less {pair.second}"
            series.append(line_of_means(name, facts.sizes, means, number))
        series.append(Series("no difference", ends, (0.0, 0.0), "faint"))
        panels.append(_panel(series, "difference (%)", task.words))
    return Figure(
        "lead", "Who is ahead, and by how much", Panels(tuple(panels)), f"Paired by repeat. {bands(facts.repeats)}"
    )


def _panel(series: Sequence[Series], label: str, title: str) -> Curves:
    return Curves(tuple(series), "training images", label, x_scale="log", percent=True, title=_capital(title))


def _accuracies(facts: PriorFacts) -> Table:
    columns = (
        Column("task"),
        Column("network"),
        Column("parameters", "", "right", ",d"),
        *(Column(f"{size:,}", "", "right") for size in facts.sizes),
    )
    rows: list[tuple[Cell, ...]] = []
    for task in facts.tasks:
        for one in facts.networks:
            means = [facts.cell(task.key, one.name, size).mean for size in facts.sizes]
            rows.append((task.key, one.name, one.parameters, *(spread(mean, FORM) for mean in means)))
    tasks = "; ".join(f"{task.key}: {task.words}" for task in facts.tasks)
    note = (
        f"Mean ± standard deviation over the repeats, by the number of training images; facts.json has each. {tasks}."
    )
    return Table("Accuracy by the number of images", columns, tuple(rows), note, "accuracy")


def _differences(facts: PriorFacts) -> Table:
    columns = (
        Column("task"),
        Column("first"),
        Column("less"),
        Column("images", "", "right", ",d"),
        Column("difference", "", "right"),
    )
    rows = tuple(
        (one.task, one.first, one.second, one.images, interval_text(one.mean, SIGNED)) for one in facts.differences
    )
    note = "Paired by repeat; 95 % t intervals of the mean."
    return Table("Differences", columns, rows, note, "differences")


def _note(facts: PriorFacts) -> str:
    fields = ", ".join(f"{one.name} sees {one.field} px" for one in facts.networks if one.field)
    return (
        "Subsets are nested and have as many images of each class as of any other; they are the same for all networks "
        "and repeats, and so are the validation images. Repeats differ in the weights that networks start with, in the "
        "order of images and in augmentation. No epoch is chosen: it is the last that counts; facts.json has every "
        "training. All networks of one config are trained by its recipe; configs of your own can have one each."
        + (f" Of the image before all places come together: {fields}." if fields else "")
    )
