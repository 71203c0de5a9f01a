"""What a network cannot say of itself: its images, classes, output and activation, from options or a small file."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, get_args

from cnnlab.core.characters import shortened
from cnnlab.core.errors import ConfigError, Problem, RequestError, did_you_mean
from cnnlab.core.reading import read_file
from cnnlab.core.yaml import Items, Table, Text, load
from cnnlab.data.fitting import FITS, Fit, Interpolation
from cnnlab.network.hub import hub_files, said_in
from cnnlab.network.weights.formats import names_a_file
from cnnlab.stats.probabilities import Activation

LARGEST = 1e6
"""Of the numbers of a mean and a deviation, so that no pixel in 0 … 1 leaves the range of float32."""

BESIDE = ("preparation.yaml", "preparation.yml")
"""Names of a file that is found by itself beside a file of weights; `STEM.preparation.yaml` is found before them."""


class ModelOptions(TypedDict, total=False):
    """What may be said of a network beside what it is called; text as on the command line, or values."""

    size: "str | int | Sequence[int] | None"
    """Of its images: 224, `224,160` (height, width) or `3,224,160`, in pixels."""
    weights: str | Path | None
    """`best` or `last` of a run; for any other network a file, or a zoo's name for its weights (`IMAGENET1K_V2`,
    `DEFAULT`, timm's tag)."""
    weights_key: str | None
    """Where in the file the state dict is, such as `ema` or `checkpoint.model`."""
    mean: str | float | Sequence[float] | None
    """Taken off the channels of pixels in 0 … 1."""
    std: str | float | Sequence[float] | None
    """What they are divided by then."""
    classes: "str | int | Path | Sequence[str] | None"
    """Their names in order: `cat,dog`, a file with a name a line, or a list; their number, where they have no names."""
    fit: str | None
    """crop, letterbox (or pad, another word for it) or stretch."""
    interpolation: str | None
    """bilinear or bicubic."""
    crop_share: str | float | None
    """Share of each side that is kept where images are first resized and then cut, such as 0.875 (224 of 256)."""
    preparation: str | Path | None
    """A YAML file with these keys: size, mean, std, classes, fit, interpolation, crop_share, output, activation; or
    what transformers and timm write, `preprocessor_config.json` or `config.json`."""
    output: str | int | None
    """Which of several outputs holds the logits: its key, attribute or number."""
    activation: str | None
    """softmax or sigmoid."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is said of a network; None where nothing is."""

    size: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    classes: tuple[str, ...] | int | None = None
    """Their names, or their number."""
    fit: Fit | None = None
    interpolation: Interpolation | None = None
    crop_share: float | None = None
    output: str | None = None
    activation: Activation | None = None
    file: Path | None = None
    """The file that some of it is from."""
    places: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where in a file stands what is from one, by its key."""
    found: bool = field(default=False, compare=False)
    """Whether that file was found by itself, and not named."""
    remarks: tuple[str, ...] = field(default=(), compare=False)
    """A sentence for each thing that the file says and that a person should know."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes; none where they are not said."""
        return self.classes if isinstance(self.classes, tuple) else ()

    @property
    def class_count(self) -> int | None:
        """How many classes there are, where that is said."""
        return len(self.classes) if isinstance(self.classes, tuple) else self.classes

    @property
    def said(self) -> tuple[str, ...]:
        """What is said, by its key."""
        return tuple(key for key in KEYS if getattr(self, key) is not None)

    def found_by_itself(self, key: str) -> bool:
        """Whether it is from a file that nobody named."""
        return self.found and key in self.places

    @contextmanager
    def told_by_place(self) -> Iterator[None]:
        """A RequestError raised inside that names a key of a file as a parameter gives its place there instead."""
        try:
            yield
        except RequestError as error:
            error.args = tuple(self._placed(str(one)) for one in error.args)
            raise

    def _placed(self, message: str) -> str:
        return re.sub(
            r"`(\w+)`", lambda key: f"{self.places[key[1]]}: '{key[1]}'" if key[1] in self.places else key[0], message
        )


