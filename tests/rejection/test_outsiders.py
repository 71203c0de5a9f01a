"""What is made is a function of its seed, in every size, and of what it says it is."""

import pytest
import torch

from cnnlab.core.registry import component
from cnnlab.rejection.outsiders import OUTSIDERS, Made, choosing

LIKE = torch.randint(256, (5, 3, 12, 10), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def made(name: str, seed: int = 0, count: int = 8) -> Made:
    found: Made = component("outsider", name).build(count=count, size=(12, 10), seed=seed, like=LIKE)
    return found


@pytest.mark.parametrize("name", [entry.name for entry in OUTSIDERS])
def test_equal_seeds_make_equal_images_and_others_others(name: str) -> None:
    first = made(name)
    assert first.images.shape == (8, 3, 12, 10)
    assert first.images.dtype == torch.uint8
    assert len(first.names) == 8
    assert torch.equal(first.images, made(name).images)
    assert not torch.equal(first.images, made(name, seed=1).images)
    assert all(float(image.float().std()) > 1 for image in first.images)


def test_patches_are_those_of_an_accepted_image_in_another_order() -> None:
    whole = [sorted(image[:, :, :8].flatten().tolist()) for image in LIKE]
    for image in made("patches").images:
        assert sorted(image[:, :, :8].flatten().tolist()) in whole
        assert not any(torch.equal(image, one) for one in LIKE)


def test_what_scores_are_chosen_by_is_none_of_the_outsiders() -> None:
    found = choosing(8, 0, LIKE)
    assert found.images.shape == LIKE[:1].expand(8, -1, -1, -1).shape
    assert not set(found.names) & {name for entry in OUTSIDERS for name in made(entry.name).names}
    grey = choosing(4, 0, LIKE[:, :1])
    assert grey.images.shape == (4, 1, 12, 10)
