"""`cnnlab compare`: networks of any kind, each asked about the same images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnlab.config.data_section import Data
from cnnlab.core.characters import some
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.files import refuse_links, remove_parts
from cnnlab.data.dataset import Dataset
from cnnlab.evaluation.compare import Comparison, trainings
from cnnlab.evaluation.learned_images import asks_its_own, learned_of
from cnnlab.evaluation.run import SplitName, note_test_opened, predictions_of
from cnnlab.evaluation.side_by_side import Contestant, Cost, PairsOf, SideBySide, set_side_by_side
from cnnlab.evaluation.side_by_side_report import side_by_side_document, side_by_side_report
from cnnlab.network.asked_data import AskedData, numbers_by_name
from cnnlab.network.network import Network, RunNetwork
from cnnlab.network.session import Session
from cnnlab.network.with_data import with_data, with_data_of
from cnnlab.runs.folder import TEST_EVALUATIONS
from cnnlab.runs.images import check_there, evaluation_images
from cnnlab.view.blocks import Report
from cnnlab.walk.walker import walked

LONGEST = 120
"""Characters of the networks' names in the name of a folder."""

SHOWN = 6
"""Classes of a network that are named in a message."""


@dataclass(frozen=True)
class SideBySideOptions:
    """What to compare on."""

    split: SplitName = "validation"
    """Each opening of a run's own `test` is noted in the run."""
    pairs: PairsOf = "all"
    """Every two networks, or each with the first."""


@dataclass(frozen=True, eq=False)
class Compared:
    """Networks side by side, and the report on them."""

    facts: SideBySide
    runs: Comparison | None
    """What the trainings of those among them wrote down that are runs; None where none is."""
    report: Report

    def document(self) -> dict[str, Any]:
        """What `--json` prints; shares are 0 … 1."""
        return side_by_side_document(self.facts, self.runs)


def comparable(networks: Sequence[Network], session: Session) -> tuple[Network, ...]:
    """The networks, all about the same data: what the session names, otherwise that of the first which brings its own.

    Arguments:
        networks: opened for images; two or more.
        session: its `data`, and where data sets lie.

    Returns:
        The same networks, in their order.

    Raises:
        RequestError: for a single network, without data, and where classes differ.
    """
    _check_classes(networks)
    if session.data is not None:
        return tuple(with_data(network, session.data, session) for network in networks)
    owner = next((network for network in networks if network.config is not None), None)
    if owner is None:
        names = some([network.name for network in networks])
        raise RequestError(f"none of {names} has images of its own; name a folder, a CSV or a data set with `data`")
    if isinstance(owner, RunNetwork):
        check_there(owner.run, owner.config, session.place)
    return tuple(network if network is owner else with_data_of(network, owner, session) for network in networks)


def compare_networks(networks: Sequence[Network], session: Session, options: SideBySideOptions) -> Compared:
    """Set networks side by side on the same images, each of which is prepared for each network in its own way.

    Nothing is written, but that a run's own test part was opened.

    Arguments:
        networks: two or more, about the same data (`comparable`).
        session: where that lies.
        options: the part, and which pairs.

    Returns:
        Each network's accuracy, calibration and cost, pairs with McNemar's exact test and an interval of the
        difference, and the images on which they differ most; with a report.

    Raises:
        RequestError: where the data is not there, or classes differ.
        WorkError: where a network's answers are NaN or infinite.

    Example:
        >>> from torch import nn
        >>> from cnnlab.network.given_data import given_data
        >>> from cnnlab.network.open import open_network
        >>> session, networks = Session(device_name="cpu"), []
        >>> for _ in range(2):
        ...     module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
        ...     network = open_network(module, session, for_images=True, size="3,8,8", classes="a,b")
        ...     images = torch.zeros(5, 3, 8, 8, dtype=torch.uint8)
        ...     asked = given_data(images, list("ababa"), network.preparation, classes=network.classes)
        ...     networks.append(replace(network, asked=asked))
        >>> compare_networks(networks, session, SideBySideOptions()).facts.n
        5
    """
    opened = [network for network in networks if isinstance(network, RunNetwork)]
    for network in opened:
        refuse_links(network.run.path / TEST_EVALUATIONS)  # before a test part is opened, which is noted there
        remove_parts(network.run.path)
    _check_classes(networks)
    images = _Images(session, options.split)
    found: list[Contestant] = []
    labels, shown, classes = torch.empty(0), None, ()
    for network, name in session.track(zip(networks, labels_of(networks), strict=True), "networks", len(networks)):
        dataset = images.of(network)
        network = network.named_by(dataset)
        if shown is None:
            shown, labels, classes = dataset, dataset.labels, network.classes
        order = _order(classes, network, networks[0])
        if not torch.equal(order.argsort()[dataset.labels], labels):
            raise WorkError(f"the images of {dataset.name} have changed while they were read")
        logits = predictions_of(network, dataset).logits[:, order]
        found.append(_contestant(network, name, logits, dataset, options.split, session))
    assert shown is not None
    split = networks[0].named_part(options.split)
    facts = set_side_by_side(found, labels, classes=classes, split=split, pairs=options.pairs)
    if options.split == "test":
        facts = _noted(facts, networks, session)
    runs = {network.run.path: network.run for network in opened}
    trained = trainings(list(runs.values()), session) if runs else None
    return Compared(facts, trained, side_by_side_report(facts, trained, images=shown.images, paths=shown.paths))


