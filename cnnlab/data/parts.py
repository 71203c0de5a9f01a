"""Which folder or CSV of the user's own images is which part, by its name or as the config says, and where it lies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.errors import RequestError
from cnnlab.data.listing import PART_NAMES, parts_in, subfolders

PARTS = ("train", "validation", "test")
PLACES = ("path", *PARTS)
"""The options of `folder` that are paths; a part may lie below `path`, or anywhere."""


@dataclass(frozen=True)
class Parts:
    """The place of each part; without a `validation` that part is cut from the training part."""

    root: Path
    train: Path
    validation: Path | None = None
    test: Path | None = None
    remarks: tuple[str, ...] = ()
    """What was decided that a person may have meant otherwise."""
    in_one_table: bool = False
    """Whether the parts are rows of one CSV, told by its column `part`."""

    @property
    def named(self) -> dict[str, Path]:
        """The parts that have a place of their own, the training part first."""
        found = {"train": self.train, "validation": self.validation, "test": self.test}
        return {part: path for part, path in found.items() if path is not None}

    def check(self, part: str) -> None:
        """Refuse a `part` that is another part as well: what was trained on tells nothing when it is evaluated.

        Raises: RequestError where it is.
        """
        path = self.named[part]
        if self.in_one_table:
            return
        same = [other for other, place in self.named.items() if place.resolve() == path.resolve()]
        if len(same) > 1:
            raise RequestError(f"{path}: is {' and '.join(f'the {_word(other)} part' for other in same)} at once")


def find_parts(root: Path, base: Path, given: Mapping[str, str | None]) -> Parts:
    """The parts of the folder or CSV `root`.

    given: what the config names for `train`, `validation` and `test`, each below `root` or from `base`; it holds
    against any name. Folders are taken for parts by their names only when every one is called like a part: `train` may
    as well be a class of vehicles.

    Raises: RequestError where a name leads nowhere or to two places, or where it cannot be told what is meant.
    """
    inside = root if root.is_dir() else root.parent
    found = {part: _place_of(part, text, inside, base) for part, text in given.items() if text}
    if not found and (rows := parts_in(root)):
        validation, test = (root if part in rows else None for part in ("validation", "test"))
        return Parts(root, root, validation, test, in_one_table=True)
    if not root.is_dir() or _same(found.get("train"), root):
        return Parts(root, found.get("train", root), found.get("validation"), found.get("test"))
    taken = {path.resolve() for path in found.values()}
    folders = [folder for folder in subfolders(root) if folder.resolve() not in taken]
    called = {
        part: [folder for folder in folders if folder.name.lower() in names] for part, names in PART_NAMES.items()
    }
    named = [folder for listed in called.values() for folder in listed]
    others = [folder for folder in folders if folder not in named]
    if "train" not in found:
        if not named or (others and not any(_looks_like_a_part(folder, folders) for folder in named)):
            return Parts(root, root, found.get("validation"), found.get("test"))
        if others:
            raise _unclear(root, f"{_listed(named)}, called like parts, and {_listed(others)}, called like classes")
        if not called["train"]:
            raise _unclear(root, f"{_listed(named)}, called like parts, and no training part")
    if "train" not in found and not subfolders(called["train"][0]):
        raise _unclear(root, f"{_listed(called['train'][:1])}, called like the training part, with no class folders")
    for part, listed in called.items():
        if part not in found and len(listed) > 1:
            raise RequestError(
                f"{root}: has {_listed(listed)}, which are all called like the {_word(part)} part; "
                f"name one with the option '{part}', such as {part}: {listed[0].name}"
            )
    for part, listed in called.items():
        if part not in found and listed:
            found[part] = listed[0]
    remarks = []
    if "validation" in found and "test" not in found and not given.get("validation"):
        lone = found["test"] = found.pop("validation")
        remarks.append(
            f"{lone} is the test part, as there is no other; to choose by it instead, write validation: {lone.name}"
        )
    unused = [folder for folder in folders if folder not in found.values()]
    if unused and found["train"].is_dir():  # the images of a CSV may lie in any folder
        remarks.append(f"{_listed(unused)} in {root}: not used, as the config names the parts")
    return Parts(root, found["train"], found.get("validation"), found.get("test"), tuple(remarks))


def _place_of(part: str, text: str, inside: Path, base: Path) -> Path:
    """What the option `part` names: below the data set's folder, or from `base`."""
    below, beside = inside / Path(text).expanduser(), base / Path(text).expanduser()
    if below == inside:  # '.': the working folder, which is always there, is not meant
        return inside
    places = [path for path in (below, beside) if path.exists()]
    if not places and part == "test":
        return beside  # training needs none: it is told that this one is missing
    if not places:
        either = "" if below == beside else f" nor {beside}"
        raise RequestError(f"'{part}' is '{text}', and there is no {below}{either}")
    if len(places) == 2 and not below.samefile(beside):
        raise RequestError(f"'{part}' is '{text}', which is {below} and {beside} as well; write the whole path of one")
    return places[-1]


