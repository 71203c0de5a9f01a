"""Images per second from files on disk to batches: torchvision's ImageFolder and DataLoader against cnnlab's `folder`.

    python benchmarks/pipeline.py [--images 1500] [--side 96] [--threads 2]

A folder of JPEG photographs of mixed sizes (the real CIFAR-10 where $CNNLAB_DATA holds it, enlarged; otherwise smooth
random fields) becomes batches of 32: the shorter side resized, the middle cut out, random flip, to float, normalised.
Sides: `ImageFolder` with pillow in two workers; the same with torchvision's native decoder (libjpeg-turbo,
`decode_image`) in two workers; cnnlab, whose first epoch decodes in threads into a cache, in memory and on disk
(`storage: disk`, for images larger than memory), and whose later epochs read that. The first epoch and the later ones
are told apart: ImageFolder decodes in each. Every side is warmed up by a small folder; the sides alternate.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import CIFAR10, ImageFolder
from torchvision.io import ImageReadMode, decode_image, read_file

from cnnlab.core.registry import component
from cnnlab.data import catalog  # noqa: F401  (fills the registries)
from cnnlab.data.batches import TrainingBatches, channel_statistics
from cnnlab.data.dataset import DataPlace

BATCH_SIZE = 32
WORKERS = 2
SIZES = ((640, 480), (480, 640), (500, 375), (800, 600), (512, 512), (320, 240))
CLASSES = ("cat", "dog", "owl")


def write_folder(root: Path, count: int) -> str:
    """Write `count` photographs in class folders; returns what they are."""
    pixels, what = _pictures(count)
    for number in range(count):
        wide, high = SIZES[number % len(SIZES)]
        tensor = torch.from_numpy(pixels[number % len(pixels)]).permute(2, 0, 1)[None].float()
        large = F.interpolate(tensor, (high, wide), mode="bicubic").clamp(0, 255).byte()[0].permute(1, 2, 0).numpy()
        place = root / CLASSES[number % len(CLASSES)] / f"{number:05}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(large).save(place, quality=90)
    return what


def _pictures(count: int) -> tuple[np.ndarray[Any, Any], str]:
    root = Path(os.environ.get("CNNLAB_DATA", ""))
    if (root / "cifar-10-batches-py").is_dir():
        return CIFAR10(root).data[:count], "CIFAR-10, enlarged"
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8), "random fields"


def native(path: str) -> torch.Tensor:
    """An image by torchvision's own decoder."""
    return decode_image(read_file(path), ImageReadMode.RGB)


def image_folder(root: Path, side: int, loader: Callable[[str], Any] | None) -> DataLoader[Any]:
    """torchvision's side; `loader` in place of pillow."""
    turn: list[Any] = [transforms.Resize(side), transforms.CenterCrop(side), transforms.RandomHorizontalFlip()]
    turn += [transforms.ToTensor()] if loader is None else [transforms.ConvertImageDtype(torch.float32)]
    turn.append(transforms.Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)))
    options = {} if loader is None else {"loader": loader}
    return DataLoader(
        ImageFolder(str(root), transforms.Compose(turn), **options),
        BATCH_SIZE,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,  # in its favour: the workers are started once, in the first epoch
    )


class Ours:
    """cnnlab's side: the first epoch decodes, each later one reads what that left."""

    def __init__(self, root: Path, side: int, storage: str, scratch: Path):
        self.root, self.side, self.storage, self.scratch = root, side, storage, scratch
        self.batches: TrainingBatches | None = None
        self.epoch = 0

    def __iter__(self) -> Any:
        if self.batches is None:
            choice = component("dataset", "folder", path=str(self.root), size=self.side, storage=self.storage)
            images = choice.build(place=DataPlace(self.scratch), part="train")
            self.batches = TrainingBatches(
                images.images,
                images.labels,
                batch_size=BATCH_SIZE,
                seed=0,
                augmentations=[component("augmentation", "flip").build(classes=len(CLASSES))],
                statistics=channel_statistics(images.images),
                classes=len(CLASSES),
            )
        self.epoch += 1
        return (batch.images for batch in self.batches.epoch(self.epoch))


def seconds(batches: Iterable[Any]) -> tuple[float, int]:
    """How long one pass takes, and how many images it has."""
    begin, images = time.perf_counter(), 0
    for batch in batches:
        images += len(batch[0]) if isinstance(batch, list) else len(batch)
    return time.perf_counter() - begin, images


def main() -> None:
    parser = argparse.ArgumentParser(description="From files to batches: torchvision's against cnnlab's.")
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--side", type=int, default=96, help="pixels of the images in a batch")
    parser.add_argument("--threads", type=int, default=2, help="threads of the main process")
    parser.add_argument("--rounds", type=int, default=3, help="repeats, each with a first and two later epochs")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    scratch = Path(tempfile.mkdtemp(prefix="pipeline-"))
    try:
        measure(options, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def measure(options: argparse.Namespace, scratch: Path) -> None:
    """Write the folder, run every side, print the table."""
    root = scratch / "photographs"
    what = write_folder(root, options.images)
    small = scratch / "few"
    write_folder(small, 2 * BATCH_SIZE)

    def sides(folder: Path, turn: int) -> dict[str, Iterable[Any]]:
        return {
            f"ImageFolder, pillow, {WORKERS} workers": image_folder(folder, options.side, None),
            f"ImageFolder, native decoder, {WORKERS} workers": image_folder(folder, options.side, native),
            "cnnlab, in memory": Ours(folder, options.side, "memory", scratch / f"memory-{folder.name}-{turn}"),
            "cnnlab, on disk": Ours(folder, options.side, "disk", scratch / f"disk-{folder.name}-{turn}"),
        }

    for side in sides(small, 0).values():
        seconds(side)
    first: dict[str, list[float]] = {}
    later: dict[str, list[float]] = {}
    for turn in range(options.rounds):
        for name, side in sides(root, turn).items():
            for epoch in range(3):
                spent, count = seconds(side)
                assert count == options.images, (name, count)
                (first if epoch == 0 else later).setdefault(name, []).append(count / spent)
            if isinstance(side, Ours):
                shutil.rmtree(side.scratch, ignore_errors=True)

    machine = f"{os.cpu_count()} cores, torch {torch.__version__}"
    print(f"{options.images:,} JPEG files ({what}; {len(SIZES)} sizes) to {options.side} px, {machine}")
    print(f"{'images/s (median of ' + str(options.rounds) + ')':46s} {'first epoch':>12s} {'later':>12s}")
    for name in first:
        print(f"{name:46s} {median(first[name]):>12,.0f} {median(later[name]):>12,.0f}")
    names = list(first)
    for theirs in names[:2]:
        ratios = [median(rates[names[2]]) / median(rates[theirs]) for rates in (first, later)]
        print(f"{'ratio cnnlab in memory / ' + theirs.split(',')[1].strip():46s} {ratios[0]:>12.2f} {ratios[1]:>12.1f}")


if __name__ == "__main__":
    main()
