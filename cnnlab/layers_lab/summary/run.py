"""`cnnlab summary`: shapes, costs and receptive fields from one walk."""

from cnnlab.layers_lab.summary.report import Summary
from cnnlab.layers_lab.summary.training_memory import training_memory
from cnnlab.network.network import Network
from cnnlab.network.runnable import check_runs
from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.walk.costs import layer_costs


def summarize(network: Network) -> Summary:
    """Tell shapes, parameters, multiply-accumulates, memory and receptive fields of a network's layers.

    Arguments:
        network: opened with or without its values.

    Returns:
        The costs and the receptive field of each layer, for images of the network's shape.

    Raises:
        RequestError: where it cannot run at this size.

    Example:
        >>> from cnnlab.network.open import open_network
        >>> from cnnlab.network.session import Session
        >>> session = Session(device_name="cpu")
        >>> network = open_network("torchvision:squeezenet1_1", session, size="64", values=False)
        >>> summarize(network).costs.parameters
        1235496
    """
    check_runs(network)
    fields = receptive_fields(network.model, network.shape)
    saved = training_memory(network.model, network.shape)
    return Summary(layer_costs(network.model, fields.walk, saved), fields)
