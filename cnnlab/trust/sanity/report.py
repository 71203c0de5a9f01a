"""Whether maps show what was learned, arranged: a verdict per method, curves over depth, and the maps themselves."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from cnnlab.attribution.catalog import METHODS, listed
from cnnlab.core.arithmetic import evenly
from cnnlab.network.asked_data import counted
from cnnlab.stats.confidence import MeanInterval
from cnnlab.trust.sanity.facts import SanityFacts, ShownStage
from cnnlab.trust.sanity.similarity import SMALL, Outcome, SanityVerdict
from cnnlab.trust.sanity.weights import WeightRandomization
from cnnlab.view.blocks import (
    Block,
    Cell,
    Column,
    Figure,
    Report,
    Section,
    Table,
    Text,
    Tone,
    ends_of,
    interval_text,
    mean_of,
)
from cnnlab.view.contribution import plainly
from cnnlab.view.drawings import Curves, Panels, Series
from cnnlab.view.scenes import Scene, Scenes

Measure = Literal["absolute", "signed", "ssim"]

MEASURES: dict[Measure, str] = {
    "signed": "Rank correlation of the values",
    "absolute": "Rank correlation of the absolute values",
    "ssim": "Structural similarity (SSIM)",
}

MOST_STAGES = 6
"""Maps of each method side by side."""

TONES: dict[Outcome, Tone] = {
    "passes": "good",
    "passes in sign only": "caution",
    "fails": "bad",
    "undecided": "note",
    "no maps": "note",
}


def sanity_report(facts: SanityFacts) -> Report:
    """The verdicts first, then how they came about."""
    count = len(facts.cascading.layers)
    lead = (
        f"{counted(facts.n, facts.split)}, explained for the predicted class while the network's {count} "
        "layers with weights are randomised (Adebayo et al. 2018, arXiv:1810.03292). A method whose maps "
        "stay does not show what was learned."
    )
    blocks: list[Block] = [*_sentences(facts.verdicts), _outcomes(facts.verdicts, "All weights randomised", "verdicts")]
    blocks.append(_maps(facts))
    if facts.labels is not None:
        second, verdicts = facts.labels.training, facts.labels.verdicts
        blocks.append(
            Section(
                "Trained on random labels",
                (
                    Text(second.sentence, "plain" if second.learned else "caution", "second network"),
                    *_sentences(verdicts),
                    _outcomes(verdicts, "Beside a network of random labels", "label_verdicts"),
                ),
            )
        )
    blocks += [
        _mode(facts.cascading, "Layer after layer, from the answer to the image"),
        _mode(facts.independent, "One layer at a time, all others as learned"),
    ]
    blocks += [
        Text(f"with {listed(used)}", "note", METHODS[name].label) for name, used in facts.options.items() if used
    ]
    blocks += [Text(note, "note") for note in facts.notes]
    if not facts.trained:
        words = "The weights are random already: that maps change with them shows nothing that was learned."
        blocks = [Text(words, "caution", "untrained"), *plainly(blocks)]
    return Report(f"Whether maps of {facts.run} show what it learned", tuple(blocks), lead)


def _sentences(verdicts: Sequence[SanityVerdict]) -> list[Text]:
    return [Text(one.finding, TONES[one.outcome], METHODS[one.name].label) for one in verdicts]


def _outcomes(verdicts: Sequence[SanityVerdict], title: str, name: str) -> Table:
    columns = (
        Column("method"),
        Column("rank correlation", align="right"),
        Column("of absolutes", align="right"),
        Column("verdict"),
    )
    rows = tuple(
        (
            METHODS[one.name].label,
            interval_text(one.similarity.signed, ".2f"),
            interval_text(one.similarity.absolute, ".2f"),
            one.outcome,
        )
        for one in verdicts
    )
    note = (
        "Means over the images with 95 % bootstrap intervals; of absolutes: of the values without their signs. "
        f"Within ±{SMALL} maps count as different. SSIM, which is high between maps that are mostly empty, decides "
        "nothing. To pass does not make a map right."
    )
    gone = sum(one.similarity.vanished for one in verdicts)
    note += f" In {gone} cases the map vanished with the weights." if gone else ""
    return Table(title, columns, rows, note, name)


def _mode(outcome: WeightRandomization, title: str) -> Section:
    return Section(title, (_table(outcome), _curves(outcome)))


def _table(outcome: WeightRandomization) -> Table:
    columns = [Column("layer"), *(Column(METHODS[one.name].label, "", "right", ".2f") for one in outcome.methods)]
    rows: list[tuple[Cell, ...]] = []
    for place, step in enumerate(outcome.methods[0].depths):
        cells = [mean_of(one.depths[place].similarity.absolute) for one in outcome.methods]
        rows.append((f"{step.depth} {step.layer.name}{'' if step.layer.how == 'reset' else ' (permuted)'}", *cells))
    note = (
        "Rank correlation of the absolute values with the maps of the network as it is: 1 for the same map, 0 for "
        "another. Layers are counted from the answer."
    )
    return Table("How much of the maps is left", tuple(columns), tuple(rows), note, f"{outcome.mode}_depths")


def _curves(outcome: WeightRandomization) -> Figure:
    first = 0 if outcome.mode == "cascading" else 1
    depths = [step.depth for step in outcome.methods[0].depths]
    x = tuple(float(depth) for depth in ([0] if first == 0 else []) + depths)
    panels = []
    for measure, words in MEASURES.items():
        series = []
        for colour, one in enumerate(outcome.methods):
            means: list[MeanInterval | None] = [getattr(step.similarity, measure) for step in one.depths]
            y = [mean_of(mean) for mean in means]
            ends = [ends_of(mean) for mean in means]
            if first == 0:
                y, ends = [1.0, *y], [(1.0, 1.0), *ends]
            low, high = tuple(low for low, _ in ends), tuple(high for _, high in ends)
            series.append(Series(METHODS[one.name].label, x, tuple(y), "line", low, high, colour))
        limits = SMALL if measure != "ssim" else np.nan
        # the band within which maps count as different, about a line that is not there
        series.append(
            Series(f"±{SMALL}: another map", x, (None,) * len(x), "line", (-limits,) * len(x), (limits,) * len(x))
        )
        label = {"signed": "rank correlation", "absolute": "rank correlation", "ssim": "SSIM"}[measure]
        panels.append(Curves(tuple(series), _axis(outcome), label, y_range=(None, 1.04), title=words))
    names = ", ".join(f"{step.depth} {step.layer.name}" for step in outcome.methods[0].depths)
    caption = f"Bands: 95 % bootstrap intervals over {outcome.n} images. Layers: {names}."
    title = "Maps, layer after layer randomised" if outcome.mode == "cascading" else "Maps, one layer randomised"
    return Figure(f"{outcome.mode}_curves", title, Panels(tuple(panels)), caption)


def _axis(outcome: WeightRandomization) -> str:
    if outcome.mode == "cascading":
        return f"layers randomised, from the answer (of {len(outcome.layers)})"
    return f"the layer that is randomised, counted from the answer (of {len(outcome.layers)})"


def _maps(facts: SanityFacts) -> Figure:
    """A row for each method, from the network as it is to one with all layers randomised."""
    methods = list(dict.fromkeys(stage.method for stage in facts.stages))
    depths = sorted({stage.depth for stage in facts.stages})
    chosen = evenly(depths, MOST_STAGES)
    found = {(stage.method, stage.depth): stage for stage in facts.stages}
    size = (facts.image.shape[0], facts.image.shape[1])
    scenes = []
    for method in methods:
        scenes.append(Scene(size, image=facts.image))
        scenes += [_stage(found[method, depth], size) for depth in chosen]
    titles = ["image", *(_randomised(depth, depths[-1]) for depth in chosen)]
    drawing = Scenes(
        tuple(scenes),
        columns=len(titles),
        shared_scale=True,
        column_titles=tuple(titles),
        row_labels=tuple(METHODS[method].label for method in methods),
    )
    caption = (
        f"{facts.shown}; n random: that many layers, counted from the answer. Each map is divided by its largest "
        "value; 0 is neutral, below 0 speaks against the answer."
    )
    return Figure("randomised_maps", "Maps of one image while the network is randomised", drawing, caption)


def _randomised(depth: int, all_: int) -> str:
    return "as learned" if depth == 0 else "all random" if depth == all_ else f"{depth} random"


def _stage(stage: ShownStage, size: tuple[int, int]) -> Scene:
    largest = float(np.abs(stage.map).max()) or 1.0
    return Scene(
        size,
        heat=stage.map.astype(np.float64) / largest,
        heat_label="value (each map's largest is 1)",
        heat_scale="signed",
        heat_range=(-1.0, 1.0),
    )
