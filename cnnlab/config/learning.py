"""What the optimizer of a config is made from."""

from torch import nn

from cnnlab.config.config import Config
from cnnlab.fit.freezing import Freezing
from cnnlab.fit.hardest import kept
from cnnlab.fit.losses import Loss, is_summed
from cnnlab.fit.parameter_groups import LearningParameters, StepSize, learning_parameters


def parameters_of(config: Config, network: nn.Module, freezing: Freezing, loss: Loss) -> LearningParameters:
    """The parameters of `network` that learn, with the rules of `config`; the others lose `requires_grad`.

    Arguments:
        config: of the training.
        network: that it makes.
        freezing: what is frozen in it, epoch by epoch.
        loss: of the config.

    Raises:
        RequestError: when a rule matches no parameter, or when nothing is left to train.
    """
    batch, batches = config.training.batch_size, config.training.accumulate
    learned = batch if config.hardest is None else kept(batch, config.hardest.keep)
    return learning_parameters(
        network,
        config.parameter_groups,
        layer_decay=config.layer_decay,
        freezing=freezing,
        step=StepSize(batch * batches, learned * batches, is_summed(loss)),
    )
