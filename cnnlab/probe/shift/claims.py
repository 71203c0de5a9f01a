"""What is said of networks whose images move, judged by their answers."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cnnlab.probe.shift.answers import Answers
from cnnlab.probe.shift.facts import ShiftedNetwork
from cnnlab.stats.bounded import bounded_mean
from cnnlab.stats.claim import Claim, claim_above
from cnnlab.stats.confidence import MeanInterval


def drop(found: Answers, most: int) -> Float[Tensor, "n"]:
    """How much of each image's being right is lost by the largest shift, over its four directions: −1 … 1."""
    far = found.right[found.at(most) + found.at(-most)].double().mean(0)
    return found.right[0].double() - far


def flips(found: Answers, pixels: int) -> Float[Tensor, "n"]:
    """The share of the four shifts by `pixels` after which each image has another answer."""
    return found.flipped[found.at(pixels) + found.at(-pixels)].double().mean(0)


def claims_of(
    networks: Sequence[ShiftedNetwork], found: Mapping[str, Answers], most: int, seed: int
) -> tuple[Claim, ...]:
    """The sentences that these networks can say something of.

    Arguments:
        networks: in the order in which they were asked for.
        found: their answers, by label.
        most: pixels of the largest shift.
        seed: of the intervals.
    """
    return (
        *_one_pixel(networks, found, seed),
        *_kinds(networks, found, most, seed),
        *_shown_moved(networks, found, most, seed),
        *_altered(networks, found, seed),
    )


def _one_pixel(networks: Sequence[ShiftedNetwork], found: Mapping[str, Answers], seed: int) -> Iterator[Claim]:
    for one in networks:
        if one.kind == "convolutional" and not one.altered:
            yield claim_above(
                "A shift by one pixel can change the answer, pooling or not",
                "19.3",
                f"answers of {one.label} that change by 1 px",
                bounded_mean(flips(found[one.label], 1), low=0.0, high=1.0, seed=seed),
                form=".1%",
            )


def _kinds(networks: Sequence[ShiftedNetwork], found: Mapping[str, Answers], most: int, seed: int) -> Iterator[Claim]:
    plain = [one for one in networks if not one.altered]
    shared = next((one for one in plain if one.kind == "convolutional"), None)
    if shared is None:
        return
    for one in plain:
        if one.kind != "convolutional":
            yield claim_above(
                f"A {one.kind} network loses more by a shift than a convolutional one",
                "19.1",
                f"accuracy lost by {most} px, {one.label} less {shared.label}",
                _difference(drop(found[one.label], most), drop(found[shared.label], most), 2.0, seed),
                form=".1%",
            )


def _shown_moved(
    networks: Sequence[ShiftedNetwork], found: Mapping[str, Answers], most: int, seed: int
) -> Iterator[Claim]:
    """Networks of one kind, with as many parameters, of which one has seen its training images moved."""
    plain = [one for one in networks if not one.altered]
    for one in plain:
        other = next((o for o in plain if (o.kind, o.parameters) == (one.kind, one.parameters) and o.shown_moved), None)
        if other is not None and not one.shown_moved:
            yield claim_above(
                f"To move the training images makes a {one.kind} network lose less",
                "19.1, 19.3",
                f"accuracy lost by {most} px, {one.label} less {other.label}",
                _difference(drop(found[one.label], most), drop(found[other.label], most), 2.0, seed),
                form=".1%",
            )


def _altered(networks: Sequence[ShiftedNetwork], found: Mapping[str, Answers], seed: int) -> Iterator[Claim]:
    for one in networks:
        if one.changes == ("pool",):
            before = found[one.name]
            yield claim_above(
                "A blur before subsampling makes answers steadier, with the same weights",
                "19.3",
                f"answers that change by 1 px, {one.name} less {one.label}",
                _difference(flips(before, 1), flips(found[one.label], 1), 1.0, seed),
                form=".1%",
            )


def _difference(ours: Float[Tensor, "n"], theirs: Float[Tensor, "n"], most: float, seed: int) -> MeanInterval:
    """`ours` less `theirs`, of the same images; `most`: by how much they can differ of one image."""
    return bounded_mean(ours - theirs, low=-most, high=most, seed=seed)


def mean_over(found: Answers, what: Tensor, pixels: int) -> Float[Tensor, "n"]:
    """Of each image the mean of `what` (shifts, n) over the shifts by `pixels` along either axis."""
    part: Tensor = torch.as_tensor(what)[found.at(pixels)].double().mean(0)
    return part
