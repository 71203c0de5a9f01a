"""Stacks of layers side by side: what they give for the same input, at which cost, and how many times the first's."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from cnnlab.layers_lab.parts import arithmetic_document, count_text, field_text, memory_text, parts_table, times_text
from cnnlab.layers_lab.stack import Arithmetic
from cnnlab.view.blocks import Block, Column, Report, Table, Text
from cnnlab.view.layer_rows import pair_text, size_text


@dataclass(frozen=True)
class ComparedStack:
    """Layers in a row, in the user's words."""

    text: str
    facts: Arithmetic


RATIOS = ("weights", "parameters", "macs", "macs_per_pixel", "activation_bytes", "peak_bytes")
"""What is divided: the first stack's by each other one's."""


def stacks_report(stacks: Sequence[ComparedStack], image: Sequence[int]) -> Report:
    """The stacks by letter, their numbers in columns with the ratios beside, and each one layer by layer.

    image: (channels, height, width), what all of them get.
    """
    letters = _letters(len(stacks))
    blocks: list[Block] = [Text(stack.text, "plain", letter) for letter, stack in zip(letters, stacks, strict=True)]
    blocks.append(_table(stacks, letters))
    blocks += [Text(*words) for words in _remarks(stacks, letters)]
    for letter, stack in zip(letters, stacks, strict=True):
        if len(stack.facts.parts) > 1:
            blocks.append(parts_table(stack.facts, f"{letter}, layer by layer", f"layers-{letter.lower()}"))
    return Report("Layers side by side", tuple(blocks), f"all on an input of {size_text(image)}")


def ratios(first: Arithmetic, other: Arithmetic) -> dict[str, float | None]:
    """How many times the other's the first's numbers are; None where the other has none."""
    found = {}
    for name in RATIOS:
        one, two = _value(first, name), _value(other, name)
        found[name] = None if one is None or not two else one / two
    return found


def stacks_document(stacks: Sequence[ComparedStack]) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "stacks": [{"text": stack.text, **arithmetic_document(stack.facts)} for stack in stacks],
        "ratios": [ratios(stacks[0].facts, other.facts) for other in stacks[1:]],
    }


def _value(facts: Arithmetic, name: str) -> float | None:
    if name == "parameters":
        return facts.weights + facts.biases
    value: float | None = getattr(facts, name)
    return value


def _letters(count: int) -> tuple[str, ...]:
    """A, B, … Z, A2, B2, …"""
    letters = len(ascii_uppercase)
    return tuple(ascii_uppercase[i % letters] + (str(i // letters + 1) if i >= letters else "") for i in range(count))


def _table(stacks: Sequence[ComparedStack], letters: Sequence[str]) -> Table:
    facts = [stack.facts for stack in stacks]
    beside = [ratios(facts[0], other) for other in facts[1:]]

    def row(title: str, cells: Sequence[str | None], name: str = "") -> tuple[str | None, ...]:
        times = [found[name] if name else None for found in beside]
        return (title, *cells, *(None if ratio is None else times_text(ratio) for ratio in times))

    units = [f.unit for f in facts]
    rows = (
        row("output", [size_text(f.output) for f in facts]),
        row("weights", [f"{f.weights:,}" for f in facts], "weights"),
        row("biases", [f"{f.biases:,}" for f in facts]),
        row("parameters", [f"{f.weights + f.biases:,}" for f in facts], "parameters"),
        row("multiply-accumulates", [f"{'at least ' * bool(f.uncounted)}{f.macs:,}" for f in facts], "macs"),
        row("… per output pixel", [None if f.macs_per_pixel is None else count_text(f.macs_per_pixel) for f in facts],
            "macs_per_pixel"),
        row("activation memory", [memory_text(f.activation_bytes) for f in facts], "activation_bytes"),
        row("receptive field (px)", [None if unit is None else field_text(unit) for unit in units]),
        row("jump (px)", [None if u is None or u.stride is None else pair_text(u.stride) for u in units]),
        row("pixels read", [None if unit is None or unit.taps is None else f"{unit.taps:,}" for unit in units]),
        row("nonlinearities", [str(f.nonlinearities) for f in facts]),
    )  # fmt: skip
    columns = (
        Column(""),
        *(Column(letter, align="right") for letter in letters),
        *(Column(f"{letters[0]} / {letter}", align="right") for letter in letters[1:]),
    )
    return Table("On one image", columns, rows, name="stacks")


def _remarks(stacks: Sequence[ComparedStack], letters: Sequence[str]) -> list[tuple[str, Any, str]]:
    """Whether like is compared with like."""
    facts = [stack.facts for stack in stacks]
    found: list[tuple[str, Any, str]] = []
    if len({f.output for f in facts}) > 1:
        listed = ", ".join(f"{letter} {size_text(f.output)}" for letter, f in zip(letters, facts, strict=True))
        found.append(
            (f"their outputs have different shapes ({listed}), so they do not do the same work.", "caution", "unlike")
        )
    fields = {(f.unit.size, f.unit.stride) for f in facts if f.unit is not None}
    if len(found) == 0 and len(fields) == 1 and all(f.unit is not None for f in facts):
        found.append(("the same output shape, receptive field and jump.", "good", "alike"))
    return found
