import pytest
import torch
from networks import small, unchanged

from cnnlab.attribution.measures.probability import Drop, confidence_drop

IMAGES = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 1, 2])


def test_definitions() -> None:
    found = Drop(torch.tensor([0.8, 0.5, 0.0]).double(), torch.tensor([0.2, 0.6, 0.0]).double())
    assert found.drop.tolist() == pytest.approx([0.75, 0, 0])
    assert found.increase.tolist() == [0, 1, 0]


def test_a_map_that_keeps_everything_has_no_drop() -> None:
    found = confidence_drop(small(), IMAGES, TARGETS, torch.full((3, 8, 8), 7.0))
    assert found.drop.tolist() == [0, 0, 0]
    assert found.increase.tolist() == [0, 0, 0]


def test_the_scale_of_a_map_and_its_negative_part_do_not_count() -> None:
    maps = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1))
    found = confidence_drop(small(), IMAGES, TARGETS, maps)
    scaled = confidence_drop(small(), IMAGES, TARGETS, maps * 1e-6)
    torch.testing.assert_close(found.shown, scaled.shown)
    large = torch.nn.functional.interpolate(maps[:, None], size=(8, 8), mode="bilinear")[:, 0].clamp(min=0)
    large = large / large.amax((1, 2), keepdim=True)
    probabilities = small().eval()(IMAGES * large[:, None]).double().softmax(1)
    torch.testing.assert_close(found.shown, probabilities[range(3), TARGETS].detach(), rtol=0, atol=1e-6)


def test_a_map_without_evidence_leaves_the_mean_image() -> None:
    found = confidence_drop(small(), IMAGES, TARGETS, -torch.ones(3, 8, 8), max_batch=2)
    mean = small().eval()(torch.zeros(3, 3, 8, 8)).double().softmax(1)[range(3), TARGETS].detach()
    torch.testing.assert_close(found.shown, mean, rtol=0, atol=1e-6)


def test_the_model_is_left_as_it_was() -> None:
    model = small()
    with unchanged(model):
        confidence_drop(model, IMAGES, TARGETS, torch.ones(3, 8, 8))
