"""The report of an explanation: images with their attribution over them, and how the maps were made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnnlab.attribution.catalog import METHODS
from cnnlab.attribution.layers import LayerChoice
from cnnlab.view.blocks import Block, Cell, Column, Figure, Link, Links, Report, Section, Table, Text, shown
from cnnlab.view.scenes import Box, Scene, Scenes

ROWS = 6
"""Images in one drawing: more would be too tall to be seen at once."""

MOST_DRAWN = 24
"""Images on the page; of the others there are files."""

MOST_LAYERS = 12
"""Other layers that are listed."""

LARGEST = 99.0
"""Percentile of a pixel method's values at which its colours end: single pixels would leave all others pale."""


@dataclass(frozen=True, eq=False)
class ShownMap:
    """One map, laid over its image."""

    method: str
    layers: tuple[str, ...]
    target: str
    """The class that it speaks of."""
    probability: float
    """Probability of that class, 0 … 1."""
    heat: NDArray[np.float64]
    """[h, w] of the image, in the method's own unit; NaN where the network saw nothing of the image."""
    evident: bool
    """Whether the map has anything above zero, be it in the black bars beside the image."""


@dataclass(frozen=True, eq=False)
class ShownImage:
    """An image with all its maps."""

    name: str
    image: NDArray[np.uint8]
    """[h, w, 1 or 3], the whole image as it was."""
    seen: tuple[int, int, int, int] | None
    """First and last row, first and last column that the network saw; None for all."""
    truth: str | None
    predicted: str
    probability: float
    maps: tuple[ShownMap, ...]
    smaller: bool = False
    """Whether `image` has fewer pixels than the original."""

    @property
    def answer(self) -> str:
        """`predicted disc 98.2 %, true star`."""
        said = f"predicted {_sure(self.predicted, self.probability)}"
        return f"{said}, true {self.truth}" if self.truth is not None else said


