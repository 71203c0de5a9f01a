"""Tokens looked at from inside: their maps, what maximises them, and what part of the image each of them sees."""

from dataclasses import replace

import pytest
import torch
from subject_steps import outcome
from token_networks import ViT, seeded
from torch import Tensor, nn

from cnnlab.data.dataset import Dataset
from cnnlab.inside.dream.maximise import Channel, score
from cnnlab.inside.features.report import features_json, features_report
from cnnlab.inside.features.run import watched_features
from cnnlab.inside.patches.report import patches_json
from cnnlab.inside.patches.run import found_patches
from cnnlab.network.network import Network
from cnnlab.network.open import open_network
from cnnlab.network.placement import WHOLE
from cnnlab.network.prepared_images import ExplainedImage
from cnnlab.network.session import Session
from cnnlab.receptive_field.run import inspect, unit_box

SHAPE = (3, 16, 24)
SAID = "tokens of a grid of 4 × 6, 1 class token left out"
SESSION = Session(device_name="cpu")


@pytest.fixture(scope="module")
def network() -> Network:
    return open_network(seeded(lambda: ViT(SHAPE)), SESSION, size="3,16,24", for_images=True)


def put_out(model: nn.Module, layer: str, x: Tensor) -> Tensor:
    """The patches of a layer as (n, channels, 4, 6), by a hook of torch's."""
    found: list[Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(lambda module, given, output: found.append(output))
    with torch.no_grad():
        model(x)
    handle.remove()
    return found[0][:, 1:].transpose(1, 2).reshape(len(x), -1, 4, 6)


def pixels(n: int) -> Tensor:
    return torch.randint(256, (n, *SHAPE), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


@pytest.mark.parametrize("layer", ["blocks.0", "blocks.1"])
def test_feature_maps(network: Network, layer: str) -> None:
    """Of the last block, too, whose patches lead nowhere."""
    image = pixels(1)
    shown = ExplainedImage("noise", image[0], WHOLE, None, None)
    _, facts = outcome(watched_features(network, [shown], SESSION, layer=layer))
    wanted = put_out(network.model, layer, network.preparation.inputs(image))[0]
    torch.testing.assert_close(torch.from_numpy(facts.images[0].maps), wanted)
    assert features_json(facts)["tokens"] == facts.tokens == SAID
    assert SAID in str(features_report(facts).blocks[0])


def test_patches_and_their_boxes(network: Network) -> None:
    """In front of the attention a token is a patch of 4 × 4 px."""
    images = Dataset("noise", "train", pixels(5), torch.tensor([0, 1, 2, 0, 1]), ("a", "b", "c"))
    network = replace(network, classes=images.classes)
    _, facts = outcome(found_patches(network, images, SESSION, split="train", layer="blocks.0.norm1", top=2))
    maps = put_out(network.model, "blocks.0.norm1", network.preparation.inputs(images.images))
    assert patches_json(facts)["tokens"] == SAID
    for channel, one in enumerate(facts.channels):
        best = one.patches[0]
        row, column = best.unit
        assert best.value == pytest.approx(float(maps[:, channel].max()))
        assert best.value == pytest.approx(float(maps[best.number, channel, row, column]))
        assert best.box == (4 * row, 4 * column, 4 * row + 3, 4 * column + 3)


def test_a_unit_sees_its_patch_and_behind_attention_all(network: Network) -> None:
    found = inspect(network)
    assert unit_box(found, "blocks.0.norm1", (2, 5)) == ((2, 5), (8, 11), (20, 23))
    assert unit_box(found, "blocks.0", (2, 5)) == ((2, 5), (0, 15), (0, 23))
    assert found.field("blocks.0").is_global
    assert not found.field("blocks.0.norm1").is_global


def test_a_channel_of_tokens_is_maximised_over_its_patches(network: Network) -> None:
    x = network.preparation.inputs(pixels(2))
    found = score(network.model, x, Channel("blocks.0", 3))
    torch.testing.assert_close(found, put_out(network.model, "blocks.0", x)[:, 3].mean((1, 2)))
