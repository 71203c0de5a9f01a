"""The files of an explanation: raw maps, overlays on the images as they were, a page and a document."""

import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.attribution.catalog import METHODS
from cnnlab.attribution.document import explanation_document, provenance
from cnnlab.attribution.measures.report import faithfulness_section, image_metrics
from cnnlab.attribution.report import (
    MOST_DRAWN,
    MapEntry,
    ShownImage,
    ShownMap,
    attribution_report,
    map_table,
    map_title,
    overlay,
)
from cnnlab.attribution.run import Explanation
from cnnlab.core.files import write_whole
from cnnlab.network.image_files import Unreadable
from cnnlab.network.network import Network
from cnnlab.network.placement import laid_over
from cnnlab.network.prepared_images import ExplainedImage
from cnnlab.view import files, json, png
from cnnlab.view.blocks import Figure, Report
from cnnlab.view.drawings import tile
from cnnlab.view.scenes import Scenes

SCREEN = 1600
"""Pixels of the longer side up to which an overlay is as large as its image: a map has some hundred places at most,
and a drawing of a photo of 12 million pixels takes 3 GB."""

FULL = 4096
"""Pixels of the longer side where the full size is asked for."""

SMALL = 448
"""Pixels of the longer side of an image on the page."""

PANEL = 4.6
"""Inches that a single panel is wide (`cnnlab.view.png.scene_layout`): the resolution that keeps each pixel."""


@dataclass(frozen=True)
class WrittenExplanation:
    """Everything that was written, and what `--json` prints."""

    report: Report
    document: dict[str, Any]
    page: Path | None
    """None where nothing was written."""


def write_explanation(
    network: Network,
    images: Sequence[ExplainedImage],
    explanation: Explanation,
    folder: Path | None,
    *,
    target: str,
    unreadable: Sequence[Unreadable] = (),
    asked: bool = False,
    full_size: bool = False,
) -> Iterator[ExplainedImage | WrittenExplanation]:
    """Each image when its files are written, and at last the page and `explanations.json`; all below `folder`.

    Without a folder nothing is written, and the report and the document are told all the same.

    target: what was asked to be explained; asked: whether the layers were; full_size: overlays of
    up to `FULL` pixels and not `SCREEN`.
    """
    entries: list[MapEntry] = []
    drawn: list[ShownImage] = []
    for index, image in enumerate(images):
        original = image.original()
        entries += _one_image(image, original, index, explanation, folder, FULL if full_size else SCREEN)
        if len(drawn) < MOST_DRAWN:
            drawn.append(shown_image(image, original, index, explanation, SMALL))
        yield image
    trust = [
        faithfulness_section(comparison, **_rank(rank, explanation))
        for rank, comparison in enumerate(explanation.comparisons)
    ]
    plan = explanation.plan
    report = attribution_report(
        drawn,
        title=f"What {network.name} looks at",
        lead=f"{len(images)} image{'' if len(images) == 1 else 's'}, {network.weights}; evidence for {_asked(target)}.",
        cautions=plan.cautions,
        notes=explanation.notes,
        layers=plan.layers,
        asked=asked,
        count=len(images),
        rows=map_table(entries),
        trust=trust,
        provenance=provenance(network, explanation),
    )
    document = explanation_document(network, explanation, entries, unreadable, target)
    page: Path | None = None
    if folder is not None:
        page = files.save(report, folder).page
        document["report"] = str(page)
        write_whole(folder / "explanations.json", json.text(document) + "\n")
    yield WrittenExplanation(report, document, page)


