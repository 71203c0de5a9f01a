import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import Dataset
from cnnlab.data.splits import Split, split


def dataset_of(labels: list[int], *, groups: list[str] | None = None, classes: int | None = None) -> Dataset:
    count = classes or max(labels) + 1
    return Dataset(
        name="toy",
        part="train",
        images=torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8),
        labels=torch.tensor(labels),
        classes=tuple(f"class{k}" for k in range(count)),
        groups=None if groups is None else tuple(groups),
    )


def assert_partition(parts: Split, count: int) -> None:
    assert torch.cat([parts.train, parts.validation]).sort().values.tolist() == list(range(count))
    assert parts.train.tolist() == sorted(parts.train.tolist())
    assert parts.validation.tolist() == sorted(parts.validation.tolist())


@settings(deadline=None, max_examples=80)
@given(st.lists(st.integers(2, 40), min_size=1, max_size=8), st.floats(0.01, 0.99), st.integers(0, 2**40))
def test_every_class_is_met_to_less_than_one_image(sizes: list[int], fraction: float, seed: int) -> None:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    assume(0 < round(fraction * len(labels)) < len(labels))
    data = dataset_of(labels)
    parts = split(data, fraction=fraction, seed=seed)
    assert_partition(parts, len(data))
    kept = data.take(parts.validation).counts()
    for size, count in zip(sizes, kept.tolist(), strict=True):
        assert 1 <= count <= size - 1
        assert abs(count - fraction * size) < 1 + 1e-9


def test_cifar_sized_data_keeps_exactly_500_of_each_class() -> None:
    labels = (torch.arange(50_000) * 7 % 10).tolist()
    data = dataset_of(labels)
    parts = split(data, fraction=0.1, seed=0)
    assert (len(parts.train), len(parts.validation)) == (45_000, 5_000)
    assert data.take(parts.validation).counts().tolist() == [500] * 10


def test_the_sum_is_right_although_no_class_divides() -> None:
    parts = split(dataset_of([k for k in range(10) for _ in range(15)]), fraction=0.1, seed=0)
    assert len(parts.validation) == 15


def test_the_seed_decides() -> None:
    data = dataset_of([k % 5 for k in range(100)])
    one, again, other = (split(data, fraction=0.2, seed=seed).validation.tolist() for seed in (1, 1, 2))
    assert one == again != other


def test_fraction_zero_keeps_nothing() -> None:
    parts = split(dataset_of([0, 1]), fraction=0.0, seed=0)
    assert parts.train.tolist() == [0, 1]
    assert parts.validation.tolist() == []
    assert parts.validation.dtype == torch.int64


def test_a_class_without_images_is_no_matter() -> None:
    assert_partition(split(dataset_of([0, 0, 2, 2], classes=4), fraction=0.5, seed=0), 4)


@pytest.mark.parametrize(
    ("labels", "fraction", "message"),
    [
        ([0] * 9 + [1], 0.2, "the class 'class1' of toy has a single image"),
        ([0] * 10, 0.01, "a validation part of 0.01 of 10 images leaves none for validation"),
        ([0] * 10, 0.99, "a validation part of 0.99 of 10 images leaves none for training"),
        ([0] * 10, 1.5, "the validation part is 1.5 of the images; it is at least 0 and less than 1"),
    ],
)
def test_what_cannot_be_split_is_said(labels: list[int], fraction: float, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        split(dataset_of(labels), fraction=fraction, seed=0)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 11)), min_size=4, max_size=120),
    st.floats(0.05, 0.6),
    st.integers(0, 2**40),
)
def test_no_group_is_on_both_sides(images: list[tuple[int, int]], fraction: float, seed: int) -> None:
    labels, numbers = [label for label, _ in images], [f"g{number}" for _, number in images]
    data = dataset_of(labels, groups=numbers, classes=4)
    try:
        parts = split(data, fraction=fraction, seed=seed)
    except RequestError:
        return
    assert_partition(parts, len(data))
    assert len(parts.validation) > 0
    train, validation = data.take(parts.train), data.take(parts.validation)
    assert not set(train.groups or ()) & set(validation.groups or ())
    # Training knows every class that there is.
    assert ((train.counts() > 0) == (data.counts() > 0)).all()


def test_many_small_groups_come_near_the_fraction_in_every_class() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (4000,), generator=generator)
    groups = [f"patient{number}" for number in torch.randint(400, (4000,), generator=generator).tolist()]
    data = dataset_of(labels.tolist(), groups=groups)
    parts = split(data, fraction=0.2, seed=3)
    shares = data.take(parts.validation).counts() / data.counts()
    assert (shares - 0.2).abs().max() < 0.02
    assert split(data, fraction=0.2, seed=4).validation.tolist() != parts.validation.tolist()


def test_a_group_goes_to_one_side_as_a_whole() -> None:
    data = dataset_of([0, 1] * 4, groups=["a", "a", "b", "b", "c", "c", "d", "d"])
    parts = split(data, fraction=0.5, seed=0)
    assert len(parts.validation) == 4
    assert all(i + 1 in parts.validation.tolist() for i in parts.validation.tolist() if i % 2 == 0)


@pytest.mark.parametrize(
    ("labels", "groups", "message"),
    [
        ([0, 1, 0, 1], ["a"] * 4, "all images of toy belong to the group 'a'"),
        ([0, 0, 1, 1], ["a", "a", "b", "b"], "some class is no longer in the training part"),
    ],
)
def test_groups_that_cannot_be_divided(labels: list[int], groups: list[str], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        split(dataset_of(labels, groups=groups), fraction=0.5, seed=0)


def test_as_many_groups_as_images() -> None:
    with pytest.raises(RequestError, match="4 images and 3 groups"):
        dataset_of([0, 1, 0, 1], groups=["a", "b", "c"])
