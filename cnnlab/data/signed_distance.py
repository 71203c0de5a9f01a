"""Signed distances to flat shapes: negative inside, 0 on the outline, positive outside.

Every shape is centred and about as large as the unit disc, so that distances are in units of its radius.
Source: Inigo Quilez, "2D distance functions", https://iquilezles.org/articles/distfunctions2d/ (polygon, segment
and disc are exact; the others are made of them).
"""

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Coordinates = Float[Tensor, "n h w"]
SignedDistance = Callable[[Coordinates, Coordinates], Coordinates]
"""(x, y) of points, in radii → their signed distances, in radii."""


def disc(x: Coordinates, y: Coordinates) -> Coordinates:
    """A filled circle."""
    return torch.hypot(x, y) - 0.88


def ring(x: Coordinates, y: Coordinates) -> Coordinates:
    """A circle drawn with a broad pen."""
    return (torch.hypot(x, y) - 0.72).abs() - 0.2


def pill(x: Coordinates, y: Coordinates) -> Coordinates:
    """Everything near a line segment."""
    return torch.hypot(x, (y.abs() - 0.68).clamp_min(0)) - 0.32


def crescent(x: Coordinates, y: Coordinates) -> Coordinates:
    """A disc without another one: exact but in the wake of its two horns, where it is a lower bound."""
    whole = torch.hypot(x - 0.1, y) - 0.98
    bite = torch.hypot(x - 0.58, y) - 0.76
    return torch.maximum(whole, -bite)


def polygon(vertices: Sequence[tuple[float, float]]) -> SignedDistance:
    """The signed distance to a closed polygon that does not cross itself, its vertices in either order."""

    def distance(x: Coordinates, y: Coordinates) -> Coordinates:
        away = [(x - corner_x, y - corner_y) for corner_x, corner_y in vertices]
        above = [from_y >= 0 for _, from_y in away]
        nearest = torch.full_like(x, math.inf)
        inside = torch.zeros_like(x, dtype=torch.bool)
        for k, (corner_x, corner_y) in enumerate(vertices):
            edge_x, edge_y = vertices[k - 1][0] - corner_x, vertices[k - 1][1] - corner_y
            from_x, from_y = away[k]
            along = (from_x * edge_x).add_(from_y, alpha=edge_y).div_(edge_x**2 + edge_y**2).clamp_(0, 1)
            off_x, off_y = from_x.sub(along, alpha=edge_x), from_y.sub(along, alpha=edge_y)
            nearest = torch.minimum(nearest, off_x.square_().addcmul_(off_y, off_y))
            # a ray to the right changes sides wherever it meets an edge
            left_of_edge = ((from_x * edge_y).sub_(from_y, alpha=edge_x) < 0) ^ (edge_y < 0)
            inside ^= (above[k] ^ above[k - 1]) & left_of_edge
        return nearest.sqrt_() * torch.where(inside, -1.0, 1.0)

    return distance


def _regular(corners: int, *radii: float) -> list[tuple[float, float]]:
    """Corners at equal angles from the top, their radii taken in turn."""
    angles = [math.tau * k / corners for k in range(corners)]
    return [(radii[k % len(radii)] * math.sin(a), radii[k % len(radii)] * math.cos(a)) for k, a in enumerate(angles)]


def _cross(arm: float, width: float) -> list[tuple[float, float]]:
    quarter = [(width, arm), (width, width), (arm, width)]
    points = []
    for _ in range(4):
        points += quarter
        quarter = [(y, -x) for x, y in quarter]
    return points


def _heart() -> SignedDistance:
    """Two discs over a tip, joined by the tangents from the tip; exact outside, and near the outline."""
    across, height, radius, tip = 0.47, 0.33, 0.47, -0.98
    reach = math.hypot(across, height - tip)
    turn = math.atan2(across, height - tip) + math.asin(radius / reach)
    length = math.sqrt(reach**2 - radius**2)
    touch_x, touch_y = length * math.sin(turn), tip + length * math.cos(turn)
    wedge = polygon([(0.0, tip), (touch_x, touch_y), (across, height), (-across, height), (-touch_x, touch_y)])

    def distance(x: Coordinates, y: Coordinates) -> Coordinates:
        return torch.minimum(torch.hypot(x.abs() - across, y - height) - radius, wedge(x, y))

    return distance


heart = _heart()
square = polygon([(0.75, 0.75), (0.75, -0.75), (-0.75, -0.75), (-0.75, 0.75)])
triangle = polygon(_regular(3, 1.08))
star = polygon(_regular(10, 1.08, 0.46))
cross = polygon(_cross(0.98, 0.3))
arrow = polygon([(0.0, 1.05), (0.8, 0.05), (0.28, 0.05), (0.28, -1.0), (-0.28, -1.0), (-0.28, 0.05), (-0.8, 0.05)])

SHAPES: dict[str, SignedDistance] = {
    "disc": disc,
    "ring": ring,
    "square": square,
    "triangle": triangle,
    "star": star,
    "cross": cross,
    "crescent": crescent,
    "heart": heart,
    "arrow": arrow,
    "pill": pill,
}
"""The classes of the data set `shapes`: ten outlines that stay apart under rotation, at some 12 pixels across."""
