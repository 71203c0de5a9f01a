"""`folder`: the user's own pictures, as class folders or as a CSV, of any size and kind."""

import os
import re
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
import torch
from jaxtyping import UInt8
from pydantic import AfterValidator, Field
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.data import cache as decoded_cache
from cnnlab.data.cache import Decoded, digest
from cnnlab.data.dataset import DataPlace, Dataset, Part
from cnnlab.data.decoding import Fit, fit_picture, read_picture
from cnnlab.data.listing import SHOWN, Listing, group_by_pattern, list_pictures
from cnnlab.data.memory import check_memory
from cnnlab.data.parallel import in_parallel
from cnnlab.data.registry import DATASETS

TRAINING_FOLDERS = ("train", "training")
TEST_FOLDERS = ("test", "testing", "val", "valid", "validation")
"""Nested parts by their names; the first that exists is the test part."""


def _one_capture(pattern: str) -> str:
    try:
        captures = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"{pattern} is not a regular expression: {error}") from None
    if captures != 1:
        raise ValueError(f"{pattern} captures {captures} parts, expected one, such as (patient\\d+)")
    return pattern


Location = Annotated[str, Field(min_length=1)]
Side = Annotated[int, Field(ge=1, le=1024)]
GroupPattern = Annotated[str, AfterValidator(_one_capture)]


@DATASETS.register("folder")
def folder(
    place: DataPlace,
    part: Part,
    *,
    path: Location,
    test: Location | None = None,
    size: Side = 64,
    fit: Fit = "crop",
    channels: Literal[1, 3] = 3,
    groups: GroupPattern | None = None,
    on_error: Literal["skip", "fatal"] = "skip",
    cache: bool = True,
) -> Dataset:
    """Your own pictures: a folder with one folder per class, or a CSV with the columns path, label and perhaps group.

    `path` may hold `train/` and `test/` (or `val/`, where there is no `test/`), each with class folders; otherwise
    `test` names the folder or CSV of the test part. Pictures of any kind become squares of `size` pixels: `fit: crop`
    cuts the middle out, `pad` adds black bars, `stretch` distorts. `groups` is a regular expression with one capture,
    such as `(patient\\d+)`, on each path below `path`: what must stay on one side of a split. A picture that cannot be
    read is left out and reported, or ends the program (`on_error: fatal`). Decoded pictures are kept in a cache.
    """
    root = place.base / Path(path).expanduser()
    train_path, test_path = _parts(root, place.base / Path(test).expanduser() if test else None)
    training = list_pictures(train_path)
    classes = training.classes
    if len(classes) < 2:
        raise RequestError(f"{train_path}: has one class only ({classes[0]}); a classifier needs at least two")
    listing = training if part == "train" else _test_listing(root, test_path, classes)
    found_groups = listing.groups
    if groups is not None:
        if found_groups is not None:
            raise RequestError(f"{train_path}: has a column 'group', so the option 'groups' cannot be given as well")
        found_groups = group_by_pattern(listing, re.compile(groups))

    options = (size, fit, channels)
    name = digest(part, str((train_path if part == "train" else test_path or root).resolve()), options)
    key = digest(options, _fingerprint(listing))
    folders = (place.root / "decoded", platformdirs.user_cache_path("cnnlab") / "decoded") if cache else ()
    decoded = decoded_cache.load(name, key, folders)
    if decoded is None:
        decoded = _decode(listing, place, size, fit, channels)
        decoded_cache.store(decoded, name, key, folders)
    _check_skipped(decoded, listing, on_error, root)

    kept = decoded.kept.tolist()
    numbers = {label: number for number, label in enumerate(classes)}
    return Dataset(
        "folder",
        part,
        decoded.images,
        torch.tensor([numbers[listing.labels[i]] for i in kept], dtype=torch.int64),
        classes,
        groups=tuple(found_groups[i] for i in kept) if found_groups is not None else None,
        paths=tuple(str(listing.paths[i]) for i in kept),
        skipped=decoded.skipped + listing.left_out,
    )


def _parts(root: Path, test: Path | None) -> tuple[Path, Path | None]:
    """Where the training part and the test part are.

    Folders are taken for parts only when every one is called like a part: `train` may as well be a class of vehicles.
    """
    if not root.is_dir():
        return root, test
    inside = {
        child.name.lower(): child for child in root.iterdir() if child.is_dir() and not child.name.startswith(".")
    }
    training = [inside[name] for name in TRAINING_FOLDERS if name in inside]
    if not training or not set(inside) <= {*TRAINING_FOLDERS, *TEST_FOLDERS}:
        return root, test
    nested = [inside[name] for name in TEST_FOLDERS if name in inside]
    return training[0], test or (nested[0] if nested else None)


def _test_listing(root: Path, path: Path | None, classes: tuple[str, ...]) -> Listing:
    if path is None:
        divide = f"divide it into {root / 'train'} and {root / 'test'}, or " if root.is_dir() else ""
        raise RequestError(f"{root}: has no test part; {divide}name a folder or CSV with the option 'test'")
    listing = list_pictures(path)
    if strange := [label for label in listing.classes if label not in classes]:
        raise RequestError(
            f"{path}: has the class {strange[0]}, which the training part lacks; it has {', '.join(classes)}"
        )
    return listing


def _fingerprint(listing: Listing) -> str:
    """Changes with any file, and with the libraries that decode."""
    files = []
    for path in listing.paths:
        status = path.stat()
        # the time of the last change of status as well: a file that has become readable must be tried again
        files.append((os.path.abspath(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return digest(1, version("pillow"), version("torchvision"), files)


def _decode(listing: Listing, place: DataPlace, size: int, fit: Fit, channels: Literal[1, 3]) -> Decoded:
    count = len(listing.paths)
    check_memory(count, channels, size)
    images = torch.empty(count, channels, size, size, dtype=torch.uint8)
    kept, skipped = [], []

    def work(number: int) -> str | None:
        try:
            images[number] = _square(listing.paths[number], size, fit, channels)
        except RequestError as error:
            return str(error)
        return None

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pillow's remarks on odd metadata; what cannot be decoded is reported below
        for number, problem in enumerate(place.track(in_parallel(work, range(count)), "decoding pictures", count)):
            if problem is None:
                kept.append(number)
            else:
                skipped.append(problem)
    chosen = torch.tensor(kept, dtype=torch.int64)
    return Decoded(images if len(kept) == count else images[chosen], chosen, tuple(skipped))


def _square(path: Path, size: int, fit: Fit, channels: Literal[1, 3]) -> UInt8[Tensor, "c size size"]:
    return fit_picture(read_picture(path, channels=channels), size, fit)


def _check_skipped(decoded: Decoded, listing: Listing, on_error: str, root: Path) -> None:
    """Raises: RequestError when `on_error` is fatal, or when the pictures that remain are too few."""
    if not decoded.skipped:
        return
    more = len(decoded.skipped) - SHOWN
    listed = "".join(f"\n  {line}" for line in decoded.skipped[:SHOWN]) + (f"\n  and {more:,} more" if more > 0 else "")
    counted = f"{len(decoded.skipped):,} of {len(listing.paths):,} pictures in {root} cannot be read"
    if on_error == "fatal":
        raise RequestError(f"{counted} ('on_error: skip' would leave them out):{listed}")
    remaining = {listing.labels[i] for i in decoded.kept.tolist()}
    if lost := [label for label in listing.classes if label not in remaining]:
        raise RequestError(f"{counted}, so the class {lost[0]} has none left:{listed}")
