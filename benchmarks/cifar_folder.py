"""Images of CIFAR-10's test part as a folder of a person's own, with the faults that such folders have.

    python benchmarks/cifar_folder.py FOLDER [--images 600]

Sizes, shapes, modes and kinds of file are mixed; some classes are rare. There are exact and near copies, also across
`train/` and `test/`, one image under two labels, images turned by EXIF, a file that is cut short, one of 0 bytes, and
a text. Every choice is drawn from seed 0. The images need $CNNLAB_DATA.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torchvision.datasets import CIFAR10

SHAPES = ((80, 60), (96, 72), (128, 96), (160, 120), (60, 80), (100, 100))
"""(width, height) in pixels; the photograph, enlarged, is in the middle."""


def main() -> None:
    parser = argparse.ArgumentParser(description="CIFAR-10's test images as a folder with faults.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=600)
    options = parser.parse_args()
    write(options.folder, options.images)


def write(folder: Path, count: int) -> None:
    """About `count` images of ten classes; every second class has half as many."""
    cifar = CIFAR10(os.environ["CNNLAB_DATA"], train=False)
    draw = np.random.default_rng(0)
    each = count / 7.5
    left = {name: round(each if number % 2 == 0 else each / 2) for number, name in enumerate(cifar.classes)}
    for pixels, label in zip(cifar.data, cifar.targets, strict=True):
        name = cifar.classes[label]
        if not left[name]:
            continue
        left[name] -= 1
        part = "test" if left[name] % 5 == 0 else "train"
        _save(folder / part / name, f"{left[name]:03d}", _larger(pixels, SHAPES[draw.integers(len(SHAPES))]), draw)
    cat, dog = sorted((folder / "train" / "cat").iterdir()), sorted((folder / "train" / "dog").iterdir())
    (folder / "test" / "cat" / "again.png").write_bytes(cat[0].read_bytes())  # the name's ending does not matter
    (folder / "train" / "dog" / "misplaced.png").write_bytes(cat[1].read_bytes())
    Image.open(dog[2]).convert("RGB").resize((50, 50)).save(folder / "train" / "dog" / "smaller.jpg", quality=70)
    (folder / "train" / "dog" / "empty.jpg").touch()
    (folder / "train" / "cat" / "cut_short.png").write_bytes(cat[3].read_bytes()[:400])
    (folder / "train" / "cat" / "notes.txt").write_text("taken in May\n", encoding="utf-8")


def _larger(pixels: UInt8[np.ndarray, "32 32 3"], shape: tuple[int, int]) -> Image.Image:
    """The photograph, enlarged to the shorter side, between its own mirrored edges."""
    wide, high = shape
    side = min(shape)
    made = np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))
    across, up = wide - side, high - side
    border = ((up // 2, up - up // 2), (across // 2, across - across // 2), (0, 0))
    return Image.fromarray(np.pad(made, border, mode="reflect"))


def _save(folder: Path, stem: str, image: Image.Image, draw: np.random.Generator) -> None:
    """In one of six ways."""
    folder.mkdir(parents=True, exist_ok=True)
    match int(draw.integers(6)):
        case 0:
            image.save(folder / f"{stem}.png")
        case 1:
            image.convert("L").save(folder / f"{stem}.png")
        case 2:
            image.convert("P", palette=Image.Palette.ADAPTIVE).save(folder / f"{stem}.png")
        case 3:
            image.convert("RGBA").save(folder / f"{stem}.webp", lossless=True)
        case 4:
            exif = Image.Exif()
            exif[0x0112] = 6  # shown turned by 90° to the right, as a camera held upright writes it
            image.rotate(90, expand=True).save(folder / f"{stem}.jpg", quality=90, exif=exif)
        case _:
            image.save(folder / f"{stem}.jpg", quality=90)


if __name__ == "__main__":
    main()