def description_of(options: ModelOptions) -> Description:
    """What `options` say of a network; what they leave open, the file of a preparation says.

    Raises:
        RequestError: for an option of another form, with the parameter's name, and for a file that cannot be read.
        ConfigError: for a wrong key or value in the file, with its line.

    Example:
        >>> description_of({"mean": "0.5", "std": "0.25", "classes": "cat, dog"}).classes
        ('cat', 'dog')
    """
    file, weights = options.get("preparation"), options.get("weights")
    files = _beside(weights) if file is None else (Path(file).expanduser(),)
    said, places, remarks = dict[str, Any](), dict[str, str](), list[str]()
    for path in files:
        read = _of_hub(path) if path.suffix == ".json" else _of_file(path)
        said, places, remarks = read.said | said, read.places | places, [*remarks, *read.remarks]
    given: dict[str, Any] = {key: value for key, value in options.items() if key in KEYS and value is not None}
    if "fit" in given and "crop_share" not in given and said.get("fit") != given["fit"]:
        said.pop("crop_share", None)
        places.pop("crop_share", None)
    for key, value in given.items():
        try:
            said[key] = KEYS[key](value, Path())
        except ValueError as error:
            raise RequestError(f"`{key}` is {error}") from None
    places = {key: place for key, place in places.items() if key not in given}
    found = file is None and bool(files)
    if found and places:
        taken = ", ".join(key for key in KEYS if key in places)
        remarks.insert(0, f"{taken} taken from {' and '.join(map(str, files))}")
    whole = Description(**said, file=next(iter(files), None), places=places, found=found, remarks=tuple(remarks))
    with whole.told_by_place():
        _check_whole(whole)
    return whole


def _check_whole(said: Description) -> None:
    """Raises: RequestError where one of it excludes or needs another."""
    if said.crop_share is not None and said.fit == "letterbox":
        raise RequestError("`crop_share` cuts the image, and `fit` letterbox keeps all of it; leave one out")
    if (said.mean is None) != (said.std is None):
        given_one, other = ("std", "mean") if said.mean is None else ("mean", "std")
        raise RequestError(f"`{given_one}` is given without `{other}`; give both")


def _size(value: Any, base: Path) -> str:
    text = ",".join(str(one) for one in value) if isinstance(value, (list, tuple)) else str(value)
    sizes_of(text)
    return text


def sizes_of(text: str) -> list[int]:
    """The numbers of `224`, `224,160` (height, width) or `3,224,160`.

    Raises: ValueError for anything else, with what is wrong.
    """
    parts = text.replace("x", ",").split(",")
    if not all(part.strip().isdecimal() and 0 < int(part) <= 65536 for part in parts) or len(parts) > 3:
        raise ValueError(
            f"'{shortened(text, 60)}', expected a size in pixels such as 224, height and width such as 224,160, or "
            "channels too, such as 3,224,160"
        )
    return [int(part) for part in parts]


def _numbers(value: Any, base: Path) -> tuple[float, ...]:
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
    try:
        found = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        raise ValueError(f"'{_shown(value)}', expected a number for each channel, such as 0.485,0.456,0.406") from None
    if not found or not all(abs(one) <= LARGEST for one in found):
        raise ValueError(f"'{_shown(value)}', expected finite numbers of at most {LARGEST:,.0f}, one for each channel")
    return found


def _deviations(value: Any, base: Path) -> tuple[float, ...]:
    found = _numbers(value, base)
    if min(found) < 1 / LARGEST:
        raise ValueError(f"'{_shown(value)}', expected numbers above 0 (from {1 / LARGEST:g}): it is divided by them")
    return found


