"""What was found of the loss around a network's weights."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cnnlab.landscape.grid_file import Grid
from cnnlab.stats.claim import Claim, claim_above, claim_equal
from cnnlab.stats.confidence import MeanInterval, mean_interval

Statistics = Literal["retaken", "kept", "none"]
"""The running statistics of batch norm: taken anew at each place, those of the network, or there is no batch norm."""

LEAST_SHARE = 0.4
"""Of a path's squared distances in its plane: Li et al. 2018, section 7, found 40 to 90 %."""

FEWEST = 6
"""Epochs away from the network of which a claim speaks: two dimensions hold two fifths of any five."""

CHANCE = 0.9
"""Of the logarithm of the number of classes: a loss above it is that of a network that has learned little."""

FAR = 0.5
"""The distance at which networks are compared: each filter is moved by half its length."""


@dataclass(frozen=True)
class Line:
    """The loss along one random direction through the weights, both ways."""

    seed: int
    losses: tuple[tuple[float, float], ...]
    """At each distance (that way, the other way), in nats."""


@dataclass(frozen=True, eq=False)
class PathFacts:
    """The plane of the training's path."""

    grid: Grid
    epochs: tuple[int, ...]
    places: tuple[tuple[float, float], ...]
    shares: tuple[float, float]


@dataclass(frozen=True, eq=False)
class NetworkLandscape:
    """Of one network."""

    name: str
    weights: str
    statistics: Statistics
    augmented: bool
    """Whether the images over which statistics are retaken are augmented as in its training."""
    is_run: bool
    norms: int
    """How many layers of batch norm it has."""
    classes: int
    own_loss: float
    """With its own weights and statistics, in nats."""
    centre: float
    """With its own weights, and statistics as everywhere on the surface."""
    surface: Grid
    """Over two random directions."""
    distances: tuple[float, ...]
    lines: tuple[Line, ...]
    path: PathFacts | None
    has_path: bool
    """Whether the weights of its epochs are there, so that there is a path, measured or not."""

    @property
    def learned_little(self) -> bool:
        """Whether its loss is near that of a guess, so that what lies around it says nothing of a trained network."""
        return self.own_loss > CHANCE * math.log(self.classes)

    def rises(self, distance: float) -> tuple[float, ...]:
        """Of each random direction: by how much the loss has risen at `distance`, the mean of both ways, in nats."""
        place = self.distances.index(distance)
        return tuple(sum(line.losses[place]) / 2 - self.centre for line in self.lines)


@dataclass(frozen=True, eq=False)
class Landscape:
    """Of one network or several, on the same images and along the same draws."""

    networks: tuple[NetworkLandscape, ...]
    split: str
    images: int
    seed: int

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What these surfaces say of what is claimed."""
        found = []
        for one in self.networks:
            nearest = one.distances[0]
            found.append(
                claim_above(
                    f"Around the weights the loss rises, on average over directions ({one.name})",
                    "Li et al. 2018",
                    f"rise at distance {nearest:g} along {len(one.lines)} random directions, nats",
                    _mean(one.rises(nearest)),
                )
            )
            if one.path is not None:
                found.append(
                    claim_equal(
                        f"Two dimensions hold 40 % of a training's path or more ({one.name})",
                        "Li et al. 2018",
                        f"share of the squared distances from the weights, over {len(one.path.epochs)} epochs",
                        sum(one.path.shares) if len(one.path.epochs) > FEWEST else None,
                        to=1.0,
                        tolerance=1 - LEAST_SHARE,
                        form=".1%",
                    )
                )
        return (*found, *self._norm_claims())

    def _norm_claims(self) -> list[Claim]:
        with_norm = [one for one in self.networks if one.norms]
        without = [one for one in self.networks if not one.norms]
        return [
            claim_above(
                f"Batch norm makes the landscape smoother ({normed.name} against {bare.name})",
                "19.4",
                f"rise of the loss at distance {FAR:g} without batch norm, less that with it, nats",
                None
                if normed.learned_little or bare.learned_little
                else _mean([b - a for a, b in zip(normed.rises(FAR), bare.rises(FAR), strict=True)]),
            )
            for normed in with_norm
            for bare in without
        ]

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "title": "Loss landscape",
            "split": self.split,
            "images": self.images,
            "seed": self.seed,
            "networks": [_document(one) for one in self.networks],
            "claims": [claim.as_json() for claim in self.claims],
        }


def _mean(values: Sequence[float]) -> MeanInterval | None:
    finite = [value for value in values if abs(value) < float("inf") and value == value]
    return mean_interval(finite) if len(finite) == len(values) and finite else None


def _document(one: NetworkLandscape) -> Mapping[str, Any]:
    return {
        "model": one.name,
        "weights": one.weights,
        "statistics": one.statistics,
        "statistics_over": ("augmented images" if one.augmented else "images") if one.statistics == "retaken" else None,
        "own_loss": one.own_loss,
        "centre": one.centre,
        "surface": _grid(one.surface),
        "lines": {
            "distances": list(one.distances),
            "losses": [[list(pair) for pair in line.losses] for line in one.lines],
            "seeds": [line.seed for line in one.lines],
        },
        "path": None
        if one.path is None
        else {
            **_grid(one.path.grid),
            "epochs": list(one.path.epochs),
            "places": [list(place) for place in one.path.places],
            "shares": list(one.path.shares),
        },
    }


def _grid(grid: Grid) -> dict[str, Any]:
    return {"across": grid.across.tolist(), "along": grid.along.tolist(), "losses": grid.losses.tolist()}
