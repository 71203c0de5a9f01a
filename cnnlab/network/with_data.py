"""A network that is to be asked about data that it does not bring, or about that of another one."""

from dataclasses import replace
from pathlib import Path

from cnnlab.core.characters import some
from cnnlab.core.errors import RequestError
from cnnlab.network.asked_data import AskedData, asked_data, asked_section, class_numbers, order_remark
from cnnlab.network.network import Network
from cnnlab.network.session import Session


def with_data(found: Network, named: str | Path, session: Session) -> Network:
    """`found`, to be asked about data that it does not bring; its classes take the names there, where it has none.

    Arguments:
        found: opened for images.
        named: a folder, a CSV, a config or the name of a data set.
        session: where data sets lie, and whether a config's plugins may be run.

    Returns:
        The network with the data.

    Raises:
        RequestError: where there is no such data, or its classes are none of the network's.
    """
    data, classes = asked_data(
        named,
        session.place,
        channels=found.shape[0],
        fitting=found.preparation.fitting,
        allow_plugins=session.allow_plugins,
    )
    return _asked(found, data, classes)


def with_data_of(found: Network, owner: Network, session: Session) -> Network:
    """`found`, to be asked about the data that `owner` brings, each image prepared for `found`.

    Arguments:
        found: opened for images.
        owner: the network of a run or a config.
        session: where data sets lie.

    Returns:
        The network with the data.

    Raises:
        RequestError: where the data is not there, or its classes are none of the network's.
    """
    assert owner.config is not None, "a network without data of its own"
    data, classes = asked_section(
        owner.config.data,
        replace(session.place, moved=None),
        name=f"the data of {owner.name}",
        seed=owner.config.split_seed,
        channels=found.shape[0],
        fitting=found.preparation.fitting,
    )
    return _asked(found, data, classes or owner.classes)


def _asked(found: Network, data: AskedData, classes: tuple[str, ...]) -> Network:
    """`found` with `data`, whose `classes` are known as far as they are there.

    Raises: RequestError where they are none of the network's.
    """
    remarks = [f"{data.name} has no parts, so all of its images are taken"] * data.whole
    if classes and found.classes:
        class_numbers(classes, found.classes, data.name)
        remarks += [remark for remark in (order_remark(classes, found.classes, data.name),) if remark]
    names = found.classes or classes
    if found.logits is not None and names and len(names) != max(2, found.logits):
        way = "" if found.classes else "; name the network's classes in order by `classes`"
        if found.activation == "sigmoid" and found.logits != 1:
            way = ", each a question of its own (`activation` sigmoid), of which one class an image tells nothing"
        raise RequestError(
            f"{data.name} has {len(names)} classes, and {found.name} puts out {found.logits} "
            f"logit{'s' * (found.logits != 1)}{way}"
        )
    if classes and not found.classes:
        remarks.append(
            f"the network's classes have no names: they are taken to be those of {data.name}, in this order: "
            f"{some(classes)}; `classes` names them"
        )
    return replace(found, asked=replace(data, classes=names), classes=names, remarks=(*found.remarks, *remarks))
