"""The measures of one method as means over the images, each with its bootstrap interval."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from cnnlab.attribution.measures.curves import Curves
from cnnlab.attribution.measures.images import ImageScores
from cnnlab.core.seeds import derive_seed
from cnnlab.stats.confidence import MeanInterval, bootstrap_mean


@dataclass(frozen=True, eq=False)
class CurveSummary:
    """Deletion and insertion with one kind of unit removed."""

    unit: str
    """"pixels", or such as "blocks of 4×4"."""
    deletion: MeanInterval
    """Area, 0 … 1: small is good."""
    insertion: MeanInterval
    """Area, 0 … 1: large is good."""
    gain: MeanInterval
    """Insertion − deletion."""
    fractions: Float[Tensor, "s"]
    """Mean over the images of the removed part …"""
    deletion_curve: Float[Tensor, "s"]
    """Mean over the images of the probability at that part."""
    insertion_curve: Float[Tensor, "s"]


@dataclass(frozen=True)
class RoadSummary:
    """ROAD over its percentiles."""

    morf: MeanInterval
    """Probability without the most relevant pixels: small is good."""
    lerf: MeanInterval
    """Probability without the least relevant pixels: large is good."""
    combined: MeanInterval
    """(LeRF − MoRF)/2: large is good, 0 says nothing."""


@dataclass(frozen=True)
class PlaceSummary:
    """Means of where the evidence lies, over the maps that have any, and None where no map has."""

    empty: int
    """Maps without positive evidence: they are in none of these means, but for `pointing`."""
    flat: int
    """Maps that prefer no pixel to another: their pixels went in random order, and they miss in the pointing game."""
    border: MeanInterval | None
    corner: MeanInterval | None
    top: MeanInterval | None
    """Share in the strongest tenth of the pixels."""
    gini: MeanInterval | None
    inside: MeanInterval | None
    """None also without masks."""
    pointing: MeanInterval | None
    """Share of the peaks that meet the object, over all maps; None without masks."""

    @property
    def note(self) -> str | None:
        """What is to be said of maps without evidence; None where each has some."""
        said = []
        if self.empty:
            said.append(f"{self.empty} map{'s have' if self.empty > 1 else ' has'} no positive evidence")
        if self.flat:
            said.append(f"{self.flat} the same value everywhere, so that the pixels went in random order")
        return ", ".join(said) or None


@dataclass(frozen=True, eq=False)
class MapSummary:
    """One method, or control, over a set of images. Intervals are of 95 %, over the images."""

    name: str
    control: bool
    pixels: CurveSummary
    blocks: CurveSummary
    drop: MeanInterval
    """Average drop, 0 … 1: small is good."""
    increase: MeanInterval
    """Share of the images whose probability rises: large is good."""
    road: RoadSummary | None
    place: PlaceSummary
    images: ImageScores
    """What these are means of."""


def summarize(name: str, scores: ImageScores, *, control: bool, seed: int) -> MapSummary:
    """Means with intervals; every measure draws the same images, since they all come from one `seed`."""
    seed = derive_seed(seed, "bootstrap")
    return MapSummary(
        name=name,
        control=control,
        pixels=_curves(scores.pixels, "pixels", seed),
        blocks=_curves(scores.blocks, f"blocks of {scores.block}×{scores.block}", seed),
        drop=bootstrap_mean(scores.drop.drop, seed=seed),
        increase=bootstrap_mean(scores.drop.increase, seed=seed),
        road=None
        if scores.road is None
        else RoadSummary(
            bootstrap_mean(scores.road.morf.mean(1), seed=seed),
            bootstrap_mean(scores.road.lerf.mean(1), seed=seed),
            bootstrap_mean(scores.road.combined, seed=seed),
        ),
        place=_place(scores, seed),
        images=scores,
    )


def _curves(found: Curves, unit: str, seed: int) -> CurveSummary:
    return CurveSummary(
        unit,
        bootstrap_mean(found.deletion_area, seed=seed),
        bootstrap_mean(found.insertion_area, seed=seed),
        bootstrap_mean(found.gain, seed=seed),
        found.fractions.mean(0),
        found.deletion.mean(0),
        found.insertion.mean(0),
    )


def _place(scores: ImageScores, seed: int) -> PlaceSummary:
    where = scores.placed

    def mean(values: Tensor | None) -> MeanInterval | None:
        if values is None or not bool(where.evident.any()):
            return None
        return bootstrap_mean(values[where.evident], seed=seed)

    return PlaceSummary(
        empty=int((~where.evident).sum()),
        flat=int((~where.varied).sum()),
        border=mean(where.border),
        corner=mean(where.corner),
        top=mean(where.top),
        gini=mean(where.gini),
        inside=mean(where.inside),
        pointing=None if where.hit is None else bootstrap_mean(where.hit, seed=seed),
    )
