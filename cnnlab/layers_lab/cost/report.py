"""What a network costs, as it is written: totals, speed, the time of each layer, and both networks side by side."""

from collections.abc import Sequence
from typing import Any

from cnnlab.core.characters import some
from cnnlab.layers_lab.cost.facts import BatchSpeed, CostFacts, LayerTime, Machine, NetworkCost
from cnnlab.layers_lab.cost.swap import Kept, Swap
from cnnlab.stats.repeats import Repeats
from cnnlab.view.blocks import Block, Cell, Column, Figure, Number, Numbers, Report, Section, Table, Text, shown
from cnnlab.view.drawings import Bars
from cnnlab.view.layer_rows import size_text

MIB = 2**20
ROWS = 25
"""Layers of a table; the rest stands in one row."""
DRAWN = 12
"""Layers of the figure."""

UNSTEADY = 1.5
"""The third quartile over the first from which times are no longer steady."""

DISTURBED = (
    "The times of equal passes differ by half or more: other work shares the processor. The times of the layers, each "
    "a median of its own, suffer less: their sum tells more than the latency."
)

COUNTED = (
    "MACs count the products of convolutions and matrix products, for one image; norms, activations and pools count "
    "none. Memory is that of activations in float32: in a forward pass the most that are alive at once, in training "
    "what is kept for backward of each image; parameters, gradients and the optimizer's state come on top."
)


def cost_report(facts: CostFacts) -> Report:
    """Totals first, then speed, then where the time goes; with a swap both networks, and what was exchanged."""
    blocks: list[Block] = []
    if facts.other is None:
        blocks.append(_totals(facts.network))
    else:
        blocks += [*_verdict(facts), _side_by_side(facts)]
    if any(network.latency.high > UNSTEADY * network.latency.low for network in facts.networks):
        blocks.append(Text(DISTURBED, "caution"))
    blocks += [Text(COUNTED, "note"), _speeds(facts), _drawn(facts)]
    for key, network in zip(("layers", "layers_swapped"), facts.networks, strict=False):
        blocks.append(Section(_where(facts, network), tuple(_layers(network, facts.machine, key)), key))
    if facts.swap is not None:
        blocks.append(Section("What was exchanged", tuple(_exchanged(facts.swap)), "exchanged"))
    return Report(f"What {facts.network.name} costs", tuple(blocks), _lead(facts))


def cost_json(facts: CostFacts) -> dict[str, Any]:
    """`--json`: seconds, bytes, and operations for one image."""
    machine, swap = facts.machine, facts.swap
    return {
        "model": facts.network.name,
        "input": list(facts.shape),
        "machine": vars(machine),
        "networks": [_network_json(one, machine) for one in facts.networks],
        "swap": None
        if swap is None or facts.other is None
        else {
            "name": swap.name,
            "parameters_times": facts.network.costs.parameters / facts.other.costs.parameters,
            "macs_times": facts.network.costs.macs / max(1, facts.other.costs.macs),
            "seconds_times": [
                {"batch": speed.batch, **gain.as_json()}
                for speed, gain in zip(facts.network.speeds, facts.gains, strict=True)
            ],
            "swapped": [vars(one) | {"share": one.share} for one in swap.swapped],
            "kept": [vars(one) for one in swap.kept],
        },
    }


def _network_json(network: NetworkCost, machine: Machine) -> dict[str, Any]:
    costs = network.costs
    return {
        "name": network.name,
        "parameters": costs.parameters,
        "macs": costs.macs,
        "macs_at_least": bool(costs.uncounted),
        "inference_bytes": costs.inference_bytes,
        "training_bytes": costs.training_bytes,
        "latency": network.latency.as_json(),
        "best_batch": network.best.batch,
        "speeds": [
            {"batch": one.batch, "images_per_second": one.images_per_second, **one.seconds.as_json()}
            for one in network.speeds
        ],
        "watched": network.watched,
        "unwatched": network.unwatched,
        "between": network.between,
        "layers": [
            vars(one) | {"flops_per_second": one.flops_per_second, "of_the_machine": _of_the_machine(one, machine)}
            for one in network.layers
        ],
    }


def _lead(facts: CostFacts) -> str:
    machine = facts.machine
    count = f"{machine.threads} thread{'s' * (machine.threads != 1)}"
    return (
        f"For images of {size_text(facts.shape)}, on {machine.device} with {count}, in single precision. A product of "
        f"two matrices of {machine.side:,} rows reaches {machine.flops_per_second / 1e9:,.0f} GFLOP/s here."
    )


def _where(facts: CostFacts, network: NetworkCost) -> str:
    return f"Where the time goes{f': {network.name}' if facts.other is not None else ''}"


def _milliseconds(times: Repeats) -> str:
    return times.text(".3g" if times.median < 1 else ",.0f", 1000.0)


def _mega(macs: float) -> str:
    return f"{macs / 1e6:,.1f} M"


def _memory(count: int | None) -> str:
    return "–" if count is None else f"{count / MIB:,.2f} MiB"


