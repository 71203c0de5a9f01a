"""The oracle is an additive model: softmax of (Σ w·x, 0), whose curves are closed forms."""

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import small, unchanged
from torch import Tensor, nn

from cnnlab.attribution.measures.curves import Ranking, blurred, curves, rank_pixels
from cnnlab.core.errors import RequestError, WorkError


class Additive(nn.Module):
    """Logits (Σ w·x, 0): the probability of class 0 is the sigmoid of the sum."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images: Tensor) -> Tensor:
        score = (self.weights * images).flatten(1).sum(1)
        return torch.stack([score, torch.zeros_like(score)], 1)


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def order_of(places: list[int], height: int, width: int) -> Ranking:
    """A ranking that takes the pixels in this order."""
    ranks = torch.empty(height * width, dtype=torch.int64)
    ranks[torch.tensor(places)] = torch.arange(height * width)
    return Ranking(ranks.reshape(1, height, width), height * width, 1)


def test_a_linear_models_curves_are_known() -> None:
    """Each of 16 pixels adds 0.5: deletion is sigmoid(8 − k/2), whatever the order, and its area the trapezoid."""
    model, image = Additive(torch.full((1, 4, 4), 0.5)), torch.ones(1, 1, 4, 4)
    ranking = rank_pixels(drawn(0, 1, 4, 4), seed=0)
    found = curves(model, image, torch.tensor([0]), ranking, steps=16)
    expected = torch.sigmoid(8 - torch.arange(17).double() / 2)
    torch.testing.assert_close(found.deletion[0], expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.fractions[0], torch.arange(17).double() / 16, rtol=0, atol=0)
    area = (expected.sum() - (expected[0] + expected[-1]) / 2) / 16
    assert float(found.deletion_area[0]) == pytest.approx(float(area), abs=1e-7)
    # the blur of an even image is the image: nothing is gained by inserting it
    torch.testing.assert_close(found.insertion[0], expected[:1].expand(17), rtol=0, atol=1e-6)
    assert float(found.gain[0]) == pytest.approx(float(expected[0] - area), abs=1e-6)


def test_both_ends_are_the_image_and_its_fill() -> None:
    model, images, targets = small().eval(), drawn(1, 3, 3, 12, 12), torch.tensor([2, 0, 1])
    ranking = rank_pixels(drawn(2, 3, 12, 12), seed=0)
    found = curves(model, images, targets, ranking, steps=5)

    def probability(some_images: Tensor) -> Tensor:
        return model(some_images).double().softmax(1).gather(1, targets[:, None])[:, 0].detach()

    torch.testing.assert_close(found.deletion[:, 0], probability(images), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.deletion[:, -1], probability(torch.zeros_like(images)), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.insertion[:, 0], probability(blurred(images)), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.insertion[:, -1], probability(images), rtol=0, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.permutations(list(range(12))))
def test_no_order_deletes_better_than_the_true_contributions(seed: int, other: list[int]) -> None:
    weights, image = drawn(seed, 2, 3, 4), drawn(seed + 1, 1, 2, 3, 4)
    model, target = Additive(weights), torch.tensor([0])
    contributions = (weights * image).sum(1)
    best = curves(model, image, target, rank_pixels(contributions, seed=0), steps=12)
    another = curves(model, image, target, order_of(other, 3, 4), steps=12)
    assert bool((best.deletion <= another.deletion + 1e-9).all())
    gained = (weights * (image - blurred(image))).sum(1)
    best = curves(model, image, target, rank_pixels(gained, seed=0), steps=12)
    assert bool((best.insertion >= another.insertion - 1e-9).all())


def test_the_best_of_all_720_orders() -> None:
    weights, image = drawn(5, 1, 2, 3), drawn(6, 1, 1, 2, 3)
    model, orders = Additive(weights), list(permutations(range(6)))
    ranks = torch.cat([order_of(list(order), 2, 3).ranks for order in orders])
    every = curves(model, image.expand(720, 1, 2, 3), torch.zeros(720).long(), Ranking(ranks, 6, 1), steps=6)
    ours = curves(model, image, torch.tensor([0]), rank_pixels((weights * image)[:, 0], seed=0), steps=6)
    assert float(ours.deletion_area[0]) == pytest.approx(float(every.deletion_area.min()), abs=1e-9)
    reverse = curves(model, image, torch.tensor([0]), rank_pixels(-(weights * image)[:, 0], seed=0), steps=6)
    assert float(reverse.deletion_area[0]) == pytest.approx(float(every.deletion_area.max()), abs=1e-9)


def test_one_image_at_a_time_by_hand() -> None:
    """The definition in a loop over images and steps, on blocks that do not divide the image."""
    model, images, targets = small().eval(), drawn(3, 2, 3, 10, 11), torch.tensor([1, 3])
    maps = drawn(4, 2, 10, 11)
    ranking = rank_pixels(maps, seed=0, block=4)
    found = curves(model, images, targets, ranking, steps=7)
    start = blurred(images)
    for i in range(2):
        for step in range(8):
            gone = ranking.ranks[i] < round(step * 9 / 7)
            deleted, inserted = images[i].clone(), start[i].clone()
            deleted[:, gone] = 0
            inserted[:, gone] = images[i][:, gone]
            for curve, image in ((found.deletion, deleted), (found.insertion, inserted)):
                p = float(model(image[None]).double().softmax(1)[0, targets[i]].detach())
                assert float(curve[i, step]) == pytest.approx(p, abs=1e-6)
            assert float(found.fractions[i, step]) == pytest.approx(float(gone.double().mean()))


@pytest.mark.parametrize("max_batch", [1, 3, 7, 1000])
def test_memory_is_bounded_and_changes_nothing(max_batch: int) -> None:
    model, images, targets = small(), drawn(7, 3, 3, 9, 9), torch.tensor([0, 1, 2])
    ranking = rank_pixels(drawn(8, 3, 9, 9), seed=0)
    sizes: list[int] = []
    handle = model.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    found = curves(model, images, targets, ranking, steps=6, max_batch=max_batch)
    handle.remove()
    assert max(sizes) <= max_batch
    whole = curves(model, images, targets, ranking, steps=6)
    torch.testing.assert_close(found.deletion, whole.deletion, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.insertion, whole.insertion, rtol=0, atol=1e-6)


def test_the_blur_keeps_the_mean_of_what_is_even_and_fits_small_images() -> None:
    even = torch.full((1, 2, 5, 20), 3.0)
    torch.testing.assert_close(blurred(even), even)
    point = torch.zeros(1, 1, 21, 21)
    point[0, 0, 10, 10] = 1
    x = torch.arange(-5, 6).double()
    row = torch.exp(-(x**2) / 50)
    expected = torch.outer(row / row.sum(), row / row.sum()).float()
    torch.testing.assert_close(blurred(point)[0, 0, 5:16, 5:16], expected)
    assert blurred(drawn(0, 1, 1, 1, 1)).shape == (1, 1, 1, 1)


class Refusing(nn.Module):
    """Fails on its second batch, told by the images: a count of its own would be put back after the first."""

    def __init__(self, first: Tensor) -> None:
        super().__init__()
        self.inner = small()
        self.first = first

    def forward(self, images: Tensor) -> Tensor:
        if not torch.equal(images, self.first):
            raise RuntimeError("out of memory")
        return self.inner(images)


def test_the_model_is_left_as_it_was_also_after_a_failure() -> None:
    images, targets = drawn(9, 2, 3, 8, 8), torch.tensor([0, 1])
    ranking = rank_pixels(drawn(8, 2, 8, 8), seed=0)
    model = small()
    with unchanged(model):
        curves(model, images, targets, ranking, steps=4)
    failing = Refusing(images)
    with unchanged(failing), pytest.raises(RuntimeError, match="out of memory"):
        curves(failing, images, targets, ranking, steps=4, max_batch=2)


@pytest.mark.parametrize("target", [0, 1])
def test_a_single_logit_and_sigmoids_have_the_same_curves(target: int) -> None:
    """The logit of class 1 of two is what `Additive` says of class 0; by a sigmoid, its class 0 needs no other."""
    weights, image = drawn(3, 1, 4, 4), torch.ones(1, 1, 4, 4)
    model, ranking = Additive(weights), rank_pixels(drawn(0, 1, 4, 4), seed=0)
    together = curves(model, image, torch.tensor([1 - target]), ranking, steps=4)
    single = nn.Sequential(model, nn.Linear(2, 1, bias=False))
    nn.init.constant_(single[1].weight[:, :1], 1)
    nn.init.zeros_(single[1].weight[:, 1:])
    found = curves(single, image, torch.tensor([target]), ranking, steps=4)
    torch.testing.assert_close(found.deletion, together.deletion, rtol=0, atol=1e-6)
    each = curves(model, image, torch.tensor([0]), ranking, steps=4, activation="sigmoid")
    alone = curves(model, image, torch.tensor([0]), ranking, steps=4)
    torch.testing.assert_close(each.deletion, alone.deletion, rtol=0, atol=1e-6)
    other = curves(model, image, torch.tensor([1]), ranking, steps=4, activation="sigmoid")
    torch.testing.assert_close(other.deletion, torch.full_like(other.deletion, 0.5), rtol=0, atol=0)


def test_wrong_requests_are_told() -> None:
    images, ranking = drawn(9, 1, 3, 8, 8), rank_pixels(torch.zeros(1, 8, 8), seed=0)
    with pytest.raises(RequestError, match="no target class 4: the model has classes 0 to 3"):
        curves(small(), images, torch.tensor([4]), ranking)
    with pytest.raises(RequestError, match="no target class 2: the model has classes 0 to 1"):
        curves(small(classes=1), images, torch.tensor([2]), ranking)
    with pytest.raises(WorkError, match="NaN or infinite"):
        curves(small(), images * float("nan"), torch.tensor([0]), ranking)
    with pytest.raises(ValueError, match="steps is 0"):
        curves(small(), images, torch.tensor([0]), ranking, steps=0)
    with pytest.raises(ValueError, match="max_batch is 0"):
        curves(small(), images, torch.tensor([0]), ranking, max_batch=0)
