"""`folder`: the user's own images, as class folders or as a CSV, of any size and kind."""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
import torch
from jaxtyping import UInt8
from pydantic import AfterValidator, Field
from torch import Tensor

from cnnlab.core.arithmetic import Shape, evenly
from cnnlab.core.errors import RequestError
from cnnlab.core.patterns import checked_pattern
from cnnlab.data import cache as decoded_cache
from cnnlab.data.cache import Decoded, Wanted, digest
from cnnlab.data.copies import with_copies
from cnnlab.data.dataset import DataPlace, Dataset, Part, check_memory
from cnnlab.data.decoding import read_image
from cnnlab.data.fitting import FITS, Fitting, FitWord, Interpolation
from cnnlab.data.listing import SHOWN, Listing, compare, group_by_pattern, list_images
from cnnlab.data.parallel import in_parallel
from cnnlab.data.parts import Parts, find_parts
from cnnlab.data.registry import DATASETS, DatasetFacts, Options
from cnnlab.data.storage import fits_into_memory, gathered, on_disk

COMPARED = 4
"""Images that are decoded again to see whether the cache is theirs: some milliseconds each."""

ROUNDED = 4
"""Steps of 255 that another processor's resizing may lie apart."""


Location = Annotated[str, Field(min_length=1)]
Side = Annotated[int, Field(ge=1, le=1024)]
GroupPattern = Annotated[str, AfterValidator(checked_pattern)]


CropShare = Annotated[float, Field(gt=0, le=1)]
Storage = Literal["auto", "memory", "disk"]


def _shape(options: Options) -> Shape:
    """(channels, height, width) by the options `channels` and `size`."""
    return options["channels"], *_sides(options["size"])


