"""Patches of networks made by hand, of whose units it is known what they see."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from cnnlab.data.batches import ChannelStatistics
from cnnlab.data.dataset import Dataset
from cnnlab.inside.patches.report import PatchFacts, patches_report
from cnnlab.inside.patches.run import found_patches
from cnnlab.network.open import open_network
from cnnlab.network.preparation import Preparation
from cnnlab.network.session import Session
from cnnlab.view import files


def test_a_unit_that_sees_padding_alone_is_drawn_as_one_black_pixel(tmp_path: Path) -> None:
    convolution = nn.Conv2d(3, 2, 1, padding=1)
    with torch.no_grad():
        convolution.weight.fill_(-1.0)
        convolution.bias.fill_(5.0)  # so that every unit within the image is below those of the border
    model = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))
    session = Session(device_name="cpu")
    network = open_network(model, session, size=16)
    statistics = ChannelStatistics((0.0,) * 3, (1.0,) * 3)
    network = replace(network, prepared=Preparation(network.shape, "crop", statistics, "none"))
    white = torch.full((4, 3, 16, 16), 255, dtype=torch.uint8)
    images = Dataset("white", "train", white, torch.tensor([0, 1, 2, 0]), ("a", "b", "c"))
    *_, facts = found_patches(network, images, session, split="train", layer="0", top=2)
    assert isinstance(facts, PatchFacts)
    strongest = facts.channels[0].patches[0]
    assert (strongest.unit, strongest.value, strongest.box) == ((0, 0), 5.0, (0, 0, -1, -1))
    assert strongest.image is not None
    assert (strongest.image.shape, strongest.image.max()) == ((1, 1, 3), 0)
    files.save(patches_report(facts), tmp_path)


class Again(nn.Module):
    """One ReLU for all."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.relu = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3), nn.ReLU()
        self.last = nn.Linear(5, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.relu(self.second(self.relu(self.first(images)))).mean((2, 3)))


def test_of_images_that_are_no_squares_the_last_layer_that_runs_once() -> None:
    session = Session(device_name="cpu")
    network = open_network(Again(), session, size="12,40", mean=0, std=1, for_images=True)
    pixels = torch.randint(0, 256, (4, 3, 12, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = Dataset("noise", "train", pixels, torch.tensor([0, 1, 1, 0]), ("a", "b"))
    *_, facts = found_patches(network, images, session, split="train", top=2)
    assert isinstance(facts, PatchFacts)
    assert (facts.layer, facts.size, facts.field) == ("second", (8, 36), (5, 5))
    values = network.model.second(network.model.relu(network.model.first(network.preparation.inputs(pixels))))
    for channel in facts.channels:
        best = channel.patches[0]
        assert best.value == values[:, channel.channel].max().item()
        row, column = best.unit
        assert values[best.number, channel.channel, row, column].item() == best.value
        assert best.box == (row, column, row + 4, column + 4)
        assert best.image is not None
        assert torch.equal(
            torch.from_numpy(best.image).permute(2, 0, 1), pixels[best.number, :, row : row + 5, column : column + 5]
        )