@dataclass(frozen=True)
class MapEntry:
    """One map: an element of the list that `--json` prints."""

    path: str
    predicted: str
    probability: float
    """Probability of the predicted class, 0 … 1."""
    truth: str | None
    target: str
    target_probability: float
    score: float
    """The target's logit."""
    method: str
    layers: tuple[str, ...]
    raw: str | None
    """The file of the signed map at the layer's own resolution, float32 (h, w); None while nothing is written."""
    raw_channels: str | None
    """The file of the signed values of each colour channel, (c, h, w), for methods that have them."""
    overlay: str | None
    evident: bool
    """Whether anything of the map is above zero."""
    peak: tuple[int, int] | None
    """Row and column of the image, in pixels from 0, where the evidence is strongest; None where there is none."""
    metrics: Mapping[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """The facts with `layer` in place of `layers`; several fused ones are joined by +."""
        fields = dict(vars(self))
        layers = fields.pop("layers")
        return fields | {"layer": "+".join(layers) or None}


MEASURES = {
    "gain": ("gain", "+.3f"),
    "road": ("ROAD", "+.3f"),
    "inside": ("object", ".0%"),
    "border": ("border", ".0%"),
}
"""Measures of a single map that the table shows."""

_MEASURED = (
    "Gain: insertion − deletion of single pixels. Object, border: the share of the evidence there. The same of the "
    "controls is in explanations.json."
)


def overlay(image: ShownImage, map_: ShownMap, *, caption: str = "") -> Scene:
    """The evidence over the whole image: what speaks for the class, or both signs where a method has both.

    Red and blue of both signs are laid over a pale grey image, whose own colours would be taken for them.
    """
    height, width = image.image.shape[:2]
    method = METHODS[map_.method]
    signed = method.kind == "pixel" and method.signed
    heat = map_.heat if signed else np.clip(map_.heat, 0, None)
    scale: tuple[float, float] | None = None
    if method.kind == "pixel":
        top = _largest(heat)
        scale = ((-top, top) if signed else (0.0, top)) if top > 0 else None
    word = "against" if method.against else "for"
    label = f"for (+) or against (−) {map_.target}" if signed else f"evidence {word} {map_.target}"
    nothing = "all evidence lies in the bars beside the image" if map_.evident else "no positive evidence"
    boxes: tuple[Box, ...] = ()
    if image.seen is not None:
        boxes = (Box("all that the network saw", *image.seen, style="dashed"),)
    return Scene(
        (height, width),
        image=_pale(image.image) if signed else image.image,
        heat=heat,
        heat_label=label if method.of_class else "what most channels share",
        heat_scale="signed" if signed else "positive",
        heat_range=scale,
        alpha=0.7,
        nothing="no evidence" if signed else nothing,
        boxes=boxes,
        caption=caption,
    )


def _pale(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn an image grey (luminance of ITU-R BT.601), half way to white."""
    weights = np.array([0.299, 0.587, 0.114]) if image.shape[2] == 3 else np.ones(1)
    return (127.5 + 0.5 * (image @ weights)).round().astype(np.uint8)[:, :, None]


def _largest(heat: NDArray[np.float64]) -> float:
    values = np.abs(heat[np.isfinite(heat)])
    if not values.size:
        return 0.0
    return float(np.percentile(values, LARGEST)) or float(values.max())


def map_title(map_: ShownMap) -> str:
    """`Grad-CAM at conv5 for disc (98.2 %)`."""
    where = f" at {', '.join(map_.layers)}" if map_.layers else ""
    return f"{METHODS[map_.method].label}{where} for {map_.target} ({shown(map_.probability, '.1%')})"


def _sure(name: str, probability: float) -> str:
    return f"{name} {shown(probability, '.1%')}"


def attribution_report(
    images: Sequence[ShownImage],
    *,
    title: str,
    lead: str,
    cautions: Sequence[str],
    notes: Sequence[str],
    layers: Sequence[LayerChoice],
    asked: bool,
    count: int,
    rows: Table,
    trust: Sequence[Section],
    provenance: Mapping[str, str],
) -> Report:
    """The whole report.

    images: those that are drawn, of `count` in all; asked: whether the layers were named by a person; rows: the table
    with a row for each map; trust: what the maps were measured to be worth; provenance: how they were made.
    """
    blocks: list[Block] = [Text(caution, "caution", "caution") for caution in cautions]
    blocks += [_layer_text(choice, asked=asked) for choice in layers]
    blocks.append(Section("Maps", (*_drawings(images, count), rows)))
    blocks += trust
    if not trust:
        words = "How far to trust these maps is not measured: for that, pixels are removed by them and by others."
        blocks.append(Text(words, "note"))
    blocks += [Text(note, "note") for note in notes if note not in cautions]
    made = Table("How these maps were made", (Column("what"), Column("how")), tuple(provenance.items()))
    files = Links(
        (
            Link("explanations.json", "explanations.json", "every number of this page, and where each file lies"),
            Link("maps", "maps", "each raw map (.npy), and each overlay (.png)"),
        )
    )
    blocks.append(Section("Provenance", (made, files)))
    return Report(title, tuple(blocks), lead)


def _layer_text(choice: LayerChoice, *, asked: bool) -> Text:
    """Which layer, why, and what else there is."""
    reason = choice.reason if not asked else "asked for" + ("" if choice.post_activation else ", not after activation")
    tokens = f", {choice.tokens}" if choice.tokens else ""
    size = f"{choice.channels} × {choice.height} × {choice.width}{tokens}"
    said = f"{choice.name} ({size}): {reason}; {choice.head.sentence}."
    others = [one for one in choice.candidates if one.name != choice.name and one.post_activation and one.leads]
    if others and not asked:
        listed = ", ".join(f"{one.name} ({one.height} × {one.width})" for one in others[-MOST_LAYERS:][::-1])
        more = f" and {len(others) - MOST_LAYERS} more" if len(others) > MOST_LAYERS else ""
        said += f" Other layers: {listed}{more}, and those before their activation."
    return Text(said, "plain", "layer")


def _drawings(images: Sequence[ShownImage], count: int) -> list[Block]:
    """Rows of images, columns of maps; the image alone comes first."""
    blocks: list[Block] = []
    if not images:
        return blocks
    methods = [METHODS[one.method].label for one in images[0].maps]
    ranks = len(methods) // len(set(methods))
    if ranks > 1:
        methods = [f"{method}, answer {number % ranks + 1}" for number, method in enumerate(methods)]
    columns = ("image", *methods)
    kinds = {METHODS[one.method].kind for image in images for one in image.maps}
    for number, start in enumerate(range(0, len(images), ROWS), 1):
        some = images[start : start + ROWS]
        scenes = []
        for image in some:
            scenes.append(_alone(image))
            for one in image.maps:
                # under the image stands what was predicted
                other = "" if one.target == image.predicted else f"for {_sure(one.target, one.probability)}"
                scenes.append(overlay(image, one, caption=other))
        drawing = Scenes(
            tuple(scenes),
            columns=len(columns),
            column_titles=columns,
            row_labels=tuple(_short(image.name) for image in some),
        )
        name = "maps" if number == 1 else f"maps_{number}"
        last = start + len(some)
        title = "What the answers rest on"
        title += "" if len(images) <= ROWS else f", images {start + 1} to {last}"
        blocks.append(
            Figure(name, title, drawing, _caption(kinds, some, start + len(some) == len(images), len(images), count))
        )
    return blocks


def _caption(
    kinds: set[Literal["cam", "pixel"]], some: Sequence[ShownImage], last: bool, drawn: int, count: int
) -> str:
    said = "Each map has its own scale, beside it. "
    if "cam" in kinds:
        said += "Of a layer's map what speaks for the class is shown, enlarged smoothly from the layer's resolution. "
    if "pixel" in kinds:
        said += f"Colours of pixel maps end at the {LARGEST:.0f}th percentile; red is for the class, blue against it. "
    if any(image.smaller for image in some):
        said += "Large images are drawn smaller here, and rows and columns count what is drawn. "
    if last and drawn < count:
        said += f"{drawn} of {count} images are drawn here; each map has a file of its own."
    return said.strip()


def _alone(image: ShownImage) -> Scene:
    height, width = image.image.shape[:2]
    truth = "" if image.truth is None else f"\ntrue {image.truth}"
    caption = f"predicted {_sure(image.predicted, image.probability)}{truth}"
    return Scene((height, width), image=image.image, caption=caption)


def _short(path: str) -> str:
    """The end of a path: its file, and the folder that may name its class."""
    return "/".join(path.replace("\\", "/").split("/")[-2:])


def map_table(entries: Sequence[MapEntry]) -> Table:
    """A row for each map, with what was measured of it."""
    truths, others = any(one.truth is not None for one in entries), any(one.target != one.predicted for one in entries)
    measures = MEASURES if any(one.metrics for one in entries) else {}
    columns = [Column("image"), *([Column("truth")] if truths else []), Column("predicted")]
    columns += [Column("evidence for")] if others else []
    columns.append(Column("method"))
    columns += [] if measures else [Column("peak", unit="y, x", align="right")]
    columns += [Column(title, align="right", form=form) for title, form in measures.values()]
    rows: list[tuple[Cell, ...]] = []
    for one in entries:
        row: list[Cell] = [one.path, *([one.truth] if truths else [])]
        row += [_sure(one.predicted, one.probability)]
        row += [_sure(one.target, one.target_probability)] if others else []
        row.append(METHODS[one.method].label)
        row += [] if measures else [None if one.peak is None else f"{one.peak[0]}, {one.peak[1]}"]
        rows.append((*row, *((one.metrics or {}).get(name) for name in measures)))
    empty = sum(not one.evident for one in entries)
    notes = [_MEASURED if measures else "Peak: row and column of the image, in pixels from 0."]
    notes += [f"Without positive evidence: {empty} of {len(entries)} maps."] if empty else []
    return Table("Each map", tuple(columns), tuple(rows), " ".join(notes), "each_map")
