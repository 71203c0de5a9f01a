"""Networks that are inspected: those bound to one size of image, claims, and units."""

from pathlib import Path

import pytest
from networks import network_of

from cnnlab.config.config import check_config
from cnnlab.core.errors import RequestError
from cnnlab.core.yaml import parse
from cnnlab.network.described import shape_for
from cnnlab.network.fresh import new_network
from cnnlab.network.network import Network
from cnnlab.receptive_field.probe import verification
from cnnlab.receptive_field.run import claim, inspect, unit_box, unit_of

BOUND = """
model:
  - locally_connected: {channels: 4, kernel: 5, stride: 2}
  - conv: {channels: 4, kernel: 3}
  - flatten
  - linear
"""


def named(text: str, size: int = 16) -> Network:
    config = check_config(parse(text, "net.yaml"), [], default_name="net", base=Path())
    return network_of(new_network(config, (3, size, size), 3), (3, size, size))


def test_a_network_bound_to_one_size_is_read_at_that_size() -> None:
    inspection = inspect(named(BOUND))
    assert all(canvas.failure is not None for canvas in inspection.fields.canvases)
    field = inspection.field("conv1")
    assert (field.size, field.stride, field.padding) == ((9, 9), (2, 2), (4, 4))
    assert inspection.field("linear1").is_global
    *_, proof = verification(inspection.network.model, inspection.fields.walk)
    assert proof.proven


def test_claims_hold_on_every_axis_or_not_at_all() -> None:
    inspection = inspect(named(BOUND))
    assert claim(inspection, "  conv1.size >= 9 ").holds
    assert not claim(inspection, "conv1.stride > 2").holds
    with pytest.raises(RequestError, match="the layer is global, it has no stride"):
        claim(inspection, "linear1.stride>1")
    with pytest.raises(RequestError, match="expected LAYER"):
        claim(inspection, " " * 100_000 + "x")  # at once


def test_boxes_of_corner_units_are_clipped() -> None:
    inspection = inspect(named(BOUND))
    assert unit_box(inspection, "conv1", (0, 7)) == ((0, 7), (0, 4), (10, 15))
    assert unit_box(inspection, "conv1", None)[0] == (4, 4)


@pytest.mark.parametrize(("text", "unit"), [("3,4", (3, 4)), (" 0 , 12 ", (0, 12))])
def test_units(text: str, unit: tuple[int, int]) -> None:
    assert unit_of(text) == unit


@pytest.mark.parametrize(
    ("text", "shape"), [("64", (3, 64, 64)), ("64,48", (3, 64, 48)), ("1,64,48", (1, 64, 48)), ("64x48", (3, 64, 48))]
)
def test_sizes(text: str, shape: tuple[int, ...]) -> None:
    assert shape_for(text, (3, 8, 8)) == shape
