"""The configs that come with cnnlab, and how one is named: by its file, with its folder where two share that."""

from collections.abc import Mapping
from pathlib import Path

from cnnlab.config import QUICKSTART
from cnnlab.core.errors import RequestError, unknown

_PACKAGE = Path(__file__).parents[1]

SHIPPED = next((place for place in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if place.is_dir()), None)
"""Where they lie: in the package where it was installed from a wheel, beside it in a checkout; None without them."""

SUFFIXES = (".yaml", ".yml")


def shipped_configs() -> Mapping[str, Path]:
    """The configs that come with cnnlab by name, such as `cifar` and `zoo/resnet50`, sorted."""
    found = {QUICKSTART.stem: QUICKSTART}
    if SHIPPED is not None:
        found |= {path.relative_to(SHIPPED).with_suffix("").as_posix(): path for path in SHIPPED.rglob("*.yaml")}
    return dict(sorted(found.items()))


def shipped_config(name: str) -> Path | None:
    """The config of that name; the last part of it will do where no other ends so.

    Arguments:
        name: such as `cifar`, `resnet50` or `zoo/resnet50`; `.yaml` behind it may stand.

    Returns:
        Its file; None where there is none of that name.

    Raises:
        RequestError: where several end with `name`, with all of them.

    Example:
        >>> shipped_config("quickstart").name
        'quickstart.yaml'
        >>> shipped_config("no-such-thing") is None
        True
    """
    configs = shipped_configs()
    name = name.removesuffix(".yaml")
    if name in configs:
        return configs[name]
    ends = [known for known in configs if known.rpartition("/")[2] == name]
    if len(ends) > 1:
        raise RequestError(
            f"'{name}' is the name of {len(ends)} configs of cnnlab: {', '.join(ends)}; give one of them"
        )
    return configs[ends[0]] if ends else None


def config_file(asked: Path) -> Path:
    """The file that is meant by a CONFIG: one that is there, or one of cnnlab's own by its name.

    Arguments:
        asked: a path, or a name such as `cifar`; a file of that name comes first.

    Returns:
        The path as it is where it is a file or looks like one.

    Raises:
        RequestError: for a name that is neither, with the nearest, or that several configs share.

    Example:
        >>> config_file(Path("cifar")).name, config_file(Path("mine.yaml"))
        ('cifar.yaml', PosixPath('mine.yaml'))
    """
    if asked.is_file() or not could_be_a_name(str(asked)):
        return asked
    found = shipped_config(str(asked))
    if found is None:
        if asked.exists() or asked.is_absolute():
            return asked
        names = {name for known in shipped_configs() for name in (known, known.rpartition("/")[2])}
        raise RequestError(f"{asked}: no such file, and cnnlab has {unknown('config', str(asked), sorted(names))}")
    return found


def could_be_a_name(text: str) -> bool:
    """Whether `text` may name a config of cnnlab, and is no file's name, nor a module's or a zoo's."""
    return bool(text) and not text.endswith(SUFFIXES) and ":" not in text and not text.startswith((".", "/", "~"))
