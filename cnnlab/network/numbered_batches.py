"""Images as a network sees them, batch by batch, each with its number in the data set."""

from collections.abc import Iterator

import torch
from torch import Tensor

from cnnlab.core.share import WHOLE, Share
from cnnlab.data.dataset import Dataset
from cnnlab.network.network import Network

PIXELS = 256 * 32 * 32
"""Pixels of a batch: 256 small images, 5 of 224 × 224."""


def batch_size(dataset: Dataset) -> int:
    """How many of the images make a batch."""
    _, height, width = dataset.shape
    return max(1, PIXELS // (height * width))


def numbered_batches(network: Network, dataset: Dataset, share: Share = WHOLE) -> Iterator[tuple[Tensor, Tensor, int]]:
    """(images [n, c, h, w] on the network's device, labels [n], number of the first) in order; a `share` of them."""
    device = next(network.model.parameters(), torch.empty(0)).device
    size = batch_size(dataset)
    firsts = range(0, len(dataset), size)
    for first in firsts[slice(*share.part(len(firsts)))]:
        images = dataset.images[first : first + size]
        yield network.preparation.inputs(images.to(device)), dataset.labels[first : first + size], first
