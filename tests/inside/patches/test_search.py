"""The oracle is a full sort of every image's maximum, by hand."""

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import small, unchanged
from torch import Tensor, nn

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.inside.patches.search import TopUnits, channel_classes, patch_boxes, top_units
from cnnlab.network.forward import capture_outputs

N, SIZE = 23, 12


def some_images(n: int = N, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, SIZE, SIZE, generator=generator), torch.randint(0, 4, (n,), generator=generator)


def batches(images: Tensor, labels: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor, int]]:
    for first in range(0, len(images), size):
        yield images[first : first + size], labels[first : first + size], first


def last(iterator: Iterator[TopUnits]) -> TopUnits:
    *_, found = iterator
    return found


def same(a: TopUnits, b: TopUnits, *, atol: float = 0.0) -> None:
    torch.testing.assert_close(a.values, b.values, rtol=0, atol=atol)
    for name in ("images", "rows", "columns", "labels"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name
    assert (a.seen, a.size) == (b.seen, b.size)


@settings(deadline=None, max_examples=15, derandomize=True)
@given(st.integers(0, 1000), st.integers(1, 30), st.integers(1, 12), st.sampled_from(["relu1", "conv2"]))
def test_the_best_are_those_of_a_full_sort(seed: int, batch: int, k: int, layer: str) -> None:
    network, (images, labels) = small(), some_images(seed=seed)
    found = last(top_units(network, batches(images, labels, batch), layer, k=k))
    output = capture_outputs(network, images, [layer])[layer]
    height, width = output.shape[2:]
    assert found.size == (height, width)
    assert found.seen == N
    for channel in range(output.shape[1]):
        every = []
        for image in range(N):
            units = output[image, channel].flatten().tolist()
            top = max(units)
            every.append((-top, image, *divmod(units.index(top), width)))
        every.sort()
        for place, (value, image, row, column) in enumerate(every[:k]):
            assert float(found.values[channel, place]) == pytest.approx(-value, abs=1e-6)
            if abs(value) > 0:
                assert (int(found.images[channel, place]), int(found.rows[channel, place])) == (image, row)
                assert int(found.columns[channel, place]) == column
                assert int(found.labels[channel, place]) == int(labels[image])
    assert found.values.shape == (output.shape[1], min(k, N))


@pytest.mark.parametrize("batch", [1, 2, 7, 50])
def test_batches_of_any_size_and_order_give_the_same(batch: int) -> None:
    """A pass-through layer with few different values has ties everywhere, and no rounding."""
    network = nn.Sequential(nn.Identity())
    images, labels = some_images()
    images = images.round()
    whole = last(top_units(network, batches(images, labels, N), "0", k=6))
    same(last(top_units(network, batches(images, labels, batch), "0", k=6)), whole)
    same(last(top_units(network, iter(list(batches(images, labels, batch))[::-1]), "0", k=6)), whole)


def test_ties_go_to_the_first_image_and_the_upper_left_unit() -> None:
    found = last(top_units(nn.Identity(), batches(torch.ones(9, 2, 3, 4), torch.arange(9), 2), "", k=4))
    assert found.images.tolist() == [[0, 1, 2, 3]] * 2
    assert int(found.rows.max()) == int(found.columns.max()) == 0
    images = torch.zeros(3, 1, 3, 4)
    images[1, 0, 1, 3] = images[1, 0, 2, 0] = 1
    found = last(top_units(nn.Identity(), batches(images, torch.arange(3), 1), "", k=3))
    assert (found.images.tolist(), found.rows[0, 0], found.columns[0, 0]) == ([[1, 0, 2]], 1, 3)


def test_an_image_is_there_once_however_many_of_its_units_are_high() -> None:
    images = torch.zeros(4, 1, 5, 5)
    images[2] = 10
    found = last(top_units(nn.Identity(), batches(images, torch.zeros(4).long(), 2), "", k=4))
    assert found.images.tolist() == [[2, 0, 1, 3]]


def test_every_batch_gives_what_is_best_so_far() -> None:
    network, (images, labels) = small(), some_images()
    steps = list(top_units(network, batches(images, labels, 10), "relu1", k=3))
    assert [step.seen for step in steps] == [10, 20, 23]
    same(steps[1], last(top_units(network, batches(images[:20], labels[:20], 20), "relu1", k=3)), atol=1e-6)


def seen_by(size: int, layers: list[tuple[int, int, int]]) -> Tensor:
    """(first, last) input pixel of each unit of a chain of (kernel, stride, padding), clipped to the input."""
    spans = [(i, i) for i in range(size)]
    for kernel, stride, padding in layers:
        units = (len(spans) + 2 * padding - kernel) // stride + 1
        wide = []
        for unit in range(units):
            inside = [
                i for i in range(unit * stride - padding, unit * stride - padding + kernel) if 0 <= i < len(spans)
            ]
            wide.append((min(spans[i][0] for i in inside), max(spans[i][1] for i in inside)))
        spans = wide
    return torch.tensor(spans)


@pytest.mark.parametrize(("layer", "chain"), [("relu1", [(3, 1, 1)]), ("relu2", [(3, 1, 1), (2, 2, 0), (3, 2, 1)])])
def test_a_crop_in_its_place_on_black_activates_its_unit_as_the_image_does(
    layer: str, chain: list[tuple[int, int, int]]
) -> None:
    """What lies outside the receptive field has no say; the mean pool behind `relu2` is not part of it."""
    network, (images, labels) = small(), some_images()
    found = last(top_units(network, batches(images, labels, 8), layer, k=5))
    spans = seen_by(SIZE, chain)
    boxes = patch_boxes(found, spans, spans)
    for channel in range(len(found.values)):
        for place in range(5):
            top, left, bottom, right = boxes[channel, place].tolist()
            alone = torch.zeros(1, 3, SIZE, SIZE)
            rows, columns = slice(top, bottom + 1), slice(left, right + 1)
            alone[0, :, rows, columns] = images[found.images[channel, place]][:, rows, columns]
            output = capture_outputs(network, alone, [layer])[layer]
            again = output[0, channel, found.rows[channel, place], found.columns[channel, place]]
            torch.testing.assert_close(again, found.values[channel, place], rtol=1e-5, atol=1e-5)


def test_classes_of_the_top_images() -> None:
    labels = torch.tensor([[2, 2, 2, 2], [0, 1, 2, 3], [1, 1, 3, 3], [3, 3, 3, 0]])
    zeros = torch.zeros(4, 4).long()
    facts = channel_classes(TopUnits("x", (1, 1), zeros.float(), zeros, zeros, zeros, labels, 4), classes=10)
    assert [f.entropy for f in facts] == pytest.approx([0, 2, 1, 2 - 0.75 * math.log2(3)])
    assert [f.normalised for f in facts] == pytest.approx([0, 1, 0.5, (2 - 0.75 * math.log2(3)) / 2])
    assert [(f.purity, f.label) for f in facts] == [(1, 2), (0.25, 0), (0.5, 1), (0.75, 3)]
    # five images of two classes: 3 and 2 are as even as it gets
    five = torch.zeros(1, 5).long()
    uneven = TopUnits("x", (1, 1), five.float(), five, five, five, torch.tensor([[0, 1, 0, 1, 0]]), 5)
    assert channel_classes(uneven, classes=2)[0].normalised == pytest.approx(1)


def test_nothing_is_changed_between_batches_or_after_an_error() -> None:
    network, (images, labels) = small(), some_images()
    with unchanged(network):
        next(top_units(network, batches(images, labels, 5), "relu1"))
    with unchanged(network), pytest.raises(RuntimeError):
        next(top_units(network, iter([(torch.zeros(1, 7, 8, 8), labels[:1], 0)]), "relu1"))


def test_what_cannot_be_searched() -> None:
    network, (images, labels) = small(), some_images()
    with pytest.raises(RequestError, match="no layer 'relu9'"):
        last(top_units(network, batches(images, labels, 5), "relu9"))
    with pytest.raises(RequestError, match=r"'linear' puts out \(4,\) for an image, without height and width"):
        last(top_units(network, batches(images, labels, 5), "linear"))
    with pytest.raises(RequestError, match="no images"):
        last(top_units(network, iter(()), "relu1"))
    with pytest.raises(RequestError, match="the 0 highest"):
        next(top_units(network, iter(()), "relu1", k=0))
    mixed = [(images[:1], labels[:1], 0), (images[:1, :, :3, :3], labels[:1], 1)]
    with pytest.raises(RequestError, match="3×3 units for one batch and 12×12"):
        last(top_units(network, iter(mixed), "conv1"))
    images[3, 0, 0, 0] = math.nan
    with pytest.raises(WorkError, match="NaN for image 3"):
        last(top_units(network, batches(images, labels, 2), "conv1"))
    found = last(top_units(nn.Identity(), batches(torch.ones(1, 1, 2, 2), labels[:1], 1), ""))
    with pytest.raises(ValueError, match="receptive fields of 3×2 units"):
        patch_boxes(found, torch.zeros(3, 2).long(), torch.zeros(2, 2).long())
