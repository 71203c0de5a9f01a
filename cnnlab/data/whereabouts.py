"""The places of a `folder` data set's images: seen from the config, from anywhere, and after they have moved."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnlab.core.errors import RequestError

PARTS = ("train", "validation", "test")
PLACES = ("path", *PARTS)
"""The options of `folder` that are paths; a part may lie below `path`, or anywhere."""


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
