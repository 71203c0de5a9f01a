"""The inside of a network on the page of its run: filters, feature maps, maximally activating patches."""

from collections.abc import Iterator

from cnnlab.core.advance import Advance
from cnnlab.inside.features.report import features_report
from cnnlab.inside.features.run import watched_features
from cnnlab.inside.filters.report import filters_report
from cnnlab.inside.filters.run import measured_filters
from cnnlab.inside.patches.report import patches_report
from cnnlab.inside.patches.run import found_patches
from cnnlab.network.placement import WHOLE
from cnnlab.network.prepared_images import ExplainedImage
from cnnlab.network.studied import Studied
from cnnlab.view.contribution import Contribution, section_of

RANDOM_FILTERS = 64
PATCHES = 9
"""Patches of each channel."""


def filters(studied: Studied) -> Iterator[Advance | Contribution]:
    """The filters of the first convolution that has patterns."""
    steps = measured_filters(studied.network, studied.session, random=RANDOM_FILTERS)
    return section_of("Filters", "filters", steps, filters_report)


def features(studied: Studied) -> Iterator[Advance | Contribution]:
    """The feature maps of the first of the chosen images."""
    images, number = studied.images, int(studied.chosen[0])
    name = f"{studied.part}/{number}" if images.paths is None else images.paths[number]
    shown = ExplainedImage(name, images.images[number], WHOLE, int(images.labels[number]), None)
    steps = watched_features(studied.network, [shown], studied.session, own=(studied.split, images))
    return section_of("Feature maps", "feature-maps", steps, features_report)


def patches(studied: Studied) -> Iterator[Advance | Contribution]:
    """The maximally activating patches of each channel."""
    steps = found_patches(studied.network, studied.images, studied.session, split=studied.part, top=PATCHES)
    return section_of("Maximally activating patches", "patches", steps, patches_report)
