"""The report of a sweep: the best trial, parallel coordinates, importances, how the best grew, every trial."""

from math import log10

from cnnlab.recipe.sweep_facts import Axis, Sweep, SweptTrial
from cnnlab.view.blocks import Block, Cell, Column, Figure, Number, Numbers, Report, Table, Text, shown
from cnnlab.view.drawings import Bars, Curves, Parallel, ParallelAxis, Series


def sweep_report(facts: Sweep) -> Report:
    """The report of a study as it stands.

    Arguments:
        facts: of the study.
    """
    blocks: list[Block] = [_numbers(facts)]
    if facts.best is not None:
        words = ", ".join(f"{key}={_value(value)}" for key, value in facts.best.values.items())
        again = f" Its config is {facts.best_config}." if facts.best_config else ""
        blocks.append(Text(f"{words} ({facts.best.run}).{again}", "good", "best"))
        blocks.append(
            Text(
                "The best of many on one validation part is chosen by its chance, too: judge it by "
                "`cnnlab train` with other seeds (`--repeats`) before the test part is opened.",
                "note",
            )
        )
    told = [one for one in facts.trials if one.accuracy is not None and None not in one.values.values()]
    if len(told) > 1:
        blocks.append(_parallel(facts, told))
    if facts.importances:
        blocks.append(_importances(facts))
    complete = [one for one in told if one.state == "complete"]
    if len(complete) > 1:
        blocks.append(_history(complete))
    if facts.trials:
        blocks.append(_table(facts))
    lead = "Accuracy of the best epoch on the validation part. Space: " + ", ".join(
        f"{one.key}={one.text}" for one in facts.axes
    )
    return Report(f"Sweep {facts.name}", tuple(blocks), lead + ".")


def _numbers(facts: Sweep) -> Numbers:
    best = facts.best
    others = ", ".join(
        f"{facts.count(state)} {state}" for state in ("pruned", "running", "waiting", "fail") if facts.count(state)
    )
    return Numbers(
        (
            Number("best validation accuracy", None if best is None else best.accuracy, ".2%"),
            Number("complete trials", facts.count("complete"), "d", detail=others),
        )
    )


def _parallel(facts: Sweep, told: list[SweptTrial]) -> Figure:
    axes = (*(_axis(axis, told) for axis in facts.axes), _accuracies(told))
    lines = tuple(
        (*(_place(axis, one.values[axis.key]) for axis in facts.axes), one.accuracy or 0.0)
        for one in sorted(told, key=lambda one: one.accuracy or 0.0)
    )
    return Figure(
        "parallel",
        "Every trial across the space",
        Parallel(axes, lines, "validation accuracy"),
        "A line for each trial, coloured by its accuracy; the best lies on top.",
    )


def _axis(axis: Axis, told: list[SweptTrial]) -> ParallelAxis:
    if axis.choices:
        places = tuple((float(place), choice) for place, choice in enumerate(axis.choices))
        return ParallelAxis(axis.key, 0.0, len(axis.choices) - 1.0, places)
    values = [_place(axis, one.values[axis.key]) for one in told]
    low, high = min(values), max(values)
    ticks = tuple(
        (place, shown(float(10**place if axis.is_log else place), ".3g")) for place in (low, (low + high) / 2, high)
    )
    return ParallelAxis(axis.key, low, high, ticks)


def _accuracies(told: list[SweptTrial]) -> ParallelAxis:
    values = [one.accuracy or 0.0 for one in told]
    low, high = min(values), max(values)
    ticks = tuple((place, shown(place, ".1%")) for place in (low, (low + high) / 2, high))
    return ParallelAxis("accuracy", low, high, ticks)


def _place(axis: Axis, value: Cell) -> float:
    if axis.choices:
        return float(axis.choices.index(str(value)))
    number = float(value or 0)
    return log10(number) if axis.is_log else number


def _importances(facts: Sweep) -> Figure:
    return Figure(
        "importances",
        "Which key mattered",
        Bars(
            tuple(facts.importances),
            tuple(facts.importances.values()),
            "share of the variance of the accuracy (%)",
            percent=True,
        ),
        f"Over the complete trials; by {facts.method}. It is of this space: a wider range weighs more.",
    )


def _history(complete: list[SweptTrial]) -> Figure:
    numbers = tuple(float(one.number) for one in complete)
    found = [one.accuracy or 0.0 for one in complete]
    best = tuple(max(found[: place + 1]) for place in range(len(found)))
    series = (Series("trial", numbers, tuple(found), "points"), Series("best so far", numbers, best))
    return Figure("history", "How the best one grew", Curves(series, "trial", "validation accuracy (%)", percent=True))


def _table(facts: Sweep) -> Table:
    columns = (
        Column("trial", align="right", form="d"),
        Column("accuracy", align="right", form=".2%"),
        Column("epochs", align="right", form="d"),
        Column("state"),
        *(Column(axis.key, align="right") for axis in facts.axes),
    )
    ordered = sorted(facts.trials, key=lambda one: (one.state != "complete", -(one.accuracy or 0.0), one.number))
    rows = tuple(
        (one.number, one.accuracy, one.epochs, one.state, *(_value(one.values[axis.key]) for axis in facts.axes))
        for one in ordered
    )
    return Table("Trials", columns, rows, name="trials")


def _value(value: Cell) -> str:
    return shown(value, ".4g") if isinstance(value, float) else str(shown(value))
