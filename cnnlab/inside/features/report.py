"""Feature maps: a layer's channels on an image, the channels that are silent, and a walk through the network."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.characters import some
from cnnlab.inside.features.feature_maps import LayerNumbers
from cnnlab.view.blocks import Block, Cell, Column, Figure, Number, Numbers, Report, Section, Table, Text
from cnnlab.view.drawings import Gallery
from cnnlab.view.scenes import Scene, Scenes

MOST_CHANNELS = 64
"""Maps of a layer that are drawn where none are named."""
MOST_IMAGES = 8
FEW = 100
"""Images below which silence proves little."""


@dataclass(frozen=True, eq=False)
class ImageMaps:
    """One image and what it becomes."""

    name: str
    image: NDArray[np.uint8]
    maps: NDArray[np.floating]
    """[c, h, w] of the layer that was asked for."""
    walk: tuple[tuple[str, NDArray[np.floating], tuple[int, ...]], ...]
    """(layer, its maps, its strongest channels), in the order in which they run."""


@dataclass(frozen=True, eq=False)
class FeatureFacts:
    """What a network makes of some images."""

    model: str
    weights: str
    layer: str
    tokens: str
    """`tokens of a grid of 14 × 14, 1 class token left out`; empty for maps with rows and columns of their own."""
    channels: tuple[int, ...] | None
    """Channels that were named."""
    images: tuple[ImageMaps, ...]
    numbers: tuple[LayerNumbers, ...]
    """Numbers of every layer of the walk, and of `layer`."""
    samples: str
    """What dead channels were looked for in."""
    sampled: int

    @property
    def chosen(self) -> LayerNumbers:
        """The numbers of the layer that was asked for."""
        return next(one for one in self.numbers if one.layer == self.layer)


def features_report(facts: FeatureFacts) -> Report:
    """The report of some images."""
    chosen = facts.chosen
    units = f"of {chosen.size[0]} × {chosen.size[1]} units each" + (f": {facts.tokens}" if facts.tokens else "")
    numbers = Numbers(
        (
            Number("channels", len(chosen.active), "d", detail=units),
            Number("active", float(chosen.active.mean()), ".0%", detail="share of units above 0"),
            Number("dead", len(chosen.dead), "d", detail=f"never above 0 in {facts.samples}"),
            Number("sparse", len(chosen.sparse), "d", detail="above 0 in at most 5 % of their units"),
        )
    )
    blocks: list[Block] = [numbers, *_silent(facts)]
    for number, image in enumerate(facts.images[:MOST_IMAGES], 1):
        blocks.append(Section(image.name, (_maps(facts, image, number), _walk(image, number))))
    blocks.append(Section("Layer by layer", (_layers(facts), _channels(facts))))
    count = len(facts.images)
    more = f" The first {MOST_IMAGES} of {count} images are drawn." if count > MOST_IMAGES else ""
    lead = f"{facts.weights}; {'1 image' if count == 1 else f'{count} images'}.{more}"
    return Report(f"Feature maps of {facts.layer} of {facts.model}", tuple(blocks), lead[0].upper() + lead[1:])


def features_json(facts: FeatureFacts) -> dict[str, object]:
    """`--json`."""
    return {
        "model": facts.model,
        "weights": facts.weights,
        "layer": facts.layer,
        "tokens": facts.tokens or None,
        "samples": facts.samples,
        "dead": facts.chosen.dead,
        "sparse": facts.chosen.sparse,
        "layers": [vars(one) | {"dead": one.dead, "sparse": one.sparse} for one in facts.numbers],
        "of": [
            {
                "picture": image.name,
                "peaks": [float(one.max()) for one in image.maps],
                "means": [float(one.mean()) for one in image.maps],
                "walk": [
                    {"layer": name, "strongest": strongest, "peaks": [float(maps[c].max()) for c in strongest]}
                    for name, maps, strongest in image.walk
                ],
            }
            for image in facts.images
        ],
    }


def _silent(facts: FeatureFacts) -> list[Block]:
    chosen = facts.chosen
    said: list[Block] = []
    if chosen.dead:
        dead = some(chosen.dead, 30)
        said.append(Text(f"channels {dead} are never above 0 in {facts.samples}.", "caution", "dead"))
    if chosen.sparse:
        words = "normal for detectors of something rare"
        said.append(Text(f"channels {some(chosen.sparse, 30)}; {words}.", "note", "sparse"))
    if facts.sampled < FEW and (chosen.dead or chosen.sparse):
        said.append(Text("So few images prove little about silence; a run or a config brings its own.", "note"))
    return said


def _maps(facts: FeatureFacts, image: ImageMaps, number: int) -> Figure:
    count = len(image.maps)
    drawn = facts.channels if facts.channels is not None else tuple(range(min(count, MOST_CHANNELS)))
    values = image.maps[list(drawn)].astype(float)
    signed = bool((values < 0).any())
    bound = float(np.abs(values).max()) or 1.0
    dead, sparse = set(facts.chosen.dead), set(facts.chosen.sparse)
    scenes = tuple(
        Scene(
            (int(one.shape[0]), int(one.shape[1])),
            heat=one,
            heat_label="activation (the layer's own unit)",
            heat_scale="signed" if signed else "positive",
            heat_range=(-bound, bound) if signed else (0.0, bound),
            interpolation="nearest",
            alpha=1.0,
            nothing="silent",
            unit="units",
            title=f"{channel}" + (" dead" if channel in dead else " sparse" if channel in sparse else ""),
        )
        for channel, one in zip(drawn, values, strict=True)
    )
    more = f" The first {MOST_CHANNELS} of {count} channels." if len(drawn) < count and facts.channels is None else ""
    return Figure(
        f"maps_{number}",
        f"Channels of {facts.layer}",
        Scenes(scenes, columns=min(8, len(scenes)), shared_scale=True),
        f"One scale for all, in the layer's own unit; above each map its channel.{more}",
    )


def _walk(image: ImageMaps, number: int) -> Figure:
    images: list[NDArray[np.uint8]] = []
    captions: list[str] = []
    most = min(len(strongest) for _, _, strongest in image.walk)
    for _, maps, strongest in image.walk:
        images.append(image.image)
        captions.append("the image")
        for channel in strongest[:most]:
            one = np.asarray(maps[channel], dtype=float)
            peak = float(one.max())
            share = np.clip(one / peak, 0, 1) if peak > 0 else np.zeros_like(one)
            images.append((255 * share).round().astype(np.uint8)[:, :, None])
            captions.append(f"{channel} · max {peak:.2g}")
    labels = tuple(name for name, _, _ in image.walk)
    return Figure(
        f"walk_{number}",
        "A walk through the network: the strongest channels of each layer",
        Gallery(tuple(images), tuple(captions), columns=1 + most, row_labels=labels),
        "Black is 0 or less, white each channel's own maximum, which stands below it after the channel's number.",
    )


def _layers(facts: FeatureFacts) -> Table:
    columns = (
        Column("layer"), Column("channels", "", "right", "d"), Column("units"), Column("mean", "", "right", ".3g"),
        Column("zeros", "", "right", ".0%"), Column("active", "", "right", ".0%"), Column("dead", "", "right", "d"),
        Column("sparse", "", "right", "d"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (
            one.layer, len(one.active), f"{one.size[0]} × {one.size[1]}", float(one.mean.mean()),
            float(one.zeros.mean()), float(one.active.mean()), len(one.dead), len(one.sparse),
        )
        for one in facts.numbers
    ]  # fmt: skip
    note = f"Over {facts.samples}. Dead: never above 0. Sparse: above 0 in at most 5 % of a channel's units."
    return Table("Activity", columns, tuple(rows), note, "activity")


def _channels(facts: FeatureFacts) -> Table:
    chosen = facts.chosen
    dead, sparse = set(chosen.dead), set(chosen.sparse)
    columns = (
        Column("channel", "", "right", "d"), Column("least", "", "right", ".3g"), Column("mean", "", "right", ".3g"),
        Column("most", "", "right", ".3g"), Column("zeros", "", "right", ".0%"), Column("active", "", "right", ".1%"),
        Column("state"),
    )  # fmt: skip
    rows = tuple(
        (
            place, float(chosen.minimum[place]), float(chosen.mean[place]), float(chosen.maximum[place]),
            float(chosen.zeros[place]), float(chosen.active[place]),
            "dead" if place in dead else "sparse" if place in sparse else "",
        )
        for place in range(len(chosen.active))
    )  # fmt: skip
    return Table(f"Channels of {facts.layer}", columns, rows, f"Over {facts.samples}.", "channels")
