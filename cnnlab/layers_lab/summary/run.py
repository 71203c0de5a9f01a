"""`cnnlab summary`: shapes, costs and receptive fields from one walk."""

from cnnlab.layers_lab.summary.report import Summary
from cnnlab.layers_lab.summary.training_memory import training_memory
from cnnlab.network.named import NamedModel
from cnnlab.network.runnable import check_runs
from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.walk.costs import layer_costs


def summarize(named: NamedModel) -> Summary:
    """Everything about the layers of a network for its pictures.

    Raises: RequestError where it cannot run at this size.
    """
    check_runs(named)
    fields = receptive_fields(named.model, named.shape)
    saved = training_memory(named.model, named.shape)
    return Summary(layer_costs(named.model, fields.walk, saved), fields)