def _one_image(
    image: ExplainedImage, original: Tensor, index: int, explanation: Explanation, folder: Path | None, most: int
) -> Iterator[MapEntry]:
    """The files of each of its maps, with overlays of at most `most` pixels; without a folder the facts alone."""
    shown = shown_image(image, original, index, explanation, most)
    factor = max(original.shape[1:]) / max(shown.image.shape[:2])
    stem = f"{index:04}-{_slug(Path(image.name).stem)}"
    places = [(one, rank) for one in explanation.attributions for rank in range(explanation.targets.shape[1])]
    for (one, rank), map_ in zip(places, shown.maps, strict=True):
        raw: Path | None = None
        channels: Path | None = None
        overlaid: Path | None = None
        if folder is not None:
            name = folder / "maps" / f"{stem}-{_slug(one.method)}-{rank}-{_slug(map_.target)}"
            raw, overlaid = Path(f"{name}.npy"), Path(f"{name}.png")
            _save(one.maps[index, rank].cpu(), raw)
            if one.per_channel is not None:
                channels = Path(f"{name}-channels.npy")
                _save(one.per_channel[index, rank].cpu(), channels)
            write_whole(overlaid, _overlay_png(shown, map_))
        measured = explanation.comparisons[rank] if explanation.comparisons else None
        yield MapEntry(
            path=image.name,
            predicted=shown.predicted,
            probability=shown.probability,
            truth=shown.truth,
            target=map_.target,
            target_probability=map_.probability,
            score=float(one.scores[index, rank]),
            method=one.method,
            layers=one.layers,
            raw=_path(raw),
            raw_channels=_path(channels),
            overlay=_path(overlaid),
            evident=map_.evident,
            peak=_peak(map_.heat, factor) if map_.evident else None,
            metrics=None if measured is None else image_metrics(measured, one.method, index),
        )


def _overlay_png(image: ShownImage, shown: ShownMap) -> bytes:
    """The evidence on the image as it is shown, one pixel a pixel or a whole number of them, with a colour bar."""
    longest = max(image.image.shape[:2])
    scene = overlay(image, shown, caption=image.answer)
    drawing = Scenes((scene,), columns=1, dpi=max(png.DPI, math.ceil(longest / PANEL)))
    return png.encode(Figure("overlay", map_title(shown), drawing))


def shown_image(
    explained: ExplainedImage, original: Tensor, index: int, explanation: Explanation, most: int
) -> ShownImage:
    """The image with its maps over it, its longer side of at most `most` pixels."""
    image = _as_image(original, most)
    classes, probabilities = explanation.classes, explanation.probabilities[index]
    answer = int(probabilities.argmax())
    maps = []
    for one in explanation.attributions:
        for rank, target in enumerate(explanation.targets[index].tolist()):
            smooth = METHODS[one.method].kind == "cam"
            values = one.maps[index, rank].cpu().numpy()
            heat = laid_over(values, explained.placement, (image.shape[0], image.shape[1]), smooth=smooth)
            sure, evident = float(probabilities[target]), bool((values > 0).any())
            maps.append(ShownMap(one.method, one.layers, classes[target], sure, heat, evident))
    return ShownImage(
        name=explained.name,
        image=image,
        seen=explained.placement.seen(image.shape[0], image.shape[1]),
        truth=None if explained.truth is None else classes[explained.truth],
        predicted=classes[answer],
        probability=float(probabilities[answer]),
        maps=tuple(maps),
        smaller=tuple(original.shape[1:]) != image.shape[:2],
    )


def _as_image(image: Tensor, most: int) -> NDArray[np.uint8]:
    """[h, w, 1 or 3], made smaller where its longer side has more than `most` pixels."""
    from torchvision.transforms.v2 import functional

    longest = max(image.shape[1:])
    if longest > most:
        height, width = (max(2, round(side * most / longest)) for side in image.shape[1:])
        image = functional.resize(image, [height, width], antialias=True)
    return tile(image)


def _peak(heat: NDArray[np.float64], factor: float) -> tuple[int, int]:
    """Row and column of the largest value in the image as it was, `factor` times as large as the heat."""
    row, column = divmod(int(np.nanargmax(heat)), heat.shape[1])
    return int((row + 0.5) * factor), int((column + 0.5) * factor)


def _save(values: Tensor, path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values.to(torch.float32).numpy(), allow_pickle=False)
    write_whole(path, buffer.getvalue())


def _path(file: Path | None) -> str | None:
    return None if file is None else str(file)


def _slug(text: str) -> str:
    """Letters and digits of a name, for a file's; `gradcam++` must not become `gradcam`."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower().replace("++", "pp")).strip("_")[:40] or "x"


def _rank(rank: int, explanation: Explanation) -> dict[str, str]:
    if explanation.targets.shape[1] == 1:
        return {}
    return {"target": f"class {rank + 1} of the likeliest", "suffix": f"_{rank + 1}"}


def _asked(target: str) -> str:
    words = {"predicted": "the predicted class", "true": "the true class"}
    return words.get(target, f"the {target[3:]} likeliest classes" if re.fullmatch(r"top\d+", target) else target)
