"""The effective receptive field beside the theoretical one: numbers, the map with its contours, the mass curve."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnlab.receptive_field.effective.field import EffectiveField
from cnnlab.receptive_field.effective.measures import Measures
from cnnlab.view.blocks import Block, Column, Figure, Number, Numbers, Section, Table, Text
from cnnlab.view.drawings import Curves, Series
from cnnlab.view.scenes import Box, Contour, Scene


@dataclass(frozen=True, eq=False)
class EffectiveFacts:
    """One layer's effective field, and what it was found with."""

    layer: str
    field: EffectiveField
    measures: Measures
    box: tuple[tuple[int, int], tuple[int, int]]
    """The theoretical box of the unit, clipped: (first, last) rows and columns."""
    samples: str
    """What was averaged, such as `32 validation images` or `16 networks of random weights`."""
    contours: tuple[tuple[float, float], ...]
    """(share, level): the heights of `smooth` above which 50, 90 and 95 % of it lie."""
    smooth: NDArray[np.float64]
    """The influence without the noise of single pixels, for the contours: few samples leave much."""


def effective_section(facts: EffectiveFacts) -> Section:
    """Everything about it."""
    found = facts.measures
    fit = found.gaussian
    side = found.extent.side if found.extent else None
    numbers = Numbers(
        (
            Number("effective side", side, ".1f", "px", "pixels above 4.55 % of the centre's influence, √count"),
            Number("of the theoretical", found.ratio, ".0%", detail=_theoretical(found)),
            Number(
                "Gaussian", fit.sigma_h, ".2f", "px",
                f"σ vertical; {fit.sigma_w:.2f} horizontal" + _fitted(fit.r_squared, fit.orientation),
            ),
        )
    )  # fmt: skip
    shares = Table(
        "How the influence is spread",
        (Column("share", "", "right", ".0%"), Column("centred square", "px", "right", "g"),
         Column("fewest pixels", "", "right", ",d")),
        tuple((one.share, one.square, one.pixels) for one in found.holdings),
        "The smallest square about the centre, and the smallest set of pixels, that hold this share of the influence.",
        "effective_mass",
    )  # fmt: skip
    scores = Table(
        "High-contribution area (Ding et al. 2022)",
        (Column("share", "", "right", ".0%"), Column("of the map itself", "", "right", ".1%"),
         Column("of its logarithm, as in the paper", "", "right", ".1%")),
        tuple((a.share, a.area, b.area) for a, b in zip(found.linear_scores, found.log_scores, strict=True)),
        "The part of the image that the smallest centred square with more than this share covers. The paper measures "
        "the share on log₁₀(influence + 1), which makes faint influence count more.",
        "effective_area",
    )  # fmt: skip
    blocks: list[Block] = [numbers]
    if found.extent and found.extent.reaches_border:
        blocks.append(Text("It reaches the border: on a larger image it may be larger.", "caution"))
    blocks += [_map(facts), _curve(found), shares, scores]
    return Section(f"Effective field of {facts.layer or 'the output'}, {facts.samples}", tuple(blocks))


def _theoretical(found: Measures) -> str:
    if found.theoretical is None:
        return "whose field is the whole image" if found.ratio is None else ""
    height, width = found.theoretical
    return f"{height} × {width} px"


def _fitted(r_squared: float | None, orientation: float | None) -> str:
    words = "" if r_squared is None else f", R² {r_squared:.3f}"
    return words + ("" if orientation is None else f", {orientation:.0f}°")


def _map(facts: EffectiveFacts) -> Figure:
    values = facts.field.influence.numpy()
    height, width = values.shape
    (top, bottom), (left, right) = facts.box
    scene = Scene(
        (height, width),
        heat=values,
        heat_label="mean |gradient| of the unit",
        heat_scale="positive",
        boxes=(Box("theoretical field, clipped", top, bottom, left, right),),
        contours=contours_of(facts),
        interpolation="nearest",
    )
    where = facts.layer or "the output"
    return Figure(
        "effective_field",
        f"What a unit of {where} really responds to",
        scene,
        f"Over {facts.samples}; contours of the map smoothed by a Gaussian of a few pixels.",
    )


def contours_of(facts: EffectiveFacts) -> tuple[Contour, ...]:
    """The lines inside which 50, 90 and 95 % of the influence lie."""
    return tuple(
        Contour(facts.smooth, level, f"{share:.0%} of the influence", colour=place + 1)
        for place, (share, level) in enumerate(facts.contours)
        if level > 0
    )


def _curve(found: Measures) -> Figure:
    x = tuple(one.square for one in found.curve)
    return Figure(
        "effective_curve",
        "Influence inside a centred square",
        Curves(
            (Series("share of the influence", x, tuple(one.share for one in found.curve)),),
            "side of the square (px)",
            "share of the influence (%)",
            percent=True,
            y_range=(0.0, 1.0),
        ),
    )


def effective_json(facts: EffectiveFacts) -> dict[str, object]:
    """`--json`."""
    found = facts.measures
    return {
        "layer": facts.layer,
        "samples": facts.samples,
        "unit": facts.field.unit.position,
        "side": found.extent.side if found.extent else None,
        "pixels": found.extent.pixels if found.extent else None,
        "reaches_border": found.extent.reaches_border if found.extent else None,
        "theoretical": found.theoretical,
        "ratio": found.ratio,
        "gaussian": found.gaussian,
        "mass": found.holdings,
        "linear_scores": found.linear_scores,
        "log_scores": found.log_scores,
    }
