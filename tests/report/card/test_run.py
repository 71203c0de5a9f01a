"""`report_card` called from Python: the card of one image, and of the same image before anything was learned."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from cnnlab.core.errors import RequestError
from cnnlab.data.batches import normalise
from cnnlab.data.dataset import Dataset
from cnnlab.network.network import RunNetwork
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.report.card.run import report_card
from cnnlab.runs.images import evaluation_images


@pytest.fixture(scope="module")
def network(trained: Any) -> RunNetwork:
    return open_run("tiny", Session(runs=trained.place.runs, device_name="cpu"))


@pytest.fixture(scope="module")
def images(network: RunNetwork) -> Dataset:
    return evaluation_images(network.run, network.config, "validation", Session().place)


def card(network: RunNetwork, images: Dataset, pick: str, **options: Any) -> Any:
    return report_card(network, images, split="validation", pick=pick, **options)


def test_the_answer_is_that_of_the_network(network: RunNetwork, images: Dataset) -> None:
    with torch.no_grad():
        logits = network.model(normalise(images.images, network.preparation.statistics))
    answers = logits.argmax(1)
    first = int((answers == images.labels).nonzero()[0])
    wrong = int((answers != images.labels).nonzero()[0])
    for pick, index in (("first-correct", first), ("wrong", wrong), ("5", 5)):
        found = card(network, images, pick)
        assert (found.index, found.answer) == (index, network.classes[int(answers[index])])
        assert found.probability == pytest.approx(float(logits[index].softmax(0).max()), abs=1e-6)
        assert found.truth == images.classes[int(images.labels[index])]
        assert (found.image == images.images[index].permute(1, 2, 0).numpy()).all()
    weights = network.model.get_submodule("conv_bn_act1.conv").weight
    assert torch.equal(found.filters, weights.detach())


def test_a_card_without_learning_is_of_another_network_and_says_how_alike_its_maps_are(
    network: RunNetwork, images: Dataset
) -> None:
    learned, random = card(network, images, "5"), card(network, images, "5", random_weights=True)
    fresh = network.fresh(network.config.seed)
    assert torch.equal(random.filters, fresh.get_submodule("conv_bn_act1.conv").weight.detach())
    assert not torch.equal(random.filters, learned.filters)
    assert not np.allclose(random.lenses.saliency, learned.lenses.saliency)
    alike = spearmanr(learned.lenses.saliency.ravel(), random.lenses.saliency.ravel()).statistic
    assert random.likeness["saliency"] == pytest.approx(float(alike), abs=1e-6)
    assert learned.likeness is None
    assert (random.index, random.truth) == (learned.index, learned.truth)


def test_where_no_image_fits_that_is_said(network: RunNetwork, images: Dataset) -> None:
    answers = network.model(normalise(images.images, network.preparation.statistics)).argmax(1)
    with pytest.raises(RequestError, match="`pick` is wrong, and each image is answered rightly"):
        card(network, replace(images, labels=answers), "wrong")
    with pytest.raises(RequestError, match="first-correct, and no image of this part is answered rightly"):
        card(network, replace(images, labels=(answers + 1) % 10), "first-correct")


@pytest.mark.parametrize("pick", ["stars", "999"])
def test_what_is_not_there_is_refused_by_its_name(network: RunNetwork, images: Dataset, pick: str) -> None:
    with pytest.raises(RequestError, match=pick):
        card(network, images, pick)
