"""What the page of a run says of the inside of its network: filters, feature maps, patches, and a check of its maps."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import Dataset
from cnnlab.evaluation.run import EvaluateOptions
from cnnlab.inside.features.report import features_report
from cnnlab.inside.features.run import watched_features
from cnnlab.inside.filters.report import filters_report
from cnnlab.inside.filters.run import measured_filters
from cnnlab.inside.patches.report import patches_report
from cnnlab.inside.patches.run import found_patches
from cnnlab.network.placement import WHOLE
from cnnlab.network.preparation import PreparedNetwork
from cnnlab.network.prepared_images import ExplainedPicture
from cnnlab.network.trained import TrainedNetwork
from cnnlab.runs.folder import Run
from cnnlab.trust.probed_run import ProbeOptions
from cnnlab.trust.sanity.report import sanity_report
from cnnlab.trust.sanity.run import SanityOptions, sanity_facts
from cnnlab.view.blocks import Block, Report, Section, Text

T = TypeVar("T")

RANDOM_FILTERS = 64
PATCHES = 9
"""Of each channel."""
FORGETTING, DEPTHS = 32, 8
"""Pictures and layers of the check of the maps."""


def inside_sections(
    network: PreparedNetwork, pictures: Dataset, options: EvaluateOptions, *, picture: int
) -> Iterator[Advance | Section]:
    """How far the work is, and a section for filters, for feature maps of `picture` of `pictures`, and for patches.

    What a network does not have, such as dense layers have no filters, its section says.
    """
    filters = measured_filters(
        network.named, layer=None, random=RANDOM_FILTERS, seed=0, allow_plugins=options.allow_plugins
    )
    yield from _section("Filters", filters, filters_report)
    shown = _shown(pictures, options.split, picture)
    maps = watched_features(
        network, [shown], layer=None, channels=None, place=options.place, own=(options.split, pictures)
    )
    yield from _section("Feature maps", maps, features_report)
    patches = found_patches(network, pictures, split=options.split, layer=None, channels=None, top=PATCHES)
    yield from _section("What channels answer to", patches, patches_report)


def forgetting_section(
    run: Run, network: TrainedNetwork, pictures: Dataset, options: EvaluateOptions
) -> Iterator[Advance | Section]:
    """How far the work is, and the section on whether maps depend on what was learned."""
    assert options.split != "test"
    probe = ProbeOptions(
        split=options.split,
        count=FORGETTING,
        seed=0,
        weights=options.weights,
        device=options.device,
        place=options.place,
        allow_plugins=options.allow_plugins,
    )
    steps = sanity_facts(run, SanityOptions(probe, depths=DEPTHS), loaded=(network, pictures))
    yield from _section("Do the maps show what was learned?", steps, sanity_report)


def _section(title: str, steps: Iterator[Advance | T], arrange: Callable[[T], Report]) -> Iterator[Advance | Section]:
    """The report on the last of `steps` as a section, or why there is none."""
    blocks: Sequence[Block] = ()
    try:
        for step in steps:
            if isinstance(step, Advance):
                yield step
            else:
                report = arrange(step)
                blocks = (Text(f"{report.title}. {report.lead}"), *report.blocks)
    except RequestError as error:
        blocks = (Text(f"Nothing to show: {error}.", "note"),)
    yield Section(title, tuple(blocks))


def _shown(pictures: Dataset, split: str, number: int) -> ExplainedPicture:
    name = f"{split}/{number}" if pictures.paths is None else pictures.paths[number]
    return ExplainedPicture(name, pictures.images[number], WHOLE, int(pictures.labels[number]), None)