def _rows(network: NetworkCost) -> list[tuple[str, str]]:
    """Each total by its name, as it is written."""
    costs, best = network.costs, network.best
    return [
        ("parameters", f"{costs.parameters:,}"),
        ("multiply-accumulates", ("at least " if costs.uncounted else "") + _mega(costs.macs)),
        ("activations, forward pass", _memory(costs.inference_bytes)),
        ("activations, training", _memory(costs.training_bytes)),
        ("latency of one image (ms)", _milliseconds(network.latency)),
        ("its layers' times added (ms)", f"{1000 * network.watched:.3g}"),
        ("images/s, one at a time", f"{network.speeds[0].images_per_second:,.1f}"),
        ("images/s, best batch", f"{best.images_per_second:,.1f} in batches of {best.batch}"),
        ("GFLOP/s, one at a time", f"{2e-9 * costs.macs / network.latency.median:,.1f}"),
    ]


def _totals(network: NetworkCost) -> Numbers:
    return Numbers(tuple(Number(name, value) for name, value in _rows(network)))


def _times_fewer(one: float, other: float) -> str:
    return f"{one / other:,.2f}" if other else "–"


def _side_by_side(facts: CostFacts) -> Table:
    one, other = facts.networks
    ratios = [
        _times_fewer(one.costs.parameters, other.costs.parameters),
        _times_fewer(one.costs.macs, other.costs.macs),
        _times_fewer(one.costs.inference_bytes, other.costs.inference_bytes),
        _times_fewer(one.costs.training_bytes or 0, other.costs.training_bytes or 0),
        facts.gains[0].text(".2f"),
        _times_fewer(one.watched, other.watched),
        _times_fewer(other.speeds[0].images_per_second, one.speeds[0].images_per_second),
        _times_fewer(other.best.images_per_second, one.best.images_per_second),
        "",
    ]
    rows = tuple(
        (name, value, beside, times)
        for (name, value), (_, beside), times in zip(_rows(one), _rows(other), ratios, strict=True)
    )
    columns = (Column("cost"), Column("as it is", "", "right"), Column(other.name.rpartition(", ")[2], "", "right"),
               Column("gain", "×", "right"))  # fmt: skip
    note = "Times are medians with the middle half of the repeats in brackets; the two networks took turns."
    return Table("Side by side", columns, rows, note, "side_by_side")


def _verdict(facts: CostFacts) -> list[Block]:
    """What the exchange saves in weights, in operations and in time, and why the last is less where it is."""
    one, other = facts.networks
    swap = facts.swap
    assert swap is not None
    before, after = sum(s.weights for s in swap.swapped), sum(s.weights_after for s in swap.swapped)
    fewer, gain = one.costs.macs / max(1, other.costs.macs), facts.gains[0]
    said = (
        f"{len(swap.swapped)} convolutions exchanged: {before / after:.2f} times fewer weights in them, "
        f"{fewer:.2f} times fewer multiply-accumulates in the network, and {gain.text('.2f')} times its speed for one "
        "image."
    )
    blocks: list[Block] = [Text(said, "plain", "measured")]
    if gain.high < fewer:
        slow = _slow_kind(other)
        why = "The time falls less than the operations"
        if slow is not None and slow.flops_per_second is not None:
            dense = next((k for k in one.kinds if k.flops_per_second is not None), None)
            reach = f"{slow.kind} layers reach {slow.flops_per_second / 1e9:,.1f} GFLOP/s"
            if dense is not None and dense.flops_per_second is not None:
                reach += f", {dense.kind} {dense.flops_per_second / 1e9:,.1f} before"
            why += (
                f": {reach}. A depthwise convolution does k² products for each value that it reads and writes, so that "
                "memory sets its pace"
            )
        blocks.append(Text(f"{why}.", "note"))
    blocks.append(
        Text(
            "What is new has random weights: the exchanged network has to be trained before its answers mean anything.",
            "note",
        )
    )
    return blocks


def _slow_kind(network: NetworkCost) -> LayerTime | None:
    """The depthwise layers that take longest."""
    return next((kind for kind in network.kinds if kind.kind.endswith("depthwise")), None)


def _speeds(facts: CostFacts) -> Table:
    columns = [Column("images of a pass", "", "right", ",d")]
    for network in facts.networks:
        name = f", {network.name.rpartition(', ')[2]}" if network is facts.other else ""
        columns += [Column(f"pass{name}", "ms", "right"), Column(f"images/s{name}", "", "right", ",.1f")]
    columns += [Column("gain", "×", "right")] if facts.gains else []
    rows = []
    for number, speeds in enumerate(zip(*(network.speeds for network in facts.networks), strict=True)):
        cells: list[Cell] = [speeds[0].batch]
        for speed in speeds:
            cells += _speed_cells(speed)
        rows.append((*cells, *([facts.gains[number].text(".2f")] if facts.gains else [])))
    repeats = len(facts.network.latency.values)
    note = f"Median of up to {repeats} passes after two that warm up, and in brackets the middle half of them."
    return Table("Speed by size of batch", tuple(columns), tuple(rows), note, "speed")


