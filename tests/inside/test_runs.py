"""The runs behind `cnnlab visualize` called from Python: what they say on the way, find, and refuse."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from subject_steps import outcome

from cnnlab.core.errors import RequestError
from cnnlab.data.batches import normalise
from cnnlab.data.dataset import Dataset
from cnnlab.inside.dream.run import dreams, objectives
from cnnlab.inside.embedding.run import embedded
from cnnlab.inside.features.run import watched_features
from cnnlab.inside.filters.run import measured_filters
from cnnlab.inside.patches.run import found_patches
from cnnlab.network.network import Network
from cnnlab.network.open import open_network
from cnnlab.network.prepared_images import images_of_part
from cnnlab.network.session import Session


@pytest.fixture(scope="module")
def session(trained: Any) -> Session:
    return Session(runs=trained.place.runs, device_name="cpu")


@pytest.fixture(scope="module")
def network(session: Session) -> Network:
    return open_network("tiny", session, for_images=True)


@pytest.fixture(scope="module")
def images(network: Network, session: Session) -> Dataset:
    return network.part("validation", session.place)


@pytest.fixture(scope="module")
def maps(network: Network, images: Dataset) -> torch.Tensor:
    """What `conv_bn_act2` puts out for all of them, by a hook of torch's."""
    found: list[torch.Tensor] = []
    layer = network.model.get_submodule("conv_bn_act2")
    handle = layer.register_forward_hook(lambda module, inputs, output: found.append(output.detach()))
    with torch.no_grad():
        network.model(normalise(images.images, network.preparation.statistics))
    handle.remove()
    return found[0]


def test_filters(network: Network, session: Session) -> None:
    done, facts = outcome(measured_filters(network, session, random=2))
    assert done == ["fitting"]
    assert (facts.layer, facts.trained, facts.bank.n) == ("conv_bn_act1.conv", True, 8)
    assert [(null.name, null.bank.n) for null in facts.nulls] == [("untrained", 8), ("random", 2)]
    weights = network.model.get_submodule("conv_bn_act1.conv").weight
    assert torch.equal(facts.weights, weights.detach())
    energy = weights.double().square().sum((1, 2, 3))
    assert [one.energy for one in facts.filters] == pytest.approx(energy.tolist())


def test_features(network: Network, session: Session, images: Dataset, maps: torch.Tensor) -> None:
    shown = images_of_part(images, "validation", network.preparation, count=2, seed=0)
    done, facts = outcome(watched_features(network, shown, session, layer="conv_bn_act2", channels=(3, 1)))
    assert done == ["watching", "drawing"]
    assert (facts.layer, facts.channels, facts.sampled) == ("conv_bn_act2", (3, 1), len(images))
    for one, image in zip(facts.images, shown, strict=True):
        number = int(image.name.rsplit("/", 1)[1])
        assert one.maps == pytest.approx(maps[number].numpy(), abs=1e-5)


def test_patches(network: Network, session: Session, images: Dataset, maps: torch.Tensor) -> None:
    steps = found_patches(network, images, session, split="validation", layer="conv_bn_act2", top=2)
    done, facts = outcome(steps)
    assert done == ["searching"]
    assert (facts.layer, facts.seen, len(facts.channels)) == ("conv_bn_act2", len(images), 16)
    best = maps.flatten(2).amax(2).sort(dim=0, descending=True).values[:2]
    for one in facts.channels:
        assert [patch.value for patch in one.patches] == pytest.approx(best[:, one.channel].tolist(), rel=1e-5)


def test_dreams(network: Network, session: Session) -> None:
    wanted = objectives(network, layer="conv_bn_act2", channel="0,5")
    once, again, other = (outcome(dreams(network, wanted, replace(session, seed=seed), steps=4)) for seed in (1, 1, 2))
    assert once[0] == ["dreaming"]
    pixels = [[one.image for one in facts.dreams] for _, facts in (once, again, other)]
    assert all(np.array_equal(a, b) for a, b in zip(pixels[0], pixels[1], strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(pixels[0], pixels[2], strict=True))
    assert [len(one.scores) for one in once[1].dreams] == [4, 4]


def test_embedding(network: Network, session: Session, images: Dataset, maps: torch.Tensor) -> None:
    done, facts = outcome(embedded(network, images, session, split="validation", like=("2",), neighbours=3))
    assert done == ["features", "neighbours"]
    features = maps.mean((2, 3)).double().numpy()
    assert facts.features.double().numpy() == pytest.approx(features, rel=1e-4, abs=1e-6)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2)
    near = np.argsort(-cosine, axis=1)[:, :3]
    labels = images.labels.numpy()
    assert facts.agreement == pytest.approx(float((labels[near] == labels[:, None]).mean()), abs=0.02)
    assert list(facts.queries[0].similarity) == pytest.approx(np.sort(cosine[2])[:-4:-1].tolist(), abs=1e-4)
    centred = features - features.mean(0)
    share = np.linalg.svd(centred, compute_uv=False) ** 2
    found = facts.components.share.tolist()
    assert found == pytest.approx((share / share.sum())[: len(found)].tolist(), abs=1e-4)


REFUSED: dict[str, Callable[[Network, Session, Dataset], Any]] = {
    "nothing": lambda network, session, images: outcome(measured_filters(network, session, layer="nothing")),
    "no layer": lambda network, session, images: outcome(features(network, session, images, layer="no layer")),
    "99": lambda network, session, images: outcome(features(network, session, images, channels=(99,))),
    "neither": lambda network, session, images: outcome(
        found_patches(network, images, session, split="validation", layer="neither")
    ),
    "98": lambda network, session, images: outcome(
        found_patches(network, images, session, split="validation", channels=(98,))
    ),
    "dog": lambda network, session, images: objectives(network, classes=("dog",)),
    "97": lambda network, session, images: objectives(network, layer="conv_bn_act2", channel="97"),
    "9999": lambda network, session, images: outcome(
        embedded(network, images, session, split="validation", like=("9999",))
    ),
}
"""By what each asks for and does not get."""


def features(network: Network, session: Session, images: Dataset, **options: Any) -> Any:
    shown = images_of_part(images, "validation", network.preparation, count=1, seed=0)
    return watched_features(network, shown, session, **options)


@pytest.mark.parametrize("named", REFUSED)
def test_what_is_not_there_is_refused_by_its_name(
    network: Network, session: Session, images: Dataset, named: str
) -> None:
    with pytest.raises(RequestError, match=named):
        REFUSED[named](network, session, images)