def _same(path: Path | None, other: Path) -> bool:
    return path is not None and path.resolve() == other.resolve()


def _looks_like_a_part(folder: Path, siblings: Sequence[Path]) -> bool:
    """Whether there are classes in it: two folders at least, or one that is called like another folder beside it."""
    inner = {path.name for path in subfolders(folder)}
    return len(inner) > 1 or bool(inner & {path.name for path in siblings})


def _unclear(root: Path, found: str) -> RequestError:
    return RequestError(
        f"{root}: has {found}; name the parts with the options 'train', 'validation' and 'test' "
        "(train: . where every folder is a class)"
    )


def _word(part: str) -> str:
    return "training" if part == "train" else part


def _listed(folders: Sequence[Path]) -> str:
    names = [f"{folder.name}/" for folder in folders[:6]]
    more = [f"{len(folders) - 6} more"] if len(folders) > 6 else []
    *most, last = names + more
    return f"{', '.join(most)} and {last}" if most else last


def beside(options: Mapping[str, Any], config_folder: Path) -> dict[str, Any]:
    """The options with relative paths that lead somewhere from the config's own folder begun there.

    Any other path stays as it was written, and counts from the working folder.
    """
    found = dict(options)
    root = Path(str(options["path"])).expanduser()
    if not root.is_absolute() and (config_folder / root).exists():
        root = config_folder / root
        found["path"] = str(root)
    for name in PARTS:
        text = options.get(name)
        if text and not _below(root, text).exists() and (config_folder / Path(text).expanduser()).exists():
            found[name] = str(config_folder / Path(text).expanduser())
    return found


def elsewhere_too(written: str, taken: str) -> str | None:
    """A sentence where `written`, taken as `taken`, leads to something else from the working folder."""
    here = Path(written).expanduser()
    if not here.exists() or here.resolve() == Path(taken).expanduser().resolve():
        return None
    return f"'{written}' is {taken}, beside the config; the {here.absolute()} of the working folder is another"


def absolute(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with paths that lead to the same from any working folder."""
    found = dict(options)
    root = Path(str(options["path"])).expanduser()
    found["path"] = str(root.absolute())
    for name in PARTS:
        text = options.get(name)
        if text and not _below(root, text).exists():
            found[name] = str(Path(text).expanduser().absolute())
    return found


def moved(options: Mapping[str, Any], data: Path) -> dict[str, Any]:
    """The options with the folder or CSV `data` in place of `path`; parts that lay below `path` lie below it.

    Raises: RequestError where there is no such folder or file.
    """
    if not data.exists():
        raise RequestError(f"`data` is '{data}': no such folder or CSV file")
    found = {**options, "path": str(data.absolute())}
    root = Path(str(options["path"])).expanduser().absolute()
    for name in PARTS:
        text = options.get(name)
        place = Path(text).expanduser() if text else None
        if place and place.is_absolute() and place.is_relative_to(root):
            found[name] = str(place.relative_to(root))
    return found


def _below(root: Path, text: str) -> Path:
    return (root if root.is_dir() else root.parent) / Path(text).expanduser()
