"""The trainings that the normalisation lab needs: a config with its norms and without, and at other batch sizes."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from cnnlab.config.config import Config
from cnnlab.config.norms import NONE, with_norm
from cnnlab.core.arithmetic import evenly
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import Component, component
from cnnlab.fit.checkpoints import load_weights_file
from cnnlab.fit.optimizers.rates import with_rate_times
from cnnlab.fit.state import load_weights
from cnnlab.models.data_dependent import begin_as
from cnnlab.network.fresh import new_network
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.training.trials import Trial, quiet

WITH, WITHOUT = "with norms", "without"
"""The two twins."""

BATCH, GROUP = "batch norm", "group norm"
"""The two norms at small batches."""

MOST_POINTS = 12
"""Places of a training that are looked at."""


def _quiet(config: Config, *, epochs: int, snapshots: bool) -> dict[str, Any]:
    """What is other than in the config: how long, and what is written down besides."""
    training = config.training.model_copy(update={"epochs": epochs})
    return {"training": training, "logging": quiet(config, snapshots=snapshots).logging, "early_stopping": None}


def twin_trials(config: Config, *, epochs: int) -> dict[str, Trial]:
    """The trainings of a config as it is, and with `none` for each norm.

    Arguments:
        config: of a network made of layers.
        epochs: of each.

    Returns:
        By `WITH` and `WITHOUT`; weights of every epoch are kept.

    Raises:
        RequestError: for a network in Python.
    """
    changed = config.model_copy(update=_quiet(config, epochs=epochs, snapshots=True))
    return {
        WITH: Trial("with-norms", changed.model_copy(update={"name": "with-norms"})),
        WITHOUT: Trial("without-norms", with_norm(changed, NONE).model_copy(update={"name": "without-norms"})),
    }


def batch_trials(config: Config, *, sizes: Sequence[int], groups: int, epochs: int) -> dict[tuple[str, int], Trial]:
    """The trainings with batch norm and with group norm at each size of batch.

    The learning rate goes with the size of the batch (Goyal et al. 2017, arXiv:1706.02677, section 2.1), for both norms
    alike, and a size that fills more than an epoch is left as it is.

    Arguments:
        config: of a network made of layers.
        sizes: images of a batch, 2 at least.
        groups: of the group norms; divides the channels of each.
        epochs: of each training.

    Returns:
        By the norm and the size.

    Raises:
        RequestError: for a network in Python.
    """
    norms: dict[str, Component] = {
        BATCH: component("layer", "batch_norm"),
        GROUP: component("layer", "group_norm", groups=groups),
    }
    # a summed loss and decoupled hyper-parameters make steps go with the batch by themselves
    alone = config.loss.options.get("reduction") == "sum" or config.optimizer.options.get("decoupled", False)
    found = {}
    for size in sizes:
        optimizer = with_rate_times(config.optimizer, 1.0 if alone else size / config.training.batch_size)
        for norm, layer in norms.items():
            name = f"{norm.replace(' ', '-')}-{size}"
            changed = _quiet(config, epochs=epochs, snapshots=False)
            changed["training"] = changed["training"].model_copy(update={"batch_size": size})
            one = with_norm(config.model_copy(update=changed | {"optimizer": optimizer, "name": name}), layer)
            found[norm, size] = Trial(name, one)
    return found


def along(run: Run, session: Session) -> Iterator[tuple[int, nn.Module]]:
    """The network of a run before its first step, and after the epochs whose weights were kept.

    Arguments:
        run: trained with `logging.snapshots_every_epochs`.
        session: the device, and whether plugins may be run.

    Yields:
        The epoch, 0 at first, and the network: one module, whose values change.

    Raises:
        RequestError: where the weights are not those of the config.
    """
    data = run.record.data
    model = new_network(run.config(allow_plugins=session.allow_plugins), data.shape, len(data.classes))
    model = model.to(session.device)
    kept = run.snapshots()
    for path in list(kept.values())[:1]:
        begin_as(model, load_weights_file(path)[0])
    for epoch in [0, *evenly(list(kept), MOST_POINTS - 1)] if kept else [0]:
        if epoch:
            weights, _ = load_weights_file(kept[epoch])
            try:
                load_weights(model, weights)
            except RequestError as error:
                raise RequestError(f"{kept[epoch]}: {error}") from None
        yield epoch, model
