"""Who says something on the page of a network, in the order of the page: the one list to add a section to.

And what the page says by itself: maps of single images with their measures, and one image's card.
"""

from collections.abc import Callable, Iterator, Sequence

import torch

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.catalog import unasked
from cnnlab.attribution.measures.comparison import Comparison, compare_maps
from cnnlab.attribution.measures.report import evidence_line, faithfulness_section
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.deploy.export.contribution import exports
from cnnlab.evaluation.contribution import evaluation
from cnnlab.inside.contribution import features, filters, patches
from cnnlab.layers_lab.summary.contribution import architecture
from cnnlab.network.studied import Studied
from cnnlab.rejection.contribution import rejection
from cnnlab.report.card.report import report_card_report
from cnnlab.report.card.run import report_card
from cnnlab.report.gallery import gallery, gallery_album, of_pixels
from cnnlab.training.contribution import training
from cnnlab.trust.sanity.contribution import randomisation_test
from cnnlab.view.blocks import Block, Section, Text
from cnnlab.view.contribution import Contribution

MEASURED = 48
"""Images over which the maps are measured."""

Contributor = Callable[[Studied], Iterator[Advance | Contribution]]
"""Yields how far its work is, and what it has to say."""


def explanations(studied: Studied) -> Iterator[Contribution]:
    """The gallery, the measures over the first images of the part, and the card."""
    network, images = studied.network, studied.images
    shown, maps = gallery(network, images, studied.predictions.logits, studied.chosen)
    methods = unasked("measured") if any(one.layer is not None for one in maps) else of_pixels(unasked("measured"))
    comparison = _measured(studied, methods)
    blocks: list[Block] = [gallery_album(shown, maps), faithfulness_section(comparison, target="the answer")]
    try:
        card = report_card(network, images, split=studied.part)
    except RequestError as error:
        blocks.append(Text(f"No report card: {str(error).replace('`', '')}.", "note"))
    else:
        blocks.append(report_card_report(card).blocks[0])
    section = Section("What the answers rest on", tuple(blocks), "explanations")
    yield Contribution((section,), (evidence_line(comparison, section.key),))


def _measured(studied: Studied, methods: Sequence[str]) -> Comparison:
    """The maps of the gallery's quick methods, beside the controls."""
    network = studied.network
    chosen = studied.images.take(torch.arange(min(MEASURED, len(studied.images))))
    images = network.preparation.inputs(chosen.images.to(network.device))
    answers = studied.predictions.logits[: len(chosen)].argmax(1).to(network.device)
    found = attribute(network.model, images, answers, methods=methods, activation=network.activation)
    maps = {one.method: one.maps.cpu() for one in found}
    steps = compare_maps(
        network.model,
        images,
        answers,
        maps,
        seed=0,
        masks=chosen.masks,
        with_road=False,
        activation=network.activation,
    )
    (comparison,) = [step for step in steps if isinstance(step, Comparison)]
    return comparison


CONTRIBUTORS: tuple[Contributor, ...] = (
    training,
    evaluation,
    rejection,
    explanations,
    randomisation_test,
    architecture,
    filters,
    features,
    patches,
    exports,
)
