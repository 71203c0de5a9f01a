"""Baselines by name, by number and as tensors: what each is in the network's own units."""

import pytest
import torch
from attribution.subjects import gap, some_images
from torch import Tensor

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.baseline import NAMED_BASELINES, baseline_of
from cnnlab.attribution.batch import Request, batches, whole_batch
from cnnlab.attribution.catalog import chosen_methods
from cnnlab.attribution.method import Batch, PixelRange
from cnnlab.core.errors import RequestError

MEAN, STD = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])
RANGE = PixelRange((0 - MEAN) / STD, (1 - MEAN) / STD)


def asked(images: Tensor, *, max_batch: int = 64, seed: int = 0, pixels: PixelRange | None = RANGE) -> list[Batch]:
    request = Request(gap(), images, [0] * len(images), "occlusion", max_batch=max_batch, seed=seed, pixels=pixels)
    return list(batches(whole_batch(request)))


def baseline(value, images: Tensor, **options) -> Tensor:  # type: ignore[no-untyped-def]
    return torch.cat([baseline_of(batch, value) for batch in asked(images, **options)])


def in_pixels(images: Tensor) -> Tensor:
    return images * STD[:, None, None] + MEAN[:, None, None]


def normalised(pixels: Tensor) -> Tensor:
    return (pixels - MEAN[:, None, None]) / STD[:, None, None]


def test_zero_and_numbers_are_after_normalisation_and_colours_before() -> None:
    images = some_images(2)
    assert torch.equal(baseline("zero", images), torch.zeros_like(images))
    assert torch.equal(baseline(0.5, images), torch.full_like(images, 0.5))
    torch.testing.assert_close(in_pixels(baseline("black", images)), torch.zeros_like(images), rtol=0, atol=1e-6)
    torch.testing.assert_close(in_pixels(baseline("white", images)), torch.ones_like(images), rtol=0, atol=1e-6)


@pytest.mark.parametrize("word", ["mean", "blur", "noise"])
def test_what_is_made_of_the_image_is_the_same_in_pixels(word: str) -> None:
    pixels = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(in_pixels(baseline(word, normalised(pixels))), baseline(word, pixels), rtol=0, atol=1e-5)


def test_mean_blur_and_noise_are_what_their_names_say() -> None:
    images = some_images(2, 32)
    mean, blur, noise = (baseline(word, images) for word in ("mean", "blur", "noise"))
    torch.testing.assert_close(mean[:, :, 3, 5], images.mean((2, 3)))
    assert float(mean.std((2, 3)).max()) < 1e-6
    assert bool((blur.var((2, 3)) < 0.5 * images.var((2, 3))).all())
    constant = torch.full((1, 3, 16, 16), 0.7)
    torch.testing.assert_close(baseline("blur", constant), constant)
    torch.testing.assert_close(noise.mean((2, 3)), images.mean((2, 3)), rtol=0, atol=0.15)
    torch.testing.assert_close(noise.std((2, 3)), images.std((2, 3)), rtol=0.15, atol=0)
    assert torch.equal(noise, baseline("noise", images))
    assert not torch.equal(noise, baseline("noise", images, seed=1))


@pytest.mark.parametrize("word", NAMED_BASELINES)
def test_no_image_depends_on_which_others_go_through_with_it(word: str) -> None:
    images = some_images(4)
    torch.testing.assert_close(baseline(word, images), baseline(word, images, max_batch=3))


def test_a_tensor_broadcasts_or_has_one_baseline_for_each_image() -> None:
    images, own = some_images(4), some_images(4).flip(0)
    assert torch.equal(baseline(own, images, max_batch=3), own)
    colour = torch.tensor([0.5, -1.0, 0.0])[:, None, None]
    assert torch.equal(baseline(colour, images), colour.expand_as(images))
    with pytest.raises(RequestError, match=r"baseline: is a tensor of shape \(2, 16, 16\), which does not broadcast"):
        baseline(torch.zeros(2, 16, 16), images)
    with pytest.raises(RequestError, match=r"is a tensor of torch\.int64, expected finite floating-point numbers"):
        chosen_methods([{"occlusion": {"baseline": torch.zeros(3, 1, 1).long()}}])


def test_black_is_no_colour_of_images_of_which_nobody_says_how_they_are_normalised() -> None:
    with pytest.raises(RequestError, match="baseline: black is a colour of images before normalisation"):
        attribute(gap(), some_images(1), [0], methods="occlusion:baseline=black")
    found = attribute(gap(), some_images(1), [0], methods="occlusion:baseline=black", pixels=RANGE)[0]
    given = [{"occlusion": {"baseline": RANGE.black[:, None, None]}}]
    assert torch.equal(found.maps, attribute(gap(), some_images(1), [0], methods=given)[0].maps)


@pytest.mark.parametrize("word", [*NAMED_BASELINES, -1.5])
def test_integrated_gradients_add_up_from_every_baseline(word: str | float) -> None:
    model, images = gap().eval(), some_images(2)
    asked_for = [{"integrated_gradients": {"baseline": word, "steps": 128}}]
    (found,) = attribute(model, images, [0, 3], methods=asked_for, pixels=RANGE)
    with torch.no_grad():
        start = model(baseline(word, images))[torch.arange(2), [0, 3]]
    assert found.delta is not None
    torch.testing.assert_close(found.maps.sum((1, 2)) - found.delta, found.scores - start, rtol=1e-4, atol=1e-5)
