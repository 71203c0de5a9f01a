"""Networks with gates: with them and without them, from the same walks, against pixels that are changed one by one."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.receptive_field.fields import Field, Fields, fields_with_and_without_gates, receptive_fields

SHAPE = (2, 13, 11)


class Squeeze(nn.Module):
    """Squeeze-and-excitation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def factor(self, x: Tensor) -> Tensor:
        return F.hardsigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor(x)


class Efficient(Squeeze):
    """Efficient channel attention: neighbouring channels alone make a channel's factor."""

    def factor(self, x: Tensor) -> Tensor:
        means = x.mean((2, 3))[:, None]
        return F.avg_pool1d(means, 3, 1, 1).sigmoid().transpose(1, 2)[..., None]


class Convolutional(Squeeze):
    """A factor for each channel, then one for each place, as CBAM has them."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.places = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * self.places(both).sigmoid()


class OfGates(Squeeze):
    """A gate on what makes the gate."""

    def forward(self, x: Tensor) -> Tensor:
        inner = self.factor(x)
        return self.factor(x * inner) * x


class Shared(Squeeze):
    """One factor for two planes that meet."""

    def forward(self, x: Tensor) -> Tensor:
        factor = self.factor(x)
        return x * factor + F.avg_pool2d(x, 3, 1, 1).mul_(factor)


class Residual(Squeeze):
    """x times the sigmoid of its own features, which lie in its own place: no gate."""

    def forward(self, x: Tensor) -> Tensor:
        return x + x * x.sigmoid()


class Linear(Squeeze):
    """One half times the sigmoid of the other: no gate."""

    def forward(self, x: Tensor) -> Tensor:
        return F.glu(torch.cat([x, x.flip(1)], 1), dim=1)


GATES: dict[type[Squeeze], bool] = {
    Squeeze: True, Efficient: True, Convolutional: True, OfGates: True, Shared: True, Residual: False, Linear: False,
}  # fmt: skip


def network(gate: type[Squeeze]) -> nn.Sequential:
    torch.manual_seed(0)
    layers = (nn.Conv2d(2, 4, 3, padding=1), gate(4), nn.Conv2d(4, 4, 3, stride=2, dilation=2), nn.Conv2d(4, 3, (1, 2)))
    return nn.Sequential(*layers).double().eval()


class Ungated(nn.Module):
    """The same network where every factor of one number per channel is 1."""

    def __init__(self, model: nn.Sequential) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        gate = self.model[1]
        factor = gate.factor
        gate.factor = lambda y: torch.ones_like(factor(y))
        try:
            return self.model(x)
        finally:
            del gate.factor


def read_by_the_central_unit(model: nn.Module, axis: int) -> list[int]:
    """The rows, or columns, of which a change changes the central unit of the output."""
    image = torch.rand(1, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = []
    with torch.no_grad():
        before = model(image)
        row, column = (size // 2 for size in before.shape[2:])
        for place in range(SHAPE[1 + axis]):
            changed = image.clone()
            changed.select(2 + axis, place).add_(
                0.1 * torch.rand(1, generator=torch.Generator().manual_seed(place)) + 1
            )
            difference = (model(changed) - before)[0, :, row, column]
            found += [place] if difference.abs().max() > 1e-13 else []
    return found


def box_of(fields: Fields) -> tuple[tuple[int, int], ...]:
    """The box of the unit in the middle of the output."""
    output = fields.walk.output("")
    assert output is not None
    assert output.tag is not None
    boxes = []
    for axis, reach in enumerate(output.tag.axes):
        hull = reach.hull.max(axis=(1, 2, 4 - axis))  # joined over images, channels and the other axis
        unit = min(output.shape[2 + axis] // 2, hull.shape[1] - 1)
        boxes.append((-int(hull[0, unit]), int(hull[1, unit])))
    return tuple(boxes)


@pytest.mark.parametrize("gate", GATES)
def test_with_and_without_are_what_changed_pixels_change(gate: type[Squeeze]) -> None:
    model = network(gate)
    kept, ignored = fields_with_and_without_gates(model, SHAPE)
    for fields, run in ((kept, model), (ignored, Ungated(model))):
        for axis, box in enumerate(box_of(fields)):
            seen = read_by_the_central_unit(run, axis)
            assert box == (seen[0], seen[-1])
    assert kept.walk.gated is GATES[gate]
    assert (kept is not ignored) is GATES[gate]
    if GATES[gate]:
        assert kept[""].is_global
        assert not ignored[""].is_global


def facts(field: Field) -> dict[str, object]:
    return vars(field)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("ignore", [False, True])
def test_both_from_the_same_walks_are_each_by_itself(gate: type[Squeeze], ignore: bool) -> None:
    model = network(gate)
    together = fields_with_and_without_gates(model, SHAPE)[ignore]
    alone = receptive_fields(model, SHAPE, ignore_gates=ignore)
    assert [facts(field) for field in together.layers] == [facts(field) for field in alone.layers]
    assert [canvas.shape for canvas in together.canvases][: len(alone.canvases)] == [c.shape for c in alone.canvases]
    assert together.walk.macs == alone.walk.macs
    for one, other in zip(together.walk.operations, alone.walk.operations, strict=True):
        assert (one.name, one.layer, one.misaligned) == (other.name, other.layer, other.misaligned)


def test_a_gate_behind_a_gate_free_part_leaves_that_part_one_and_the_same() -> None:
    kept, ignored = fields_with_and_without_gates(network(Squeeze), SHAPE)
    for part, same in (("0", True), ("1", False)):
        one, other = (fields.walk.output(part) for fields in (kept, ignored))
        assert one is not None
        assert other is not None
        assert one.tag is not None
        assert other.tag is not None
        assert all(a is b for a, b in zip(one.tag.axes, other.tag.axes, strict=True)) is same


def test_factors_on_values() -> None:
    """A network that looks at its values is followed on real tensors; its gates likewise."""

    class Looks(Squeeze):
        def forward(self, x: Tensor) -> Tensor:
            return x * self.factor(x) if float(x.sum()) != 0 else x

    looks: Callable[[], nn.Sequential] = lambda: network(Looks)  # noqa: E731
    kept, ignored = fields_with_and_without_gates(looks(), SHAPE)
    assert kept.walk.on_values
    assert kept[""].is_global
    assert ignored[""].size == (7, 9)
