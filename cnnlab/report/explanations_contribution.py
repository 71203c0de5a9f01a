"""What the answers of a run rest on: maps of single images, how far to trust them, and one image's report card."""

from collections.abc import Iterator, Sequence

import torch

from cnnlab.attribution.attribute import attribute
from cnnlab.attribution.chosen import unasked
from cnnlab.attribution.measures.comparison import Comparison, compare_maps
from cnnlab.attribution.measures.report import evidence_line, faithfulness_section
from cnnlab.core.errors import RequestError
from cnnlab.data.batches import normalise
from cnnlab.network.studied import Studied
from cnnlab.report.card.report import report_card_report
from cnnlab.report.card.run import report_card
from cnnlab.report.gallery.report import gallery_album
from cnnlab.report.gallery.run import gallery, of_pixels
from cnnlab.view.blocks import Block, Section, Text
from cnnlab.view.contribution import Contribution

MEASURED = 48
"""Images over which the maps are measured."""


def explanations(studied: Studied) -> Iterator[Contribution]:
    """The gallery, the measures over the first images of the part, and the card."""
    network, images = studied.network, studied.images
    shown, maps = gallery(network, images, studied.predictions.logits, studied.chosen)
    methods = unasked("measured") if any(one.layer is not None for one in maps) else of_pixels(unasked("measured"))
    comparison = _measured(studied, methods)
    blocks: list[Block] = [gallery_album(shown, maps), faithfulness_section(comparison, target="the answer")]
    try:
        card = report_card(network, images, run=studied.run.name, split=studied.split, pick="first-correct")
    except RequestError as error:
        blocks.append(Text(f"No report card: {error}.", "note"))
    else:
        blocks.append(report_card_report(card).blocks[0])
    section = Section("What the answers rest on", tuple(blocks), "explanations")
    yield Contribution((section,), (evidence_line(comparison, section.key),))


def _measured(studied: Studied, methods: Sequence[str]) -> Comparison:
    """The maps of the gallery's quick methods, beside the controls."""
    network = studied.network
    chosen = studied.images.take(torch.arange(min(MEASURED, len(studied.images))))
    device = next(network.model.parameters()).device
    images = normalise(chosen.images.to(device), network.preparation.statistics)
    answers = studied.predictions.logits[: len(chosen)].argmax(1).to(device)
    found = attribute(network.model, images, answers, methods=methods)
    maps = {one.method: one.maps.cpu() for one in found}
    steps = compare_maps(network.model, images, answers, maps, seed=0, masks=chosen.masks, with_road=False)
    (comparison,) = [step for step in steps if isinstance(step, Comparison)]
    return comparison
