"""Which images a run has learned from: an accuracy on those is memory."""

from dataclasses import replace
from pathlib import Path

from cnnlab.core.errors import CnnlabError
from cnnlab.data.dataset import Dataset
from cnnlab.data.leaks import same_pixels
from cnnlab.data.registry import facts_of
from cnnlab.network.asked_data import AskedData
from cnnlab.network.network import RunNetwork
from cnnlab.network.session import Session
from cnnlab.runs.images import check_unchanged, training_images


def asks_its_own(network: RunNetwork, session: Session) -> bool:
    """Whether the data that the network of a run is asked about is the run's own, wherever that lies now."""
    asked = network.asked
    if asked is None:
        return True
    mine = network.config.data.dataset
    if not isinstance(asked, AskedData) or mine.name != asked.dataset.name:
        return False
    if facts_of(mine).source != "own":
        return bool(mine.options == asked.dataset.options)
    here, there = (Path(one.options["path"]).expanduser() for one in (mine, asked.dataset))
    return here.resolve() == there.resolve() or (not here.exists() and _training_part(network, session) is not None)


def learned_of(network: RunNetwork, images: Dataset, split: str, session: Session) -> int | None:
    """How many of `images` the run has learned from, byte for byte as its network takes them.

    Arguments:
        network: of the run, asked about data of its own or of others.
        images: what it is asked about.
        split: the part that they are.
        session: where data sets lie.

    Returns:
        The number; None where the images of its training are no longer there. Nothing is downloaded for it.
    """
    if split != "train" and _split_alike(network) and asks_its_own(network, session):
        return 0
    part = _training_part(network, session)
    return None if part is None else len(same_pixels(network.fitted(part).images, images.images))


def _split_alike(network: RunNetwork) -> bool:
    """Whether parts of its own data are those of its training."""
    asked, config = network.asked, network.config
    if asked is None:
        return True
    if not isinstance(asked, AskedData) or asked.whole or asked.seed != config.split_seed:
        return False
    read_alike = {"dataset": None}  # its options may say where the images are now
    return asked.section.identity | read_alike == config.data.identity | read_alike


def _training_part(network: RunNetwork, session: Session) -> Dataset | None:
    """The images that the run was trained on, where it had them or where the session says that data lies."""
    for moved in dict.fromkeys((None, session.data)):
        try:
            halves = training_images(network.config, replace(session.place, moved=moved, download=False))
            check_unchanged(network.run, halves)
        except CnnlabError:
            continue
        return halves.train
    return None