def folder_of(networks: Sequence[Network], split: str, session: Session, *, out: Path | None = None) -> Path:
    """Where a comparison is written: `out`, or `RUNS/compare/NAMES-SPLIT`.

    Raises: RequestError where a link stands in its way.
    """
    names = "-".join(network.file_name for network in networks)[:LONGEST].strip("-.")
    folder = session.folder(f"compare/{names}-{networks[0].named_part(split)}", out=out)
    refuse_links(folder)
    return folder


def labels_of(networks: Sequence[Network]) -> tuple[str, ...]:
    """A name for each network that no other has: with its weights, or else a number, where two are called the same."""
    names = [network.name for network in networks]
    for number, network in enumerate(networks):
        detail = _which(network)
        if [one.name for one in networks].count(network.name) > 1 and detail:
            names[number] = f"{network.name} ({detail})"
    return tuple(
        f"{name} ({names[:number].count(name) + 1})" if names.count(name) > 1 else name
        for number, name in enumerate(names)
    )


def _which(network: Network) -> str:
    if isinstance(network, RunNetwork):
        return network.which
    return "" if network.weights_file is None else network.weights_file.name


class _Images:
    """The same images for each network; what two in succession read alike is read once."""

    def __init__(self, session: Session, split: SplitName) -> None:
        self.place, self.split = session.place, split
        self.last: tuple[Any, Dataset] | None = None

    def of(self, network: Network) -> Dataset:
        """The images as the network takes them."""
        asked = network.asked
        if isinstance(asked, AskedData):
            key = _key(asked.section, asked.seed)
            return asked.taken(self._read(key, lambda: asked.read(self.split, self.place)))
        if asked is None and isinstance(network, RunNetwork):
            run, config = network.run, network.config
            key = _key(config.data, config.split_seed, config.data.take)
            return network.fitted(self._read(key, lambda: evaluation_images(run, config, self.split, self.place)))
        return network.part(self.split, self.place)

    def _read(self, key: Any, read: Callable[[], Dataset]) -> Dataset:
        if self.last is None or self.last[0] != key:
            self.last = key, read()
        return self.last[1]


def _key(data: Data, seed: int, take: int | None = None) -> Any:
    """What parts follow from."""
    return data.identity, seed, take


def _count(network: Network) -> int | None:
    """How many classes it tells apart, where that is known."""
    return len(network.classes) or (None if network.logits is None else max(2, network.logits))


def _check_classes(networks: Sequence[Network]) -> None:
    """Refuse fewer than two networks, and networks of other classes, as far as they are known.

    Raises: RequestError with both.
    """
    if len(networks) < 2:
        named = f"one network, {networks[0].name}," if networks else "no network"
        raise RequestError(f"{named} compares with nothing: name two or more")
    first = networks[0]
    for other in networks[1:]:
        counts = _count(first), _count(other)
        known = bool(first.classes and other.classes)
        if (None not in counts and counts[0] != counts[1]) or (
            known and numbers_by_name(first.classes, other.classes) is None
        ):
            raise _other_classes(first, other)


def _other_classes(first: Network, other: Network) -> RequestError:
    def said(network: Network) -> str:
        names = f" ({some(network.classes, SHOWN)})" if network.classes else ""
        return f"{network.name} tells {_count(network)} classes apart{names}"

    return RequestError(
        f"only networks of the same classes can be compared: {said(first)}, {said(other)}; "
        "`classes` names those of a network that is no run"
    )


def _order(classes: tuple[str, ...], network: Network, first: Network) -> Tensor:
    """Of each of `classes`, those of the first network, which of the network's logits is for it.

    Raises: RequestError where its classes are others.
    """
    numbers = numbers_by_name(classes, network.classes)
    if numbers is None or len(numbers) != len(network.classes):
        raise _other_classes(first, network)
    return torch.tensor(numbers)


def _contestant(
    network: Network, name: str, logits: Tensor, dataset: Dataset, split: SplitName, session: Session
) -> Contestant:
    run = walked(network.model, network.shape, follow=False, count=True)
    return Contestant(
        name=name,
        weights=network.weights,
        trained=network.trained,
        shape=network.shape,
        preparation=network.preparation.sentence,
        cost=Cost(
            parameters=sum(parameter.numel() for parameter in network.model.parameters()),
            macs=run.macs if run.failure is None else None,
            macs_at_least=bool(run.uncounted),
        ),
        logits=logits,
        learned=learned_of(network, dataset, split, session) if isinstance(network, RunNetwork) else 0,
    )


def _noted(facts: SideBySide, networks: Sequence[Network], session: Session) -> SideBySide:
    """`facts`, with a note in each run whose own test part was opened, and how often that has happened."""
    noted = []
    for scored, network in zip(facts.networks, networks, strict=True):
        if isinstance(network, RunNetwork) and asks_its_own(network, session):
            count = note_test_opened(network, scored.facts)
            scored = replace(scored, contestant=replace(scored.contestant, test_evaluations=count))
        noted.append(scored)
    return replace(facts, networks=tuple(noted))
