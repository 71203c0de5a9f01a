"""`cnnlab probe shift`: the answers of networks to the same images, moved by a few pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import Dataset
from cnnlab.network.asked_data import counted
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.probe.alteration import Alteration, alteration_of
from cnnlab.probe.shift.answers import Answers, answers, kind_of
from cnnlab.probe.shift.claims import claims_of, drop, mean_over
from cnnlab.probe.shift.facts import AtShift, ShiftedNetwork, ShiftFacts
from cnnlab.probe.shift.windows import BORDERS, Border
from cnnlab.runs.images import fixed_sample
from cnnlab.stats.bounded import bounded_mean
from cnnlab.stats.confidence import MeanInterval, wilson_interval


@dataclass(frozen=True, eq=False)
class _Asked:
    """A network, and the images as it takes them."""

    network: Network
    split: str
    images: Dataset


def shift(
    networks: Sequence[Network],
    session: Session,
    *,
    split: Literal["train", "validation"] | None = None,
    count: int = 1000,
    max_shift: int = 4,
    border: Border = "reflect",
    what_if: Sequence[str] = (),
) -> Iterator[Advance | ShiftFacts]:
    """Measure accuracy and changed answers against shifts of the image, of one network or of several side by side.

    Arguments:
        networks: opened for images, with the same classes.
        session: the seed of the choice of images, and how many pass at a time.
        split: the part of the data; by default what was held out.
        count: images, at most; the same ones for all networks.
        max_shift: pixels; every shift up to it is made, down, up, to the right and to the left.
        border: what comes in at the border.
        what_if: each network once more with the same weights and such a change (`pool=blur_pool`); one that it changes
            nothing in is asked as it is alone.

    Yields:
        How far the images are, and at last the facts.

    Raises:
        RequestError: for a shift that leaves nothing of an image, other images for each network, and changes that are
            none, or that change no network.
        WorkError: where answers are NaN or infinite.

    Example:
        session = Session()
        *_, facts = shift([open_run("cifar", session)], session, what_if=["pool=blur_pool"])
        print(facts.networks[0].flips[1].mean)
    """
    ways = [alteration_of(text) for text in what_if]
    if border not in BORDERS:
        raise RequestError(f"`border` is '{border}', expected {', '.join(BORDERS)}")
    asked = [_asked(one, session, split, count) for one in networks]
    _check(asked, max_shift)
    batches = [-(-len(one.images) // session.max_batch) for one in asked]
    done, total = 0, sum(batches) * (1 + len(ways)) * (4 * max_shift + 1)
    made: list[ShiftedNetwork] = []
    found: dict[str, Answers] = {}
    refused: list[RequestError] = []
    names = _names(networks)
    for one, name, passes in zip(asked, names, batches, strict=True):
        for way in (Alteration(), *ways):
            steps = answers(
                one.network,
                one.images.images,
                one.images.labels,
                most=max_shift,
                border=border,
                alteration=way,
                batch=session.max_batch,
            )
            began = done
            try:
                for step in steps:
                    if isinstance(step, Answers):
                        made.append(_measured(one.network, name, way, step, max_shift, session.seed))
                        found[made[-1].label] = step
                    else:
                        done += step
                        yield Advance("moving images", done, total)
            except RequestError as error:
                refused.append(error)
            done = began + passes * (4 * max_shift + 1)
            yield Advance("moving images", done, total)
    for way in ways:
        if not any(one.altered == way.words for one in made):
            raise refused[0]
    yield ShiftFacts(
        networks=tuple(made),
        images=counted(len(asked[0].images), asked[0].split),
        count=len(asked[0].images),
        most=max_shift,
        border=BORDERS[border],
        drops={
            label: bounded_mean(drop(one, max_shift), low=-1.0, high=1.0, seed=session.seed)
            for label, one in found.items()
        },
        claims=claims_of(made, found, max_shift, session.seed),
    )


def _asked(network: Network, session: Session, split: Literal["train", "validation"] | None, count: int) -> _Asked:
    if network.activation == "sigmoid" and network.logits != 1:
        raise RequestError(
            f"`activation` is sigmoid, so each class of {network.name} is a question of its own, and it has no one "
            "answer that could change"
        )
    place = session.place
    part, whole = network.held_out(place) if split is None else (split, network.part(split, place))
    network = network.named_by(whole)
    return _Asked(network, network.named_part(part), fixed_sample(whole, count, session.seed, "shift"))


def _check(asked: Sequence[_Asked], most: int) -> None:
    """Refuse networks that cannot be compared, and shifts that leave nothing of an image."""
    first = asked[0]
    for one in asked:
        side = min(one.network.shape[1:])
        if not 1 <= most < side:
            raise RequestError(f"`max_shift` is {most}: expected 1 to {side - 1} pixels, for {one.network.name}")
        if len(one.images) != len(first.images) or not bool((one.images.labels == first.images.labels).all()):
            raise RequestError(
                f"{first.network.name} and {one.network.name} have other images to be asked about; name the same ones "
                "for all with `data`"
            )


def _names(networks: Sequence[Network]) -> list[str]:
    """Their names; those that are alike with a number."""
    names = [one.name for one in networks]
    return [name if names.count(name) == 1 else f"{name} ({n})" for n, name in enumerate(names, 1)]


def _measured(network: Network, name: str, way: Alteration, found: Answers, most: int, seed: int) -> ShiftedNetwork:
    n = len(found.labels)
    right, flipped = found.right, found.flipped
    shifts = []
    for number, (down, across) in enumerate(found.moves):
        hits, other = int(right[number].sum()), int(flipped[number].sum())
        shifts.append(AtShift(down, across, hits / n, wilson_interval(hits, n), other / n, wilson_interval(other, n)))
    always = int(right.all(0).sum())

    def means(what: Tensor) -> dict[int, MeanInterval]:
        return {
            pixels: bounded_mean(mean_over(found, what, pixels), low=0.0, high=1.0, seed=seed)
            for pixels in range(-most, most + 1)
        }

    augment = () if network.config is None else network.config.data.augment
    return ShiftedNetwork(
        name=name,
        altered=way.words if way.aspects else "",
        changes=way.aspects,
        kind=kind_of(network.model),
        shown_moved=any(getattr(one.build(classes=len(network.classes)), "moves", False) for one in augment),
        parameters=sum(parameter.numel() for parameter in network.model.parameters()),
        shifts=tuple(shifts),
        by_pixels=means(right),
        flips=means(flipped),
        consistency=bounded_mean(found.consistent, low=0.0, high=1.0, seed=seed),
        always_right=always / n,
        always_right_interval=wilson_interval(always, n),
    )
