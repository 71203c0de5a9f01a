"""`cnnlab summary`: shapes, costs and receptive fields from one walk."""

from cnnlab.analysis.costs import layer_costs
from cnnlab.analysis.receptive_field.fields import receptive_fields
from cnnlab.analysis.training_memory import training_memory
from cnnlab.reports.summary import Summary
from cnnlab.workflows.model_source import NamedModel
from cnnlab.workflows.runnable import check_runs


def summarize(named: NamedModel) -> Summary:
    """Everything about the layers of a network for its pictures.

    Raises: RequestError where it cannot run at this size.
    """
    check_runs(named)
    fields = receptive_fields(named.model, named.shape)
    saved = training_memory(named.model, named.shape)
    return Summary(layer_costs(named.model, fields.walk, saved), fields)