def _sides(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


@DATASETS.register("folder", facts=DatasetFacts(_shape, source="own"))
def folder(
    place: DataPlace,
    part: Part,
    *,
    path: Location,
    train: Location | None = None,
    validation: Location | None = None,
    test: Location | None = None,
    size: Side | tuple[Side, Side] = 64,
    fit: FitWord = "crop",
    interpolation: Interpolation = "bilinear",
    crop_share: CropShare | None = None,
    channels: Literal[1, 3] = 3,
    groups: GroupPattern | None = None,
    on_error: Literal["skip", "fatal"] = "skip",
    cache: bool = True,
    storage: Storage = "auto",
    copies_together: bool = False,
) -> Dataset:
    """Your own images: a folder with one folder per class, or a CSV with path, label and perhaps group and part.

    `path` may hold `train/`, `val/` and `test/` (or names like them), each with class folders: `val/` is then the
    validation part, in place of a share of the training part, and the test part where there is no other; so are the
    rows that a CSV's column `part` calls `train`, `val` and `test`. The options
    `train`, `validation` and `test` name the folder or CSV of a part, below `path` or anywhere. Images of any kind
    become squares of `size` pixels, or `[height, width]`: `fit: crop` cuts the middle out, `letterbox` (or `pad`) adds
    black bars, `stretch` distorts. With a `crop_share` such as 0.875 they are first resized and then cut to that share.
    `groups` is a regular expression with one capture, such as `(patient\\d+)`, on each path below `path`: what must
    stay on one side of a split; so do an image and its copies, exact or nearly, with `copies_together`. An image that
    cannot be read is left out and reported, or ends the program (`on_error: fatal`). Decoded images are kept in a
    cache. Where they need more memory than the machine has, or with `storage: disk`, they lie in a file that is read as
    it is needed.
    """
    contents = list_contents(place, path=path, train=train, validation=validation, test=test, groups=groups)
    opened = contents.opened(part)
    listing = Listing.joined(opened.values())
    fitting = Fitting(_sides(size), FITS[fit], interpolation, crop_share)
    options = (fitting, channels)
    name = digest(part, [str(contents.parts.named[name].resolve()) for name in opened], options)
    wanted = Wanted(name, digest(options, _fingerprint(listing)), len(listing.paths), (channels, *fitting.size))
    places = (place.root / "decoded", platformdirs.user_cache_path("cnnlab") / "decoded")
    folders = places if cache else ()
    spill = places if _is_kept_on_disk(storage, wanted) else ()
    decoded, refused = decoded_cache.load(wanted, folders)
    if decoded is not None and not _agrees(decoded, listing, fitting, channels):
        decoded, refused = None, ("the cache of decoded images is not used: it has other images than the files",)
    if decoded is None:
        decoded = _decode(listing, place, fitting, channels, spill)
        decoded_cache.store(decoded, wanted, folders)
    kept = decoded.kept.tolist()
    origins = [name for name, one in opened.items() for _ in one.paths]
    _check_skipped(decoded, listing, origins, on_error, contents.parts.root)

    numbers = {label: number for number, label in enumerate(contents.classes)}
    groups_of = tuple(listing.groups[i] for i in kept) if listing.groups is not None else None
    if copies_together:
        groups_of = with_copies(decoded.images, groups_of, [str(listing.paths[i]) for i in kept])
    return Dataset(
        "folder",
        part,
        decoded.images,
        torch.tensor([numbers[listing.labels[i]] for i in kept], dtype=torch.int64),
        contents.classes,
        groups=groups_of,
        paths=tuple(str(listing.paths[i]) for i in kept),
        held_out=torch.tensor([origins[i] == "validation" for i in kept]) if "validation" in opened else None,
        skipped=decoded.skipped + listing.left_out,
        places={part: str(path) for part, path in contents.parts.named.items()},
        remarks=contents.remarks + refused,
        spill=spill,
    )


def _is_kept_on_disk(storage: Storage, wanted: Wanted) -> bool:
    return storage == "disk" or (storage == "auto" and not fits_into_memory(wanted.count, wanted.shape))


@dataclass(frozen=True)
class Contents:
    """What the parts hold; no image has been opened."""

    parts: Parts
    listings: Mapping[str, Listing]
    """The files of each part that has a place of its own and could be listed."""
    classes: tuple[str, ...]
    remarks: tuple[str, ...]
    refused: RequestError | None
    """Why the test part cannot be used, if it cannot: nothing that a training needs."""

    def opened(self, part: Part) -> dict[str, Listing]:
        """The listings of a part; with the training part comes the validation part.

        Raises: RequestError where there is no test part that could be used.
        """
        if part == "train":
            return {name: listing for name, listing in self.listings.items() if name != "test"}
        if self.refused is not None:
            raise self.refused
        return {"test": self.listings["test"]}


def list_contents(
    place: DataPlace,
    *,
    path: str,
    train: str | None = None,
    validation: str | None = None,
    test: str | None = None,
    groups: str | None = None,
    **others: object,
) -> Contents:
    """Find the parts and list their images, by the options of `folder`; what belongs to decoding is not looked at.

    Raises: RequestError for a training or validation part that cannot be used.
    """
    root = place.base / Path(path).expanduser()
    parts = find_parts(root, place.base, {"train": train, "validation": validation, "test": test})
    training = _listing(parts, "train", groups)
    classes = training.classes
    if len(classes) < 2:
        raise RequestError(f"{parts.train}: has one class only ({classes[0]}); a classifier needs at least two")
    listings, remarks = {"train": training}, list(parts.remarks)
    refused: RequestError | None = None
    for part in ("validation", "test"):
        try:
            if part in parts.named:
                parts.check(part)
                listings[part] = _listing(parts, part, groups)
                remarks += compare(training, listings[part], parts.named[part], part)
            elif part == "test":
                raise RequestError(_no_test_part(parts))
        except RequestError as error:
            if part == "validation":
                raise
            refused = error
            remarks += [f"the test part cannot be used: {error}"] if part in parts.named else []
    return Contents(parts, listings, classes, tuple(remarks), refused)


def _listing(parts: Parts, part: str, groups: str | None) -> Listing:
    path = parts.named[part]
    others = [other for name, other in parts.named.items() if name != part]
    listing = list_images(path, without=others, part=part if parts.in_one_table else None)
    if groups is None:
        return listing
    if listing.groups is not None:
        raise RequestError(f"{path}: has a column 'group', so the option 'groups' cannot be given as well")
    return replace(listing, groups=group_by_pattern(listing, groups))


def _no_test_part(parts: Parts) -> str:
    root = parts.root
    if parts.validation is not None:
        return f"{root}: has no test part ({parts.validation} is the validation part); name one with the option 'test'"
    divide = f"divide it into {root / 'train'} and {root / 'test'}, or " if root.is_dir() else ""
    return f"{root}: has no test part; {divide}name a folder or CSV with the option 'test'"


def _fingerprint(listing: Listing) -> str:
    """Changes with any file, and with the libraries that decode."""
    files: list[tuple[object, ...]] = []
    for path in listing.paths:
        try:
            status = path.stat()
        except OSError as error:  # a link that leads nowhere: reading it will say so
            files.append((os.path.abspath(path), error.errno))
            continue
        # the time of the last change of status as well: a file that has become readable must be tried again
        files.append((os.path.abspath(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return digest(2, *(version(package) for package in ("pillow", "torch", "torchvision")), files)


def _decode(
    listing: Listing, place: DataPlace, fitting: Fitting, channels: Literal[1, 3], spill: Sequence[Path]
) -> Decoded:
    count, shape = len(listing.paths), (channels, *fitting.size)
    if spill:
        images = on_disk(count, shape, spill)
    else:
        check_memory(count, shape)
        images = torch.empty(count, *shape, dtype=torch.uint8)
    kept, skipped = [], []

    def work(number: int) -> str | None:
        try:
            images[number] = _fitted(listing.paths[number], fitting, channels)
        except RequestError as error:
            return str(error)
        return None

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pillow's remarks on odd metadata; what cannot be decoded is reported below
        for number, problem in enumerate(place.track(in_parallel(work, range(count)), "decoding images", count)):
            if problem is None:
                kept.append(number)
            else:
                skipped.append(problem)
    chosen = torch.tensor(kept, dtype=torch.int64)
    return Decoded(images if len(kept) == count else gathered(images, chosen, spill), chosen, tuple(skipped))


def _agrees(decoded: Decoded, listing: Listing, fitting: Fitting, channels: Literal[1, 3]) -> bool:
    """Whether a few images of the cache are what their files hold: whoever could write there, the files decide."""
    for number in evenly(range(len(decoded.kept)), COMPARED):
        try:
            again = _fitted(listing.paths[int(decoded.kept[number])], fitting, channels)
        except RequestError:
            return False
        if int((again.int() - decoded.images[number].int()).abs().max()) > ROUNDED:
            return False
    return True


def _fitted(path: Path, fitting: Fitting, channels: Literal[1, 3]) -> UInt8[Tensor, "c h w"]:
    return fitting(read_image(path, channels=channels))


def _check_skipped(decoded: Decoded, listing: Listing, origins: Sequence[str], on_error: str, root: Path) -> None:
    """Raises: RequestError when `on_error` is fatal, or when a class has no image left in a part that had some."""
    if not decoded.skipped:
        return
    more = len(decoded.skipped) - SHOWN
    listed = [f"  {line}" for line in decoded.skipped[:SHOWN]] + ([f"  and {more:,} more"] if more > 0 else [])
    counted = f"{len(decoded.skipped):,} of {len(listing.paths):,} images in {root} cannot be read"
    if on_error == "fatal":
        raise RequestError(f"{counted} ('on_error: skip' would leave them out):", *listed)
    remaining = {(origins[i], listing.labels[i]) for i in decoded.kept.tolist()}
    if lost := [pair for pair in zip(origins, listing.labels, strict=True) if pair not in remaining]:
        part, label = lost[0]
        where = " in the validation part" if part == "validation" else ""
        raise RequestError(f"{counted}, so the class {label} has none left{where}:", *listed)
