"""Who says something on the page of a run, in the order of the page: the one list to add a section to."""

from collections.abc import Callable, Iterator

from cnnlab.core.advance import Advance
from cnnlab.evaluation.contribution import evaluation
from cnnlab.inside.contribution import features, filters, patches
from cnnlab.layers_lab.summary.contribution import architecture
from cnnlab.network.studied import Studied
from cnnlab.report.explanations_contribution import explanations
from cnnlab.report.raw_data import raw_data
from cnnlab.training.contribution import training
from cnnlab.trust.sanity.contribution import randomisation_test
from cnnlab.view.contribution import Contribution

Contributor = Callable[[Studied], Iterator[Advance | Contribution]]
"""Yields how far its work is, and what it has to say."""

CONTRIBUTORS: tuple[Contributor, ...] = (
    training,
    evaluation,
    explanations,
    randomisation_test,
    architecture,
    filters,
    features,
    patches,
    raw_data,
)
