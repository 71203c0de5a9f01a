"""What a bench has found, as it is written: the speed and its limits, the phases of a step."""

from typing import Any

from cnnlab.speed.changes import NOTICED
from cnnlab.speed.facts import Bench, Setting, Speed
from cnnlab.speed.phases import PHASES
from cnnlab.view.blocks import Block, Cell, Column, Figure, Link, Links, Report, Section, Table, Text, shown
from cnnlab.view.drawings import Bars, Mark
from cnnlab.view.layer_rows import size_text

UNSTEADY = 1.5
"""The third quartile over the first from which times are no longer steady."""

DISTURBED = (
    "The times of equal steps differ by half or more: other work shares the machine. Ratios, whose sides took turns, "
    "suffer less than the speeds."
)


def bench_report(facts: Bench) -> Report:
    """The verdict first, then speeds beside what the machine reaches, then where the time of a step goes."""
    blocks: list[Block] = [Text(_verdict(facts), "plain", "measured")]
    steady = facts.step.seconds
    if steady.high > UNSTEADY * steady.low:
        blocks.append(Text(DISTURBED, "caution"))
    blocks += [Text(remark, "note") for remark in facts.remarks]
    blocks += [_speeds(facts), Section("Where the time of a step goes", tuple(_phases(facts)), "phases")]
    blocks.append(Section("What to change", tuple(_trials(facts)), "changes"))
    blocks.append(Section("Attribution methods that change the image", tuple(_methods(facts)), "methods"))
    if facts.trace is not None:
        told = "open it at ui.perfetto.dev, or in TensorBoard with the plugin torch-tb-profiler"
        blocks.append(Links((Link("A trace of some steps", f"{facts.trace.parent.name}/{facts.trace.name}", told),)))
    return Report(f"How fast {facts.setting.name} trains here", tuple(blocks), _lead(facts.setting))


def bench_json(facts: Bench) -> dict[str, Any]:
    """`--json`: seconds, and operations per second."""
    return {
        "config": facts.setting.name,
        "setting": vars(facts.setting),
        "ceiling": vars(facts.ceiling),
        "flops": None if facts.work is None else vars(facts.work),
        "step": _speed_json(facts.step),
        "sizes": [{"size": one.size, "share": one.share, **_speed_json(one.speed)} for one in facts.sizes],
        "bare": _speed_json(facts.bare),
        "over_bare": facts.over_bare.as_json(),
        "of_the_ceiling": facts.of_the_ceiling,
        "phases": [
            {"phase": name, "seconds": seconds, "share": facts.phases.shares[name]}
            for name, seconds in facts.phases.seconds.items()
        ],
        "overhead": facts.phases.overhead,
        "input": _speed_json(facts.input),
        "evaluation": {"images": facts.evaluated, **_speed_json(facts.evaluation)},
        "trials": [
            {
                "change": one.words,
                "besides": one.besides,
                "finding": one.finding,
                "gain": None if one.gain is None else one.gain.as_json(),
                "why_not": one.why_not or None,
            }
            for one in facts.trials
        ],
        "methods": [
            {
                "method": one.method,
                "images": one.images,
                "changed": one.changed,
                "seconds": None if one.seconds is None else one.seconds.as_json(),
                "limit": None if one.limit is None else one.limit.as_json(),
                "over_limit": None if one.over_limit is None else one.over_limit.as_json(),
                "why_not": one.why_not or None,
            }
            for one in facts.methods
        ],
        "seconds": facts.seconds,
        "trace": facts.trace,
    }


def _speed_json(speed: Speed) -> dict[str, Any]:
    return {
        "images_per_second": speed.images_per_second,
        "flops_per_second": speed.flops_per_second,
        "seconds_per_image": speed.seconds.as_json(),
    }


def _lead(setting: Setting) -> str:
    batches = "" if setting.accumulate == 1 else f", {setting.accumulate} of them a step"
    layout = ", channels last" if setting.channels_last else ""
    compiled = ", compiled" if setting.compiled else ""
    return (
        f"Batches of {setting.batch:,} images of {size_text(setting.shape)}{batches}, {setting.precision}{layout}"
        f"{compiled}, on {setting.device} with {setting.threads} thread{'s' * (setting.threads != 1)}."
    )


def _verdict(facts: Bench) -> str:
    said = (
        f"{facts.step.images_per_second:,.0f} images/s in training; the step takes {facts.over_bare.text('.2f')} times "
        "the time of a bare loop whose batches are ready"
    )
    reached, share = facts.step.flops_per_second, facts.of_the_ceiling
    if reached is not None and share is not None:
        said += (
            f". That is {reached / 1e9:,.1f} GFLOP/s, {shown(share, '.0%')} of what a product of two matrices reaches "
            f"here ({facts.ceiling.flops_per_second / 1e9:,.1f})"
        )
    longest = max(facts.phases.shares, key=facts.phases.shares.__getitem__)
    return f"{said}. Most time goes into {longest}: {shown(facts.phases.shares[longest], '.0%')} of a step."


