import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.core.registry import component
from cnnlab.data.dataset import Dataset
from cnnlab.data.shapes import BLOCK, CLASSES, MARK_COLOURS, luma, shapes


def made(part: str = "train", **options: object) -> Dataset:
    dataset = component("dataset", "shapes", train_count=300, test_count=300, **options).build(place=None, part=part)
    assert isinstance(dataset, Dataset)
    return dataset


def same(a: Dataset, b: Dataset) -> bool:
    assert a.masks is not None
    assert b.masks is not None
    return torch.equal(a.images, b.images) and torch.equal(a.masks, b.masks) and torch.equal(a.labels, b.labels)


def test_it_depends_on_seed_and_part_alone() -> None:
    first = made()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        again = made()
    finally:
        torch.set_num_threads(threads)
    assert same(first, again)
    assert not torch.equal(first.images, made(seed=1).images)


def test_no_image_occurs_twice_within_or_between_the_parts() -> None:
    images = torch.cat([made().images, made("test").images]).flatten(1)
    assert len(images.unique(dim=0)) == 600


def test_classes_are_balanced_in_every_beginning() -> None:
    dataset = made()
    assert dataset.classes == CLASSES
    assert dataset.counts().tolist() == [30] * 10
    assert torch.bincount(dataset.labels[:57]).tolist() == [6] * 7 + [5] * 3


def test_a_smaller_count_is_the_beginning_of_a_larger_one() -> None:
    few, many = shapes("train", train_count=BLOCK + 7), shapes("train", train_count=2 * BLOCK)
    assert same(few, many.take(torch.arange(BLOCK + 7)))


@given(st.floats(0, 1), st.sampled_from([16, 32, 45]), st.integers(0, 2**40))
@settings(deadline=None, max_examples=8)
def test_any_difficulty_and_size_gives_objects_of_which_most_is_seen(difficulty: float, size: int, seed: int) -> None:
    dataset = made(difficulty=difficulty, size=size, seed=seed)
    assert dataset.shape == (3, size, size)
    assert dataset.masks is not None
    seen = dataset.masks.sum((1, 2)).float() / size**2
    assert seen.max() < 0.5
    assert seen.median() > 0.05
    assert (seen > 0.01).float().mean() > 0.98


@pytest.mark.parametrize("difficulty", [0.0, 0.5])
def test_what_the_mask_shows_is_set_apart_from_what_is_around_it(difficulty: float) -> None:
    dataset = made(difficulty=difficulty)
    assert dataset.masks is not None
    mask = dataset.masks[:, None].float()
    core = 1 - F.max_pool2d(1 - mask, 3, 1, 1)  # without the edge, which is blurred
    around = F.max_pool2d(mask, 5, 1, 2) - F.max_pool2d(mask, 3, 1, 1)
    brightness = luma(dataset.images.float() / 255)[:, None]
    inside, outside = ((brightness * w).sum((1, 2, 3)) / w.sum((1, 2, 3)) for w in (core, around))
    differences = (inside - outside).abs()[core.sum((1, 2, 3)) > 5]
    assert len(differences) > 250
    assert (differences > 0.15).float().mean() > (0.99 if difficulty == 0 else 0.8)


def test_a_ring_has_a_hole_and_a_disc_has_none() -> None:
    dataset = made(difficulty=0.0, size=64)
    assert dataset.masks is not None
    for label, filled in ((0, True), (1, False)):
        for mask in dataset.masks[dataset.labels == label]:
            rows, columns = mask.nonzero().unbind(1)
            middle = (rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2
            assert mask[middle].item() is filled


def test_poses_are_the_same_at_every_size() -> None:
    small, large = made(size=32), made(size=96)
    assert small.masks is not None
    assert large.masks is not None
    reduced = F.avg_pool2d(large.masks[:, None].float(), 3)[:, 0] > 0.5
    assert (reduced == small.masks).float().mean() > 0.99


def test_grey_images_are_the_brightness_of_the_coloured_ones() -> None:
    grey, coloured = made(channels=1), made()
    assert grey.shape == (1, 32, 32)
    difference = grey.images[:, 0].float() - luma(coloured.images.float())
    assert difference.abs().max() <= 1.01  # each channel is rounded


def test_the_shortcut_is_a_mark_of_the_class_and_changes_nothing_else() -> None:
    plain, marked = made(), made(shortcut="corner")
    assert marked.masks is not None
    corner = torch.zeros(32, 32, dtype=torch.bool)
    corner[1:5, 1:5] = True
    assert torch.equal(plain.images[:, :, ~corner], marked.images[:, :, ~corner])
    for label in range(10):
        colours = marked.images[marked.labels == label][:, :, corner]
        assert torch.equal(colours, torch.tensor(MARK_COLOURS[label], dtype=torch.uint8)[:, None].expand_as(colours))
    assert not marked.masks[:, corner].any()
    assert torch.equal(plain.masks[:, ~corner], marked.masks[:, ~corner])  # type: ignore[index]


def test_the_corner_tells_nothing_without_the_shortcut() -> None:
    dataset = shapes("train", train_count=2000)
    corner = dataset.images[:, :, 1:5, 1:5].float().flatten(1) / 255
    means = torch.stack([corner[dataset.labels == label].mean(0) for label in range(10)])
    assert (means - corner.mean(0)).abs().max() < 0.1