def _speed_cells(speed: BatchSpeed) -> list[Cell]:
    return [_milliseconds(speed.seconds), speed.images_per_second]


def _layers(network: NetworkCost, machine: Machine, key: str) -> list[Block]:
    columns = (
        Column("layer"), Column("kind"), Column("time", "ms", "right", ",.3f"), Column("share", "", "right", ".1%"),
        Column("MACs", "M", "right", ",.2f"), Column("GFLOP/s", "", "right", ",.1f"),
        Column("of the machine's", "", "right", ".0%"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [_layer_row(one, machine) for one in network.layers[:ROWS]]
    more = network.layers[ROWS:]
    if more:
        rows.append(_sum_row(f"{len(more)} more", more))
    seconds = network.between
    rows.append(("between the layers", "", 1000 * seconds, seconds / network.watched, None, None, None))
    rest = network.watched - network.unwatched
    note = (
        f"For one image, each layer without those inside it, medians. The rows add up to {1000 * network.watched:,.3g} "
        f"ms, and the fastest pass whose layers are not timed takes {1000 * network.unwatched:,.3g} ms: a rest of "
        f"{shown(rest / network.unwatched, '+.0%')}. Between the layers: sums and joins, the code of layers made of "
        "layers, and the timing. GFLOP/s count two operations for a MAC; the last column is their share of the matrix "
        "product's, above 100 % where a kernel gets by with fewer products."
    )
    kinds = tuple((one.kind, int(one.layer), *_layer_row(one, machine)[2:]) for one in network.kinds)
    kind_columns = (Column("kind"), Column("layers", "", "right", ",d"), *columns[2:])
    return [
        Table("By layer", columns, tuple(rows), note, key),
        Table("By kind of layer", kind_columns, kinds, "", f"kinds{key.removeprefix('layers')}"),
    ]


def _of_the_machine(one: LayerTime, machine: Machine) -> float | None:
    return None if one.flops_per_second is None else one.flops_per_second / machine.flops_per_second


def _layer_row(one: LayerTime, machine: Machine) -> tuple[Cell, ...]:
    speed = one.flops_per_second
    return (
        one.layer or "(itself)",
        one.kind,
        1000 * one.seconds,
        one.share,
        one.macs / 1e6 or None,
        None if speed is None else speed / 1e9,
        _of_the_machine(one, machine),
    )


def _sum_row(name: str, layers: Sequence[LayerTime]) -> tuple[Cell, ...]:
    seconds, macs = sum(one.seconds for one in layers), sum(one.macs for one in layers)
    return name, "", 1000 * seconds, sum(one.share for one in layers), macs / 1e6 or None, None, None


def _drawn(facts: CostFacts) -> Figure:
    """The layers that take longest; with a swap each above what stands in its place."""
    longest = facts.network.layers[:DRAWN]
    labels, values = [], []
    for one in longest:
        labels.append(one.layer or "(itself)")
        values.append(1000 * one.seconds)
        if facts.other is not None:
            inside = f"{one.layer}."
            others = [o for o in facts.other.layers if o.layer == one.layer or o.layer.startswith(inside)]
            labels.append("… exchanged" if any(o.layer != one.layer for o in others) else "… the same")
            values.append(1000 * sum(o.seconds for o in others))
    caption = "Those that take longest, without the layers inside them." if len(facts.network.layers) > DRAWN else ""
    return Figure(
        "time", "Time of each layer, one image", Bars(tuple(labels), tuple(values), "ms", form=".3f"), caption
    )


def _exchanged(swap: Swap) -> list[Block]:
    located = any(one.place for one in swap.swapped)
    columns = (
        Column("layer"), Column("kernel"), Column("channels"), Column("weights", "", "right", ",d"),
        Column("after", "", "right", ",d"), Column("left", "", "right", ".2%"),
        Column("1/N + 1/k²", "", "right", ".2%"), *([Column("place")] if located else []),
    )  # fmt: skip
    rows = tuple(
        (
            one.layer or "(itself)",
            "×".join(map(str, one.kernel)),
            f"{one.inputs} → {one.outputs}",
            one.weights,
            one.weights_after,
            one.weights_after / one.weights,
            one.share,
            *([one.place or None] if located else []),
        )
        for one in swap.swapped
    )
    note = "Weights without biases, a share of those before. N: outputs, k²: the kernel's area."
    blocks: list[Block] = [Table("Convolutions exchanged", columns, rows, note, "exchanged")]
    if swap.kept:
        reasons = dict.fromkeys(one.why for one in swap.kept)
        kept = tuple((why, *_those(why, swap.kept)) for why in reasons)
        heads = (Column("why"), Column("how many", "", "right", ",d"), Column("layers"))
        blocks.append(Table("Convolutions that stay", heads, kept, name="kept"))
    return blocks


def _those(why: str, kept: Sequence[Kept]) -> tuple[int, str]:
    layers = [f"{one.layer or '(itself)'}{f' ({one.place})' * bool(one.place)}" for one in kept if one.why == why]
    return len(layers), some(layers, 6)
