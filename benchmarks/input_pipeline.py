"""Images per second of the input pipeline alone: torchvision's, an image at a time in two workers, against cnnlab's.

    python benchmarks/input_pipeline.py [--images 50000] [--threads 2]

Both sides make CIFAR-10 batches of 128: random crop with a border of 4, random flip, to float, normalised. The real
images are used where $CNNLAB_DATA holds them, otherwise random bytes (the work is the same). No training takes place.
Each side runs a first time to warm up, then their epochs alternate. Other work on the machine slows both; the best
epoch is the one that it disturbed least.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import CIFAR10

from cnnlab.core.registry import component
from cnnlab.data import augmentations  # noqa: F401  (fills the registry)
from cnnlab.data.batches import ChannelStatistics, TrainingBatches

BATCH_SIZE = 128
WORKERS = 2
STATISTICS = ChannelStatistics((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


class Photographs(torch.utils.data.Dataset[tuple[Any, int]]):
    """What `torchvision.datasets.CIFAR10` does, for a part of it or for random bytes."""

    def __init__(self, pixels: UInt8[np.ndarray, "n 32 32 3"], labels: list[int], transform: Callable[[Any], Any]):
        self.pixels, self.labels, self.transform = pixels, labels, transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(self.pixels[index])), self.labels[index]


def load(count: int) -> tuple[UInt8[np.ndarray, "n 32 32 3"], list[int], str]:
    """Pixels, labels, and where they are from."""
    root = Path(os.environ.get("CNNLAB_DATA", ""))
    if (root / "cifar-10-batches-py").is_dir():
        cifar = CIFAR10(root)
        return cifar.data[:count], cifar.targets[:count], "CIFAR-10"
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 32, 32, 3), dtype=torch.uint8, generator=generator)
    return pixels.numpy(), torch.randint(10, (count,), generator=generator).tolist(), "random bytes"


def rate(batches: Iterable[Any], count_of: Callable[[Any], int]) -> float:
    """Images per second of one pass."""
    begin, images = time.perf_counter(), 0
    for batch in batches:
        images += count_of(batch)
    return images / (time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description="The input pipeline alone: torchvision's against cnnlab's.")
    parser.add_argument("--images", type=int, default=50_000, help="images per epoch, for a shorter run")
    parser.add_argument("--threads", type=int, default=2, help="threads of the main process")
    parser.add_argument("--rounds", type=int, default=3, help="torchvision epochs; cnnlab's are ten times as many")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pixels, labels, source = load(options.images)

    transform = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(STATISTICS.mean, STATISTICS.std),
        ]
    )
    loader = DataLoader(
        Photographs(pixels, labels, transform),
        BATCH_SIZE,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,  # in its favour: the workers are started once, in the warm-up
    )
    ours = TrainingBatches(
        torch.from_numpy(pixels).permute(0, 3, 1, 2),
        torch.tensor(labels),
        batch_size=BATCH_SIZE,
        seed=0,
        augmentations=[component("augmentation", name).build(classes=10) for name in ("crop", "flip")],
        statistics=STATISTICS,
        classes=10,
    )

    torchvision_rates, cnnlab_rates = [], []
    for turn in range(options.rounds + 1):
        one = rate(loader, lambda batch: len(batch[0]))
        # An epoch is short: ten of them, and every batch counts.
        ten = [rate(ours.epoch(10 * turn + k), lambda batch: len(batch.images)) for k in range(10)]
        if turn:
            torchvision_rates.append(one)
            cnnlab_rates.extend(ten)

    machine = f"{os.cpu_count()} cores, torch {torch.__version__}"
    print(f"{len(pixels):,} images ({source}), batches of {BATCH_SIZE}, {machine}")
    sides = {
        f"torchvision, DataLoader with {WORKERS} workers": torchvision_rates,
        f"cnnlab, {options.threads} threads": cnnlab_rates,
    }
    print(f"{'images/s':40s} {'median':>10s} {'best':>10s}")
    for name, rates in sides.items():
        print(f"{name:40s} {median(rates):>10,.0f} {max(rates):>10,.0f}")
    medians, bests = ([measure(rates) for rates in sides.values()] for measure in (median, max))
    print(f"{'ratio':40s} {medians[1] / medians[0]:>10.1f} {bests[1] / bests[0]:>10.1f}")


if __name__ == "__main__":
    main()
