from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms.v2 import functional as oracle

from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.core.seeds import derive_seed
from cnnlab.data import augmentations  # noqa: F401  (fills the registry)
from cnnlab.data.batches import (
    Batch,
    ChannelStatistics,
    EvaluationBatches,
    TrainingBatches,
    batch_bounds,
    denormalise,
    normalise,
)

STATISTICS = ChannelStatistics((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
EVERYTHING = ["crop", "flip", "erase", "color_jitter", "rotate", "mixup", "cutmix", "noise"]


def some_images(count: int, height: int = 8, width: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, height, width), dtype=torch.uint8, generator=generator)


def batches_of(
    count: int, batch_size: int, *, augment: Sequence[str] = (), seed: int = 0, drop_last: bool = False
) -> TrainingBatches:
    return TrainingBatches(
        some_images(count),
        torch.arange(count) % 10,
        batch_size=batch_size,
        seed=seed,
        augmentations=[component("augmentation", name).build(classes=10) for name in augment],
        statistics=STATISTICS,
        classes=10,
        drop_last=drop_last,
    )


def test_batches_may_be_made_elsewhere_than_the_images_lie() -> None:
    """`meta` has no values, but every tensor must have got there."""
    there = torch.device("meta")
    [batch, *_] = EvaluationBatches(some_images(5), torch.arange(5), batch_size=2, statistics=STATISTICS, device=there)
    assert {batch.images.device, batch.indices.device, batch.targets.device} == {there}


def assert_equal(one: Sequence[Batch], other: Sequence[Batch]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.targets, b.targets)
        assert torch.equal(a.indices, b.indices)


@given(st.integers(1, 300), st.integers(1, 40), st.booleans())
def test_bounds_cover_everything_once(count: int, batch_size: int, drop_last: bool) -> None:
    bounds = batch_bounds(count, batch_size, drop_last=drop_last)
    covered = [k for begin, end in bounds for k in range(begin, end)]
    assert covered == list(range(len(covered)))
    sizes = [end - begin for begin, end in bounds]
    if drop_last:
        assert sizes == [batch_size] * (count // batch_size)
    else:
        assert len(covered) == count
        assert all(size == batch_size for size in sizes[:-1])
        assert sizes[-1] <= batch_size + 1
        if count > 1 and batch_size > 1:
            assert min(sizes) >= 2


def test_a_last_batch_of_one_joins_the_one_before() -> None:
    batches = batches_of(33, 8)
    assert batches.steps == 4
    assert [len(batch.images) for batch in batches.epoch(0)] == [8, 8, 8, 9]
    assert [len(batch.images) for batch in batches_of(33, 8, drop_last=True).epoch(0)] == [8, 8, 8, 8]
    assert [len(batch.images) for batch in batches_of(3, 1).epoch(0)] == [1, 1, 1]
    assert [len(batch.images) for batch in batches_of(1, 8).epoch(0)] == [1]


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 70), st.integers(1, 20), st.integers(0, 50), st.integers(0, 2**40))
def test_an_epoch_has_every_image_once_with_its_label(count: int, batch_size: int, epoch: int, seed: int) -> None:
    batches = batches_of(count, batch_size, seed=seed)
    found = list(batches.epoch(epoch))
    assert len(found) == batches.steps
    indices = torch.cat([batch.indices for batch in found])
    assert indices.sort().values.tolist() == list(range(count))
    for batch in found:
        assert torch.equal(batch.targets, batch.indices % 10)
        assert torch.equal(batch.images, normalise(batches.images[batch.indices], STATISTICS))


@settings(deadline=None, max_examples=15)
@given(st.integers(2, 60), st.integers(1, 20), st.integers(0, 9), st.data())
def test_skipping_is_not_seeing(count: int, batch_size: int, epoch: int, data: st.DataObject) -> None:
    batches = batches_of(count, batch_size, augment=EVERYTHING)
    start = data.draw(st.integers(0, batches.steps))
    assert_equal(list(batches.epoch(epoch, start)), list(batches.epoch(epoch))[start:])


