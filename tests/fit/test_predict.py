import pytest
import torch
from torch import nn

from cnnlab.data.batches import ChannelStatistics, EvaluationBatches, normalise
from cnnlab.fit.predict import predict
from cnnlab.fit.views import AveragedViews

STATISTICS = ChannelStatistics((0.5,), (0.25,))


@pytest.fixture
def some_images() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (11, 1, 4, 4), generator=generator, dtype=torch.uint8)
    return images, torch.randint(3, (11,), generator=generator)


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(16, 3))


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_every_image_once_in_order_whatever_the_batch_size(model, some_images, batch_size: int) -> None:
    images, labels = some_images
    found = predict(model, EvaluationBatches(images, labels, batch_size=batch_size, statistics=STATISTICS))
    model.eval()
    expected = model(normalise(images, STATISTICS)).detach()
    torch.testing.assert_close(found.logits, expected)
    assert torch.equal(found.labels, labels)
    assert found.accuracy == float((expected.argmax(1) == labels).double().mean())
    assert found.loss == pytest.approx(float(nn.functional.cross_entropy(expected, labels)), rel=1e-5)
    assert not found.logits.is_inference()
    assert not found.labels.is_inference()


def test_flip_averages_the_logits_of_an_image_and_its_mirror_image(model, some_images) -> None:
    images, labels = some_images
    flipped = EvaluationBatches(images.flip(-1), labels, batch_size=5, statistics=STATISTICS)
    plain = predict(model, EvaluationBatches(images, labels, batch_size=5, statistics=STATISTICS)).logits
    batches = EvaluationBatches(images, labels, batch_size=5, statistics=STATISTICS)
    both = predict(model, batches, tta=AveragedViews("flip")).logits
    torch.testing.assert_close(both, (plain + predict(model, flipped).logits) / 2)


def test_the_model_is_left_as_it_was(model, some_images) -> None:
    images, labels = some_images
    before = {name: value.clone() for name, value in model.state_dict().items()}
    predict(model, EvaluationBatches(images, labels, batch_size=5, statistics=STATISTICS), precision="bf16")
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
