"""`cnnlab visualize filters`: the filters of a convolution, measured against filters that learned nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.inside.filters.bank import against_null, bank
from cnnlab.inside.filters.colour import colour_patterns
from cnnlab.inside.filters.evidence import fit_evidence
from cnnlab.inside.filters.facts import FilterFacts, NullBank
from cnnlab.inside.filters.frequency import SIZE, frequencies, frequency_response
from cnnlab.inside.filters.layer import convolution_filters, random_filters
from cnnlab.inside.filters.measure import MeasuredFilter, measure
from cnnlab.network.named import NamedModel, named_model
from cnnlab.network.preparation import OF_A_RUN
from cnnlab.network.trained import new_network
from cnnlab.network.weights_file import load_weights_file
from cnnlab.runs.folder import Run

BINS = 16
"""Of spatial frequency, 0 … ½ cycle per pixel."""


def filters_network(text: str, runs: Path, *, weights: str | None, allow_plugins: bool) -> NamedModel:
    """The network that `text` names, with its best or last weights, or those of a file; no picture is needed.

    Raises: RequestError where there is no such network or file, or the two do not fit each other.
    """
    which: Any = weights if weights in OF_A_RUN else "best"
    named = named_model(text, runs, weights=which, allow_plugins=allow_plugins)
    if weights is None or (named.run is not None and weights in OF_A_RUN):
        return named
    if named.run is not None:
        raise RequestError(f"--weights is '{weights}', and the run {named.name} has best and last")
    if weights in OF_A_RUN:
        raise RequestError(f"--weights {weights} is of a run, and {named.name} is none; give a file of weights")
    load_weights_file(named.model, Path(weights).expanduser())
    return replace(named, trained=True)


def measured_filters(
    named: NamedModel, *, layer: str | None, random: int, seed: int, allow_plugins: bool = False
) -> Iterator[Advance | FilterFacts]:
    """How far the fits are, a tenth of a second each; at last the facts of the convolution `layer`, or of the first.

    The nulls are `random` filters of the same shape from `seed`, and where the network is trained the same layer as
    it was before: from the config's own seed for a run, otherwise from seed 0.

    Raises: RequestError for a name that is no convolution, and for filters smaller than 3×3.
    """
    name, weights = convolution_filters(named.model, layer)
    twin = _untrained(named, allow_plugins)
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
        model=named.name,
        trained=named.trained,
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


def _untrained(named: NamedModel, allow_plugins: bool) -> tuple[nn.Module, str] | None:
    """The network before its training and what it is, in words; None where it has learned nothing."""
    if named.run is not None:
        run: Run = named.run
        config, data = run.config(allow_plugins=allow_plugins), run.record.data
        words = f"the same layer before the training (seed {config.seed})"
        return new_network(config, data.shape, len(data.classes)), words
    if named.trained and named.fresh is not None:
        return named.fresh(0), "the same layer with random weights (seed 0)"
    return None


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