def test_an_epoch_is_the_same_fresh_or_after_others() -> None:
    used, fresh = batches_of(40, 8, augment=EVERYTHING), batches_of(40, 8, augment=EVERYTHING)
    for epoch in range(3):
        list(used.epoch(epoch))
    torch.manual_seed(99)  # the global generator is nobody's business
    assert_equal(list(used.epoch(3)), list(fresh.epoch(3)))


def test_two_epochs_side_by_side_do_not_disturb_each_other() -> None:
    batches = batches_of(40, 8, augment=EVERYTHING)
    both = list(zip(batches.epoch(0), batches.epoch(1), strict=True))
    assert_equal([one for one, _ in both], list(batches.epoch(0)))
    assert_equal([other for _, other in both], list(batches.epoch(1)))


def test_epochs_and_seeds_differ() -> None:
    batches, other = batches_of(64, 64, augment=["crop"]), batches_of(64, 64, augment=["crop"], seed=1)
    orders = [tuple(next(source.epoch(epoch)).indices.tolist()) for source in (batches, other) for epoch in (0, 1)]
    assert len(set(orders)) == 4
    one, two = (next(batches.epoch(epoch)) for epoch in (0, 1))
    assert not torch.equal(one.images[one.indices.argsort()], two.images[two.indices.argsort()])


def test_crop_and_flip_are_what_slices_and_mirrors_make() -> None:
    # The slow definition, an image at a time: pad, cut, mirror, to float, normalise.
    batches = batches_of(20, 20, augment=["crop", "flip"], seed=5)
    batch = next(batches.epoch(2))
    generator = torch.Generator().manual_seed(derive_seed(5, "augment", 2, 0))
    tops, lefts = (torch.randint(9, (20,), generator=generator).tolist() for _ in range(2))
    mirror = (torch.rand(20, generator=generator) < 0.5).tolist()
    for k, index in enumerate(batch.indices.tolist()):
        image = oracle.pad(batches.images[index], [4])[:, tops[k] : tops[k] + 8, lefts[k] : lefts[k] + 8]
        image = oracle.hflip(image) if mirror[k] else image
        expected = oracle.normalize(image.float() / 255, list(STATISTICS.mean), list(STATISTICS.std))
        torch.testing.assert_close(batch.images[k], expected, atol=1e-6, rtol=1e-6)


def test_alternating_flips_show_every_image_both_ways() -> None:
    batches = TrainingBatches(
        some_images(30),
        torch.zeros(30, dtype=torch.int64),
        batch_size=7,
        seed=3,
        augmentations=[component("augmentation", "flip", mode="alternate").build(classes=10)],
        statistics=STATISTICS,
        classes=10,
    )

    def epoch_in_order(epoch: int) -> Tensor:
        seen = list(batches.epoch(epoch))
        return torch.cat([b.images for b in seen])[torch.cat([b.indices for b in seen]).argsort()]

    even, odd, next_odd = (epoch_in_order(epoch) for epoch in (4, 5, 7))
    assert torch.equal(even.flip(3), odd)
    assert torch.equal(odd, next_odd)


@pytest.mark.parametrize("layout", ["channels last", "every other image"])
def test_the_layout_in_memory_changes_nothing(layout: str) -> None:
    images = some_images(20)
    strange = images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    if layout == "every other image":
        strange = images.repeat_interleave(2, 0)[::2]
    plain, other = (
        TrainingBatches(
            kind,
            torch.arange(20) % 10,
            batch_size=6,
            seed=0,
            augmentations=[component("augmentation", "crop").build(classes=10)],
            statistics=STATISTICS,
            classes=10,
        )
        for kind in (images, strange)
    )
    assert_equal(list(plain.epoch(0)), list(other.epoch(0)))


def test_mixed_targets_are_probabilities() -> None:
    batch = next(batches_of(20, 10, augment=["mixup"]).epoch(0))
    assert batch.targets.shape == (10, 10)


def test_drop_last_that_leaves_nothing() -> None:
    with pytest.raises(RequestError, match="there are 5 training images, fewer than the batch_size 8"):
        batches_of(5, 8, drop_last=True)


@pytest.mark.parametrize("start", [-1, 6])
def test_a_start_beyond_the_epoch(start: int) -> None:
    with pytest.raises(RequestError, match=f"an epoch has 5 batches, so it cannot be continued after {start}"):
        batches_of(40, 8).epoch(0, start)
    assert list(batches_of(40, 8).epoch(0, 5)) == []