def _speeds(facts: Bench) -> Table:
    columns = (
        Column("what"), Column("images/s", "", "right", ",.0f"), Column("an image", "ms", "right"),
        Column("GFLOP/s", "", "right", ",.1f"), Column("share", "", "right", ".0%"),
    )  # fmt: skip
    peak = facts.ceiling.flops_per_second

    def row(name: str, speed: Speed) -> tuple[Cell, ...]:
        reached = speed.flops_per_second
        per_image = speed.seconds.text(".3g", 1000.0)
        share = None if reached is None else reached / peak
        return name, speed.images_per_second, per_image, None if reached is None else reached / 1e9, share

    rows = (
        row("training step", facts.step),
        *(
            row(f"… at {one.size[0]} × {one.size[1]} px, {shown(one.share, '.0%')} of the training", one.speed)
            for one in facts.sizes
        ),
        row("bare loop, batches ready", facts.bare),
        row("input alone", facts.input),
        row(f"evaluation of {facts.evaluated:,} images", facts.evaluation),
        (f"product of matrices of {facts.ceiling.side:,} rows", None, "", peak / 1e9, 1.0),
    )
    counted = "Operations are counted by a walk"
    if facts.work is None:
        counted = "Operations could not be counted"
    elif facts.work.at_least:
        counted += ", some of them cannot be counted"
    note = (
        f"Medians, with the middle half of the turns in brackets; step and bare loop took turns. {counted}: two for a "
        "multiply-accumulate of convolutions and matrix products. The share is that of the product; one above 100 % is "
        "no mistake: kernels may get by with fewer products than are counted. A copy of memory reads and writes "
        f"{facts.ceiling.bytes_per_second / 1e9:,.1f} GB/s."
    )
    return Table("Speed beside what the machine reaches", columns, rows, note, "speed")


def _phases(facts: Bench) -> list[Block]:
    phases = facts.phases
    columns = (
        Column("phase"), Column("time", "ms", "right", ",.3f"), Column("share", "", "right", ".1%"),
        Column("what it is"),
    )  # fmt: skip
    shares = {name: share for name, share in phases.shares.items() if share}
    rows = tuple((name, 1000 * phases.seconds[name], share, PHASES[name]) for name, share in shares.items())
    note = (
        "Medians of a step of the loop that trains, with marks in it, which alter its time by "
        f"{shown(phases.overhead, '+.0%')}. A GPU is waited for at every mark, so that its phases add up "
        "to more than a step without marks."
    )
    drawn = Bars(tuple(shares), tuple(shares.values()), "share of a step", percent=True)
    return [
        Table("By phase", columns, rows, note, "phases"),
        Figure("phases", "Share of each phase in a training step", drawn),
    ]


def _trials(facts: Bench) -> list[Block]:
    columns = (
        Column("change"), Column("gain", "×", "right"), Column("finding"), Column("besides the speed"),
    )  # fmt: skip
    rows = tuple(
        (one.words, None if one.gain is None else one.gain.text(".2f"), one.finding, one.why_not or one.besides)
        for one in facts.trials
    )
    note = (
        "Images per second over those of the present setting, which took turns with the change: the median, and in "
        "brackets the middle half of the turns. Faster or slower is what is so by more than "
        f"{shown(NOTICED, '.0%')} in three quarters of the turns; a gain of one change is not that of several together."
    )
    blocks: list[Block] = [Text(_best(facts), "plain", "to change"), Table("Changes", columns, rows, note, "changes")]
    measured = [(one.words, one.gain) for one in facts.trials if one.gain is not None]
    if measured:
        gains = [gain for _, gain in measured]
        drawn = Bars(
            tuple(words for words, _ in measured),
            tuple(gain.median for gain in gains),
            "images/s, times those of the present setting",
            low=tuple(gain.low for gain in gains),
            high=tuple(gain.high for gain in gains),
            form=".2f",
            mark=Mark(1.0, "as it is"),
        )
        blocks.append(Figure("changes", "What each change gains", drawn))
    return blocks


def _best(facts: Bench) -> str:
    found = [(one, one.gain) for one in facts.trials if one.gain is not None and one.finding == "faster"]
    if not any(one.gain for one in facts.trials):
        return "No change was measured."
    if not found:
        return "No change that was measured makes it faster."
    found.sort(key=lambda pair: -pair[1].median)
    said = [f"{one.words} {gain.text('.2f')} ×" for one, gain in found]
    return f"Faster: {', '.join(said)}."


def _methods(facts: Bench) -> list[Block]:
    if facts.without_methods:
        return [Text(f"Not measured: {facts.without_methods}.", "note")]
    columns = (
        Column("method"), Column("images", "", "right", ",d"), Column("changed ones", "", "right", ",d"),
        Column("time", "s", "right", ".3f"), Column("limit", "s", "right", ".3f"),
        Column("of the limit", "×", "right"), Column("not measured"),
    )  # fmt: skip
    rows = tuple(
        (
            one.method,
            one.images or None,
            one.changed or None,
            one.seconds.median if one.seconds else None,
            one.limit.median if one.limit else None,
            one.over_limit.text(".2f") if one.over_limit else None,
            one.why_not,
        )
        for one in facts.methods
    )
    note = (
        "The limit of a method is a plain forward pass of as many images, in the batches in which it is fastest, which "
        "took turns with it. Methods that change feature maps pass those through what lies behind the layer alone, and "
        "stay below. On the network before its training."
    )
    return [Table("Against their limit", columns, rows, note, "methods")]
