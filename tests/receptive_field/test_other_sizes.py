"""Networks whose code asks for the image's size: a field is told of the network in hand, and of no other one.

Expected values are closed forms: r grows by kernel − 1 times the stride before it.
"""

import tracemalloc
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from networks import network_of
from torch import Tensor, nn
from walk.zoo import Function, numbers

from cnnlab.core.errors import RequestError
from cnnlab.receptive_field.audit import audit
from cnnlab.receptive_field.fields import Field, Fields, receptive_fields
from cnnlab.receptive_field.probe import Verification, verification
from cnnlab.receptive_field.report import receptive_field_report
from cnnlab.receptive_field.run import Inspection, claim
from cnnlab.view.blocks import Numbers, Section, Table, Text
from cnnlab.walk.walker import walk

SIDE = 32


def conv(x: Tensor, kernel: int, stride: int = 1, dilation: int = 1) -> Tensor:
    return F.conv2d(
        x, numbers(3, 3, kernel, kernel), stride=stride, padding=dilation * (kernel // 2), dilation=dilation
    )


def deep(x: Tensor) -> Tensor:
    """r = 41, more than the image has."""
    for _ in range(5):
        x = conv(x, 9)
    return x


def field(code: Callable[[Tensor], Tensor], side: int = SIDE) -> Field:
    return receptive_fields(Function(code), (3, side, side))[""]


def loops(x: Tensor, kernel: int = 3) -> Tensor:
    for _ in range(x.shape[-1].bit_length()):
        x = conv(x, kernel)
    return x


def until_small(x: Tensor) -> Tensor:
    while x.shape[-1] > 4:
        x = F.max_pool2d(x, 2)
    return x


def picked(x: Tensor) -> Tensor:
    return x[..., torch.linspace(0, x.shape[-1] - 1, 16).long()]


WITHIN: dict[str, tuple[Callable[[Tensor], Tensor], int, float | None]] = {
    "loop": (loops, 13, 1),
    "branch": (lambda x: conv(x, 3) if x.shape[-1] < 100 else conv(x, 5), 3, 1),
    "branch the other way": (lambda x: conv(x, 5) if x.shape[-1] > 100 else x * 2, 1, 1),
    "kernel": (lambda x: F.max_pool2d(x, x.shape[-1] // 8, 1), 4, 1),
    "dilation": (lambda x: conv(x, 3, dilation=x.shape[-1] // 16), 5, 1),
    "stride of a slice": (lambda x: x[:, :, :: x.shape[-2] // 16, :: x.shape[-1] // 16], 1, 2),
    "stride of a pool": (lambda x: F.avg_pool2d(x, 3, x.shape[-1] // 8), 3, 4),
    "adaptive pool": (lambda x: F.adaptive_avg_pool2d(x, 8), 4, 4),
    "one size": (lambda x: F.interpolate(x, size=(16, 16)), 1, 2),
    "weights": (lambda x: F.conv2d(x, numbers(8, 3, 5, 5)[:, :, : x.shape[-1] // 8, : x.shape[-1] // 8]), 4, 1),
    "channels": (lambda x: F.conv2d(x, numbers(999, 3, 3, 3)[: x.shape[-1]]), 3, 1),
    "pyramid": (until_small, 8, 8),
}


@pytest.mark.parametrize("name", WITHIN)
def test_a_field_inside_the_image_is_exact(name: str) -> None:
    code, size, stride = WITHIN[name]
    found = field(code)
    assert (found.size, found.exact) == ((size, size), True)
    assert found.stride == (stride, stride)


CLIPPED: dict[str, Callable[[Tensor], Tensor]] = {
    "loop": lambda x: loops(x, 9),
    "branch": lambda x: conv(deep(x), 3) if x.shape[-1] < 100 else deep(deep(x)),
    "branch the other way": lambda x: conv(deep(x), 5) if x.shape[-1] > 36 else deep(x) * 2,
    "kernel": lambda x: F.max_pool2d(deep(x), 2 * (x.shape[-1] // 8) + 1, 1, x.shape[-1] // 8),
    "dilation": lambda x: conv(deep(x), 3, dilation=x.shape[-1] // 8),
    "padding": lambda x: F.max_pool2d(F.pad(deep(x), (x.shape[-1] // 4,) * 4), 3),
    "step": lambda x: conv(deep(x)[:, :, :: x.shape[-2] // 16, :: x.shape[-1] // 16], 3),
    "picked places": lambda x: conv(picked(picked(deep(x)).transpose(2, 3)).transpose(2, 3), 3),
    "shift": lambda x: conv(torch.roll(deep(x), x.shape[-1] // 4, -1), 3),
    "one size": lambda x: conv(F.interpolate(deep(x), size=(16, 16)), 3),
    "adaptive pool": lambda x: conv(F.adaptive_avg_pool2d(deep(x), 8), 3),
    "channels": lambda x: F.conv2d(deep(x), numbers(9, 3, 3, 3)[: x.shape[-1] // 4], padding=1),
    "mask": lambda x: conv(deep(x).masked_fill(torch.arange(x.shape[-1]) < x.shape[-1] // 2, 0), 3),
    "values": lambda x: conv(deep(x), 3) if x.isnan().any() or x.shape[-1] < 40 else deep(deep(x)),
    "another end": lambda x: deep(x) if x.shape[-1] > 100 else conv(deep(x), 3),
}


@pytest.mark.parametrize("name", CLIPPED)
def test_a_field_beyond_the_image_is_not_taken_from_another_network(name: str) -> None:
    """On a larger image the code is another network, whose field is another one: here it is known from below."""
    model = Function(CLIPPED[name])
    fields = receptive_fields(model, (3, SIDE, SIDE))
    found = fields[""]
    assert not found.exact
    assert found.size == (SIDE, SIDE)
    assert found.read_at == (SIDE, SIDE)
    assert "clipped" in found.flags
    assert fields.differs is not None
    (headline, *_) = receptive_field_report(fields, audit(fields, model), name="clipped").blocks
    assert isinstance(headline, Numbers)
    assert headline.numbers[0].value == f"≥ {SIDE}"


def same(x: Tensor, stride: int, kernel: int = 3) -> Tensor:
    """TensorFlow's padding: as many pixels as make ⌈size/stride⌉ windows, the odd one at the end."""
    total = max((-(-x.shape[-1] // stride) - 1) * stride + kernel - x.shape[-1], 0)
    return F.max_pool2d(F.pad(x, (total // 2, total - total // 2) * 2), kernel, stride)


def windows(x: Tensor) -> Tensor:
    """Sevens side by side, the last filled up, as Swin has them: each place sees its window."""
    more = -x.shape[-1] % 7
    x = F.pad(x, (0, more, 0, more))
    n, c, h, w = x.shape
    parts = x.view(n, c, h // 7, 7, w // 7, 7).permute(0, 2, 4, 1, 3, 5).reshape(-1, c, 7, 7)
    parts = parts + parts.amax((2, 3), keepdim=True)
    back = parts.view(n, h // 7, w // 7, c, 7, 7).permute(0, 3, 1, 4, 2, 5).reshape(n, c, h, w)
    return back[:, :, : h - more, : w - more]


SAME: dict[str, tuple[Callable[[Tensor], Tensor], int, int]] = {
    "padding": (lambda x: deep(same(same(x, 2), 2)), 167, SIDE),
    "padding of threes": (lambda x: deep(same(x, 3)), 123, SIDE + 1),
    "places": (lambda x: deep(x) + torch.arange(float(x.shape[-1])), 41, SIDE),
    "all of them by index": (lambda x: deep(x)[..., torch.arange(x.shape[-1])], 41, SIDE),
    "a crop": (lambda x: deep(x)[:, :, 2 : x.shape[-2] - 2, 2:-2], 41, SIDE),
    "back to the input's size": (lambda x: F.interpolate(deep(F.max_pool2d(x, 2)), size=x.shape[2:]), 82, SIDE),
    "rows apart": (lambda x: deep(x).flatten(2).view(1, 3, *x.shape[2:]), 41, SIDE),
    "windows": (lambda x: deep(windows(x)), 42, 28),
    "a threshold far away": (lambda x: deep(x) if x.shape[-1] < 1500 else x, 41, SIDE),
}


@pytest.mark.parametrize("name", SAME)
def test_code_that_asks_for_the_size_and_is_one_network_is_exact(name: str) -> None:
    code, size, side = SAME[name]
    found = field(code, side)
    assert found.exact
    assert found.size == (size, size)
    assert found.read_at[0] > side


@pytest.mark.parametrize(
    "pool",
    [
        lambda x: F.avg_pool2d(x, x.shape[2:]),
        lambda x: x.mean((2, 3), keepdim=True),
        lambda x: F.adaptive_avg_pool2d(x, 1),
        lambda x: F.interpolate(F.adaptive_max_pool2d(x, 1), size=x.shape[2:]),
        lambda x: x.mean((2, 3), keepdim=True).repeat(1, 1, *x.shape[2:]),
    ],
)
def test_pooling_everything_is_global_on_every_image(pool: Callable[[Tensor], Tensor]) -> None:
    found = field(lambda x: pool(deep(x)))
    assert found.is_global
    assert found.exact
    assert found.read_at[0] > SIDE


def said(model: nn.Module, fields: Fields, proof: Verification) -> None:
    found = audit(fields, model)
    report = receptive_field_report(fields, found, name="halves", proof=proof)
    rows = {row[0]: row[2] for block in report.blocks if isinstance(block, Table) for row in block.rows}
    assert rows["last"] == "≥ 32"
    texts = [block for block in report.blocks if isinstance(block, Text)]
    assert any("this network is another one: in layer 'last'" in text.text for text in texts)
    inner = [each for block in report.blocks if isinstance(block, Section) for each in block.blocks]
    told = [each.text for each in inner if isinstance(each, Text)]
    assert any("suit this network, where it is the same one at that size" in text for text in told)
    with pytest.raises(RequestError, match="the border clips last everywhere, so that its r is known from below only"):
        claim(Inspection(network_of(model, (3, SIDE, SIDE)), fields, found), "last.r<=40")


class Halves(nn.Module):
    """A layer before and one behind the place where the network asks for the size."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Sequential(*[nn.Conv2d(3, 3, 9, padding=4) for _ in range(5)])
        self.behind, self.last = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x)
        for _ in range(x.shape[-1].bit_length()):
            x = self.behind(x)
        return self.last(x)


def test_what_comes_before_keeps_its_numbers_and_the_proof_says_what_it_covers() -> None:
    model = Halves()
    fields = receptive_fields(model, (3, SIDE, SIDE))
    before, sixth, last = fields["before"], fields["behind (6)"], fields[""]
    assert (before.size, before.exact, before.is_visible) == ((41, 41), True, False)
    assert (sixth.size, sixth.exact) == ((53, 53), True)
    assert (last.size, last.exact) == ((SIDE, SIDE), False)
    assert before.read_at[0] > SIDE == last.read_at[0]
    difference, sides = fields.differs or (None, ())
    assert difference is not None
    assert (difference.here, difference.there) == ("layer 'last'", "layer 'behind'")
    assert min(sides) > SIDE
    *_, proof = verification(model, fields.walk, max_batch=SIDE)
    assert proof.proven
    said(model, fields, proof)


class Tutorial(nn.Module):
    """The MNIST tutorial's `view(-1, 320)`: on a canvas it would make one image a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5)
        self.fc1, self.fc2 = nn.Linear(320, 50), nn.Linear(50, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.conv1(x), 2)
        x = F.max_pool2d(self.conv2(x), 2).view(-1, 320)
        return self.fc2(self.fc1(x).relu()).log_softmax(1)


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 5), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 10)
    )


def there_and_back(x: Tensor) -> Tensor:
    return deep(x.flatten(1).mul(2).view(x.shape))


FLAT: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], dict[str, int]]] = {
    "lenet": (lenet, (3, 32, 32), {"2": 14, "3": 16, "4": 16, "5": 32, "": 32}),
    "tutorial": (Tutorial, (1, 28, 28), {"conv1": 5, "conv2": 14, "fc1": 28, "": 28}),
    "small": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Flatten(), nn.Linear(144, 3)),
        (2, 6, 6),
        {"0": 3, "1": 3, "2": 6},
    ),
    "reshape": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), Function(lambda x: x.reshape(x.size(0), -1)), nn.Linear(7200, 2)),
        (3, 32, 32),
        {"0": 3, "1": 3, "2": 32},
    ),
    "and back": (lambda: Function(there_and_back), (3, 32, 32), {"": 41}),
}


@pytest.mark.parametrize("name", FLAT)
def test_networks_that_flatten_cost_little(name: str) -> None:
    """A canvas of 2,000 pixels would need hundreds of megabytes for each flattened map; the tutorial's 15 GiB."""
    make, shape, sizes = FLAT[name]
    model = make()
    receptive_fields(nn.Conv2d(shape[0], 1, 1), shape)  # what is imported and made only once
    tracemalloc.start()
    fields = receptive_fields(model, shape)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20
    assert {layer: fields[layer].size for layer in sizes} == {layer: (size, size) for layer, size in sizes.items()}
    assert all(fields[layer].exact for layer in sizes)


def test_a_walk_ends_before_it_makes_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """At its own size what is too large is taken to depend on everything: its interval holds, and is told so."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.ReLU())
    monkeypatch.setattr("cnnlab.walk.arrays.LARGEST", 1000)
    found = walk(model, (3, 40, 40), bits=True)
    assert found.failure is None
    assert {layer for _, layer in found.unknown} == {"1"}
    tag = found.outputs[-1].tag
    assert tag is not None
    assert [(-int(axis.hull[0].max()), int(axis.hull[1].max())) for axis in tag.axes] == [(0, 39), (0, 39)]


def test_the_padding_of_places_in_a_row_is_that_of_the_map() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 5, padding=2), nn.Flatten(2), Function(lambda x: x.transpose(1, 2)))
    found = receptive_fields(model, (3, 12, 16))
    assert [(found[name].stride, found[name].padding) for name in ("0", "1", "2")] == [((1, 1), (2, 2))] * 3
