"""`cnnlab visualize filters`: the filters of a convolution, measured against filters that learned nothing."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from cnnlab.core.advance import Advance
from cnnlab.core.seeds import derive_seed
from cnnlab.inside.filters.bank import FilterFacts, NullBank, against_null, bank, fit_evidence
from cnnlab.inside.filters.families import SMALLEST
from cnnlab.inside.filters.layer import (
    SIZE,
    colour_patterns,
    frequencies,
    frequency_response,
    random_filters,
)
from cnnlab.inside.filters.measure import MeasuredFilter, measure
from cnnlab.models.data_dependent import begin_as
from cnnlab.models.filters import convolution_filters
from cnnlab.network.network import Network
from cnnlab.network.session import Session

BINS = 16
"""Bins of spatial frequency, 0 … ½ cycle per pixel."""


def measured_filters(
    network: Network, session: Session, *, layer: str | None = None, random: int = 64
) -> Iterator[Advance | FilterFacts]:
    """Measure the filters of a convolution, and beside them filters that learned nothing.

    These are random ones, and where the network is trained the same layer as it was before: from the config's own seed
    for a run, otherwise from seed 0.

    Arguments:
        network: on the CPU.
        session: the seed of the random filters and of the intervals.
        layer: the convolution's name; by default the first with filters of at least 3×3.
        random: how many random filters of the same shape.

    Yields:
        How far the fits are; at last the facts.

    Raises:
        RequestError: for a name that is no convolution, and for filters smaller than 3×3.

    Example:
        *_, facts = measured_filters(open_network("quickstart", session), session)
        print(facts.bank.shares)
    """
    seed = session.seed
    name, weights = convolution_filters(network.model, layer, smallest=SMALLEST)
    twin = _untrained(network)
    sets: dict[str, Tensor] = {"these": weights}
    if twin is not None:
        sets["untrained"] = convolution_filters(twin[0], name)[1]
    channels, height, width = weights.shape[1:]
    sets["random"] = random_filters((channels, height, width), count=random, seed=derive_seed(seed, "random filters"))
    words = {"untrained": twin[1] if twin else "", "random": f"{random} filters of random weights (seed {seed})"}
    total = sum(map(len, sets.values()))
    found: dict[str, list[MeasuredFilter]] = {}
    done = 0
    for which, some in sets.items():
        found[which] = []
        for one in measure(some):
            found[which].append(one)
            done += 1
            yield Advance("fitting", done, total)
    ours = found["these"]
    yield FilterFacts(
        model=network.name,
        trained=network.trained,
        layer=name,
        weights=weights,
        patterns=colour_patterns(weights).patterns,
        filters=tuple(ours),
        bank=bank(ours),
        evidence=fit_evidence(int(height), int(width)),
        nulls=tuple(
            NullBank(
                which,
                words[which],
                bank(found[which]),
                against_null(ours, found[which], seed=derive_seed(seed, "bootstrap", which)),
                _radial(sets[which]),
            )
            for which in sets
            if which != "these"
        ),
        frequencies=tuple(float(f) for f in (torch.arange(BINS) + 0.5) / (2 * BINS)),
        gains=_radial(weights),
    )


def _untrained(network: Network) -> tuple[nn.Module, str] | None:
    """The network before its training and what it is, in words; None where it has learned nothing."""
    if not network.trained or network.fresh is None:
        return None
    if network.run is not None and network.config is not None:
        seed = network.config.seed
        twin = network.fresh(seed)
        begin_as(twin, network.model.state_dict())
        return twin, f"the same layer before the training (seed {seed})"
    return network.fresh(0), "the same layer with random weights (seed 0)"


def _radial(weights: Tensor) -> tuple[float, ...]:
    """The mean gain of all filters by spatial frequency, each as a share of its own peak, 0 … 1."""
    patterns = colour_patterns(weights).patterns
    size = max(SIZE, *patterns.shape[1:])
    response = frequency_response(patterns, size=size)
    peaks = response.amax((1, 2), keepdim=True)
    mean = torch.where(peaks > 0, response / peaks.clamp_min(torch.finfo(peaks.dtype).tiny), 0.0).mean(0)
    axis = frequencies(size)
    ring = (torch.hypot(axis[:, None], axis[None, :]) * 2 * BINS).long()
    return tuple(float(mean[ring == number].mean()) for number in range(BINS))