def test_evaluation_sees_everything_in_order_and_unchanged() -> None:
    images, labels = some_images(21), torch.arange(21) % 10
    found = list(EvaluationBatches(images, labels, batch_size=10, statistics=STATISTICS))
    assert [len(batch.images) for batch in found] == [10, 10, 1]
    assert torch.cat([batch.indices for batch in found]).tolist() == list(range(21))
    assert torch.equal(torch.cat([batch.targets for batch in found]), labels)
    assert torch.equal(torch.cat([batch.images for batch in found]), normalise(images, STATISTICS))


def test_normalise_is_torchvisions_and_back() -> None:
    images = some_images(4)
    expected = oracle.normalize(images.float() / 255, list(STATISTICS.mean), list(STATISTICS.std))
    numbers = images.float() / 255
    torch.testing.assert_close(normalise(images, STATISTICS), expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(normalise(numbers, STATISTICS), expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(denormalise(normalise(images, STATISTICS), STATISTICS), numbers)
    assert torch.equal(numbers, images.float() / 255)  # left as they were


def test_normalise_without_variation_and_with_the_wrong_channels() -> None:
    flat = torch.full((2, 1, 3, 3), 51, dtype=torch.uint8)
    assert normalise(flat, ChannelStatistics((0.2,), (0.0,))).abs().max() < 1e-6
    with pytest.raises(RequestError, match="the images have 1 channels, the statistics 3"):
        normalise(flat, STATISTICS)


def test_what_normalise_keeps_can_be_used_in_a_gradient() -> None:
    statistics = ChannelStatistics((0.11, 0.12, 0.13), (0.21, 0.22, 0.23))
    with torch.inference_mode():
        normalise(some_images(2), statistics)
    images = (some_images(2).float() / 255).requires_grad_()
    normalise(images, statistics).sum().backward()
    assert images.grad is not None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_the_order_is_the_same_and_nothing_leaves_it() -> None:
    here = batches_of(40, 8, augment=EVERYTHING)
    there = replace(here, images=here.images.cuda(), labels=here.labels.cuda())
    seen = list(there.epoch(0))
    assert_equal(seen, list(there.epoch(0)))
    for one, other in zip(here.epoch(0), seen, strict=True):
        assert torch.equal(one.indices, other.indices.cpu())
        assert {tensor.device.type for tensor in (other.images, other.targets, other.indices)} == {"cuda"}


@pytest.mark.parametrize(
    ("count", "size", "drop_last", "said"),
    [
        (40, 8, False, ()),
        (43, 8, False, ()),
        (
            41,
            8,
            False,
            (
                "the last batch of an epoch has 9 images: 41 in batches of 8 leave a single one, which joins the "
                "batch before, as batch normalisation needs two",
            ),
        ),
        (43, 8, True, ("drop_last leaves 3 images of 43 out of each epoch, by chance",)),
        (41, 8, True, ("drop_last leaves 1 image of 41 out of each epoch, by chance",)),
        (5, 8, False, ("batch_size is 8, and an epoch is one batch of all 5 images",)),
    ],
)
def test_a_last_batch_of_another_size_is_told(count: int, size: int, drop_last: bool, said: tuple[str, ...]) -> None:
    batches = batches_of(count, size, drop_last=drop_last)
    assert batches.remarks == said
    assert sum(len(batch.indices) for batch in batches.epoch(0)) == (count - count % size if drop_last else count)


@given(st.integers(2, 40), st.integers(1, 100), st.integers(1, 16))
def test_an_epoch_may_show_the_images_over_and_over_each_pass_in_an_order_of_its_own(
    there: int, shown: int, batch_size: int
) -> None:
    batches = replace(batches_of(there, batch_size), shown=shown)
    order = batches.order(3)
    assert len(order) == shown == batches.bounds[-1][1]
    for begin in range(0, shown, there):
        one = order[begin : begin + there].tolist()
        assert len(set(one)) == len(one)
    whole = replace(batches, shown=there)
    assert torch.equal(whole.order(3), batches_of(there, batch_size).order(3))
    assert torch.equal(torch.cat([batch.indices for batch in batches.epoch(3)]), order)