def _classes(value: Any, base: Path) -> tuple[str, ...] | int:
    if str(value).isdecimal() and not _is_file(base / str(value)):
        if not int(value):
            raise ValueError("0, expected the names of the classes, or their number")
        return int(value)
    if isinstance(value, Path) or (isinstance(value, str) and ("," not in value or _is_file(base / value))):
        path = base / Path(value).expanduser()
        if not _is_file(path):
            raise ValueError(
                f"'{_shown(value)}', expected names such as cat,dog, their number, or a file of them (looked at "
                f"{shortened(str(path), 120)})"
            )
        try:
            lines = read_file(path, at_most=4_000_000).decode("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError):
            raise ValueError(f"'{value}', which cannot be read as text with a name a line") from None
        names = [line.strip() for line in lines if line.strip()]
    elif isinstance(value, str) or (isinstance(value, Iterable) and not isinstance(value, bytes | Mapping)):
        names = ["" if n is None else str(n).strip() for n in (value.split(",") if isinstance(value, str) else value)]
    else:
        raise ValueError(f"'{_shown(value)}', expected the names of the classes, or their number")
    if len(names) < 1 or not all(names):
        raise ValueError(f"'{_shown(value)}', expected the name of each class")
    if twice := next((name for n, name in enumerate(names) if name in names[:n]), None):
        raise ValueError(f"'{_shown(value)}', in which '{twice}' stands twice")
    return tuple(names)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than names of files are
        return False


def _fit(value: Any, base: Path) -> Fit:
    meant = {str(word): fit for word, fit in FITS.items()}
    if str(value) not in meant:
        raise ValueError(f"'{_shown(value)}', expected {', '.join(get_args(Fit))}.{did_you_mean(str(value), meant)}")
    return meant[str(value)]


def _interpolation(value: Any, base: Path) -> str:
    if value not in (known := get_args(Interpolation)):
        raise ValueError(f"'{_shown(value)}', expected {' or '.join(known)}.{did_you_mean(str(value), known)}")
    return str(value)


def _crop_share(value: Any, base: Path) -> float:
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = 0.0
    if not 0 < share <= 1:
        raise ValueError(f"'{_shown(value)}', expected a share above 0 and at most 1, such as 0.875")
    return share


def _output(value: Any, base: Path) -> str:
    if isinstance(value, (list, tuple)):
        raise ValueError(f"a list of {len(value)}, expected the key, the attribute or the number of one output")
    return str(value)


def _activation(value: Any, base: Path) -> str:
    if value not in get_args(Activation):
        near = did_you_mean(str(value), get_args(Activation))
        raise ValueError(f"'{_shown(value)}', expected softmax (one class) or sigmoid (each class by itself).{near}")
    return str(value)


KEYS: Mapping[str, Any] = {
    "size": _size,
    "mean": _numbers,
    "std": _deviations,
    "classes": _classes,
    "fit": _fit,
    "interpolation": _interpolation,
    "crop_share": _crop_share,
    "output": _output,
    "activation": _activation,
}
"""What may be said, and how its value is read; the second argument is the folder at which files start."""


@dataclass(frozen=True)
class Read:
    """What one file says."""

    said: dict[str, Any]
    places: dict[str, str]
    """Where each of it stands."""
    remarks: tuple[str, ...] = ()


def _of_hub(path: Path) -> Read:
    """Raises: ConfigError for a value that is wrong; RequestError for a file of another kind."""
    values = said_in(path)
    remarks = values.pop("remarks", ())
    found = dict[str, Any]()
    for key, value in values.items():
        try:
            found[key] = KEYS[key](value, path.parent)
        except ValueError as error:
            raise ConfigError([Problem(str(path), f"'{key}' is {error}")]) from None
    return Read(found, dict.fromkeys(found, str(path)), tuple(remarks))


def _of_file(path: Path) -> Read:
    tree, found, places, problems = load(path), dict[str, Any](), dict[str, str](), list[Problem]()
    for key, value in tree.items():
        place = str(tree.marks[key])
        own = "size" if key == "input" else key
        if own in tree and own != key:
            problems.append(Problem(place, f"'{key}' is another word for '{own}', which is given, too"))
        elif own not in KEYS:
            problems.append(Problem(place, f"no key '{key}'; known: {', '.join(KEYS)}.{did_you_mean(key, KEYS)}"))
        elif value is not None:
            try:
                found[own], places[own] = KEYS[own](_plain(value), path.parent), place
            except ValueError as error:
                problems.append(Problem(place, f"'{key}' is {error}"))
    if problems:
        raise ConfigError(problems)
    return Read(found, places)


def _plain(value: Any) -> Any:
    if isinstance(value, Items):
        return [_plain(one) for one in value]
    if isinstance(value, Table):
        raise ValueError("a mapping, expected a value or a list")
    return str(value) if isinstance(value, Text) else value


def _beside(weights: str | Path | None) -> tuple[Path, ...]:
    """The preparation beside a file of weights, or what a hub's repository has in its place; nothing without them."""
    if weights is None or str(weights) in ("best", "last") or not names_a_file(weights):
        return ()
    path = Path(weights).expanduser()
    names = (f"{path.name}.preparation.yaml", f"{path.stem}.preparation.yaml", *BESIDE)
    own = next((path.parent / name for name in names if _is_file(path.parent / name)), None)
    return hub_files(path.parent) if own is None else (own,)


def _shown(value: Any) -> str:
    return str(value)[:60]
