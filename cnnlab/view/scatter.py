"""Points in the plane in groups, as data: what a cloud of points shows is which groups keep apart."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cloud:
    """The points of one group.

    Raises: ValueError where x and y are not of equal number.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(f"cloud {self.name!r}: {len(self.x)} places across and {len(self.y)} upwards")


@dataclass(frozen=True)
class Scatter:
    """Clouds in one plane whose axes have the same unit, drawn to the same scale.

    Raises: ValueError without a point.
    """

    clouds: tuple[Cloud, ...]
    x_label: str
    y_label: str

    def __post_init__(self) -> None:
        if not any(cloud.x for cloud in self.clouds):
            raise ValueError("a scatter without points")
