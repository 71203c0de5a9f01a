"""What the layers of a network say on the page of its run: shapes and costs, and what each of them sees."""

from collections.abc import Iterator

from cnnlab.layers_lab.summary.report import summary_blocks
from cnnlab.layers_lab.summary.run import summarize
from cnnlab.network.studied import Studied
from cnnlab.receptive_field.report import field_blocks
from cnnlab.receptive_field.run import inspect
from cnnlab.view.blocks import Section
from cnnlab.view.contribution import Contribution


def architecture(studied: Studied) -> Iterator[Contribution]:
    """The section on the network whatever it has learned."""
    named = studied.network
    summary, inspection = summarize(named), inspect(named)
    fields = Section("What each layer sees", field_blocks(inspection.fields, inspection.audit))
    yield Contribution((Section("Architecture", (*summary_blocks(summary), fields), "architecture"),))
