"""Maximally activating patches, and how far each channel keeps to one class."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.characters import some
from cnnlab.inside.patches.search import ChannelClasses
from cnnlab.network.asked_data import counted
from cnnlab.view.blocks import Block, Cell, Column, Figure, Number, Numbers, Report, Table, Text
from cnnlab.view.drawings import Bars, Gallery

MOST_DRAWN = 12
"""Channels that are drawn where none are named."""


@dataclass(frozen=True, eq=False)
class Patch:
    """What one unit sees of one image."""

    number: int
    """Its number in the part."""
    value: float
    """The unit's activation, in the layer's own unit."""
    unit: tuple[int, int]
    box: tuple[int, ...]
    """Top, left, bottom, right in px, all inclusive."""
    label: int
    image: NDArray[np.uint8] | None
    """[h, w, 1 or 3]; None where it is not drawn."""


@dataclass(frozen=True, eq=False)
class ChannelPatches:
    """The patches of a channel, the strongest first."""

    channel: int
    patches: tuple[Patch, ...]
    classes: ChannelClasses

    @property
    def dead(self) -> bool:
        """Never above 0: its patches are those that silence it least."""
        return self.patches[0].value <= 0


@dataclass(frozen=True, eq=False)
class PatchFacts:
    """All channels of a layer."""

    model: str
    weights: str
    layer: str
    split: str
    classes: tuple[str, ...]
    seen: int
    size: tuple[int, int]
    tokens: str
    """`tokens of a grid of 14 × 14, 1 class token left out`; empty for maps with rows and columns of their own."""
    field: tuple[int, int] | None
    """Receptive field in px; None where it is the whole image."""
    named: tuple[int, ...] | None
    channels: tuple[ChannelPatches, ...]
    chance: float
    """Mean entropy in bits of as many images, drawn at random …"""
    chance_low: float
    """5th percentile of that entropy."""

    @property
    def drawn(self) -> tuple[ChannelPatches, ...]:
        """The channels that were named, or the purest and strongest ones."""
        if self.named is not None:
            return tuple(self.channels[channel] for channel in self.named)
        alive = [one for one in self.channels if not one.dead] or list(self.channels)
        ranked = sorted(alive, key=lambda one: (one.classes.entropy, -one.patches[0].value))
        return tuple(ranked[:MOST_DRAWN])

    @property
    def selective(self) -> tuple[int, ...]:
        """Channels with fewer classes than 95 % of random choices have."""
        return tuple(one.channel for one in self.channels if not one.dead and one.classes.entropy < self.chance_low)


def patches_report(facts: PatchFacts) -> Report:
    """The report of a layer."""
    alive = [one for one in facts.channels if not one.dead]
    k = len(facts.channels[0].patches)
    mean = sum(one.classes.entropy for one in alive) / len(alive) if alive else None
    field = "the whole image" if facts.field is None else f"{facts.field[0]} × {facts.field[1]} px"
    sees = f"each unit sees {field}, clipped at the border" + (f"; {facts.tokens}" if facts.tokens else "")
    numbers = Numbers(
        (
            Number("channels", len(facts.channels), "d", detail=sees),
            Number("class entropy", mean, ".2f", "bits", f"mean; {k} random images {facts.chance:.2f}"),
            Number(
                "selective",
                len(facts.selective) / len(facts.channels),
                ".0%",
                detail=f"channels below {facts.chance_low:.2f} bits; of random choices 5 % are",
            ),
            Number("dead", len(facts.channels) - len(alive), "d", detail="never above 0"),
        )
    )
    blocks: list[Block] = [numbers]
    if dead := [one.channel for one in facts.channels if one.dead]:
        blocks.append(Text(f"channels {some(dead, 30)} are never above 0 in these images.", "caution", "dead"))
    blocks += [_gallery(facts), _entropies(facts), _table(facts)]
    lead = f"{counted(f'{facts.seen:,}', facts.split)}, {facts.weights}."
    return Report(f"Maximally activating patches of {facts.layer} of {facts.model}", tuple(blocks), lead)


def patches_json(facts: PatchFacts) -> dict[str, object]:
    """`--json`."""
    return {
        "model": facts.model,
        "layer": facts.layer,
        "split": facts.split,
        "seen": facts.seen,
        "tokens": facts.tokens or None,
        "field": facts.field,
        "chance": {"entropy": facts.chance, "fifth_percentile": facts.chance_low},
        "selective": facts.selective,
        "channels": [
            {
                "channel": one.channel,
                "dead": one.dead,
                "entropy": one.classes.entropy,
                "normalised_entropy": one.classes.normalised,
                "purity": one.classes.purity,
                "class": facts.classes[one.classes.label],
                "patches": [
                    {
                        "picture": patch.number,
                        "class": facts.classes[patch.label],
                        "value": patch.value,
                        "unit": patch.unit,
                        "box": patch.box,
                    }
                    for patch in one.patches
                ],
            }
            for one in facts.channels
        ],
    }


def _gallery(facts: PatchFacts) -> Figure:
    drawn = facts.drawn
    images = [patch.image for one in drawn for patch in one.patches if patch.image is not None]
    captions = [f"{facts.classes[patch.label]}\n{patch.value:.3g}" for one in drawn for patch in one.patches]
    which = "" if facts.named is not None else f" The {len(drawn)} channels of fewest classes."
    return Figure(
        "patches",
        f"Maximally activating patches of {facts.layer}",
        Gallery(
            tuple(images),
            tuple(captions),
            columns=len(drawn[0].patches),
            row_labels=tuple(f"channel {one.channel}" for one in drawn),
        ),
        "Each row a channel, the strongest patch first, each of another image: exactly what its unit sees, cut "
        f"where the image ends. Below: the image's class, the activation.{which}",
    )


def _entropies(facts: PatchFacts) -> Figure:
    """How many channels there are for each number of classes among their patches."""
    counts = Counter(len({patch.label for patch in one.patches}) for one in facts.channels if not one.dead)
    most = min(len(facts.channels[0].patches), len(facts.classes))
    labels = tuple(f"{n} class{'es' if n > 1 else ''}" for n in range(1, most + 1))
    return Figure(
        "classes_of_channels",
        f"Classes among a channel's {len(facts.channels[0].patches)} strongest patches",
        Bars(labels, tuple(float(counts[n]) for n in range(1, most + 1)), "channels", form=".0f"),
        f"{len(facts.selective)} of {len(facts.channels)} channels have fewer bits than 95 % of random choices.",
    )


def _table(facts: PatchFacts) -> Table:
    columns = (
        Column("channel", "", "right", "d"), Column("strongest", "", "right", ".3g"), Column("most frequent class"),
        Column("its share", "", "right", ".0%"), Column("entropy", "bits", "right", ".2f"), Column("state"),
    )  # fmt: skip
    selective = set(facts.selective)
    rows: list[tuple[Cell, ...]] = [
        (
            one.channel, one.patches[0].value, facts.classes[one.classes.label], one.classes.purity,
            one.classes.entropy, "dead" if one.dead else "selective" if one.channel in selective else "",
        )
        for one in facts.channels
    ]  # fmt: skip
    note = (
        f"Of the {len(facts.channels[0].patches)} strongest patches; random images have {facts.chance:.2f} bits, "
        f"and 5 % of such choices less than {facts.chance_low:.2f} (selective)."
    )
    return Table("Every channel", columns, tuple(rows), note, "channel_classes")
