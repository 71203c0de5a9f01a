"""Dreams: images made for a channel or a class, the way to them, and what the network's own images reach."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.characters import per_cent
from cnnlab.view.blocks import Block, Cell, Column, Figure, Report, Table, Text
from cnnlab.view.drawings import Curves, Gallery, Series
from cnnlab.view.json import without


@dataclass(frozen=True, eq=False)
class Dreamt:
    """One dream. Scores are the objective's: a channel's mean over its places, a class's logit."""

    label: str
    stem: str
    image: NDArray[np.uint8]
    """[h, w, 1 or 3]."""
    scores: tuple[float, ...]
    """Score of every step, over views that are moved a little."""
    start: float
    end: float
    contrast: float
    """Contrast of the start: above 1 where a grey image left the channel silent."""
    natural: float | None
    """The largest score among the network's own images."""
    seen: tuple[tuple[str, float], ...]
    """The likeliest classes of the image."""


@dataclass(frozen=True, eq=False)
class DreamFacts:
    """Some dreams of one network."""

    model: str
    weights: str
    trained: bool
    dreams: tuple[Dreamt, ...]
    samples: str | None
    """The images that `natural` is of."""
    steps: int
    learning_rate: float
    seed: int


def dream_report(facts: DreamFacts) -> Report:
    """The report of some dreams."""
    blocks: list[Block] = []
    if not facts.trained:
        blocks.append(Text("The weights are random: this is what the architecture answers to.", "caution", "untrained"))
    silent = [one.label for one in facts.dreams if one.contrast > 1]
    if silent:
        blocks.append(
            Text(f"{'; '.join(silent)}: silent on grey, so that the ascent began with more contrast.", "note")
        )
    blocks += [_gallery(facts), _curves(facts), _table(facts)]
    blocks.append(
        Text(
            "A dream shows what suffices for a strong answer, not all that is answered to; another seed gives another.",
            "note",
        )
    )
    lead = f"{facts.weights[0].upper()}{facts.weights[1:]}; {facts.steps} steps, seed {facts.seed}."
    return Report(f"Dreams of {facts.model}", tuple(blocks), lead)


def dream_json(facts: DreamFacts) -> dict[str, object]:
    """`--json`."""
    return {
        "model": facts.model,
        "weights": facts.weights,
        "steps": facts.steps,
        "learning_rate": facts.learning_rate,
        "seed": facts.seed,
        "samples": facts.samples,
        "dreams": [without(one, "image", "stem") for one in facts.dreams],
    }


def _gallery(facts: DreamFacts) -> Figure:
    captions = []
    for one in facts.dreams:
        seen = f"\n{one.seen[0][0]} {per_cent(one.seen[0][1])}" if one.seen else ""
        captions.append(f"{one.label.partition(' of ')[0]}\nscore {one.end:.3g}{seen}")
    images = tuple(one.image for one in facts.dreams)
    layers = {one.label.partition(" of ")[2] for one in facts.dreams}
    of = f" of {layers.pop()}" if len(layers) == 1 and "" not in layers else ""
    return Figure(
        "dreams",
        f"Images made for a strong answer{of}",
        Gallery(images, tuple(captions), columns=min(6, len(images))),
        "Below each: what it was made for, its score, and what the network takes it for.",
    )


def _curves(facts: DreamFacts) -> Figure:
    steps = tuple(float(step) for step in range(1, facts.steps + 1))
    series = []
    for number, one in enumerate(facts.dreams):
        series.append(Series(one.label, steps, one.scores, colour=number))
        if one.natural is not None and len(facts.dreams) <= 3:
            name = f"largest of {facts.samples}"
            series.append(Series(name, (1.0, float(facts.steps)), (one.natural, one.natural), "dashed", colour=number))
    return Figure(
        "scores",
        "The way up",
        Curves(tuple(series), "step", "score (the objective's own unit)"),
        "Of images moved, turned and scaled a little at each step; where more octaves open, the score may fall.",
    )


def _table(facts: DreamFacts) -> Table:
    columns = (
        Column("dream of"), Column("start", "", "right", ".3g"), Column("end", "", "right", ".3g"),
        Column("natural", "", "right", ".3g"), Column("taken for"), Column("probability", "", "right", ".1%"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (one.label, one.start, one.end, one.natural, one.seen[0][0] if one.seen else None,
         one.seen[0][1] if one.seen else None)
        for one in facts.dreams
    ]  # fmt: skip
    natural = f" Natural: the largest score of {facts.samples}." if facts.samples else ""
    note = f"A channel's score is its mean over all places, a class's its logit.{natural}"
    return Table("Scores", columns, tuple(rows), note, "dreams")
