"""`cnnlab summary`: shapes, costs and receptive fields from one walk."""

from cnnlab.layers_lab.summary.report import Summary
from cnnlab.layers_lab.summary.training_memory import training_memory
from cnnlab.network.network import Network
from cnnlab.network.runnable import check_runs
from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.walk.costs import layer_costs


def summarize(network: Network) -> Summary:
    """Everything about the layers of a network for its pictures.

    Raises: RequestError where it cannot run at this size.
    """
    check_runs(network)
    fields = receptive_fields(network.model, network.shape)
    saved = training_memory(network.model, network.shape)
    return Summary(layer_costs(network.model, fields.walk, saved), fields)
