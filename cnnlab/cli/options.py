"""Options that several commands share, what they stand for, and the consoles on which commands print."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cnnlab.cli.results import print_document, result_stream
from cnnlab.core.errors import RequestError

if TYPE_CHECKING:
    from rich.console import Console

MOST = 1_000_000
"""Most images, layers, epochs and whatever else is counted: more is a slip of the keyboard, and would not end."""

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, or its folder.", show_default=False)]
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A run, a config, torchvision:NAME or timm:NAME.", show_default=False)
]


def named_config(asked: Path) -> Path:
    """The file of a CONFIG, which may be the name of one that comes with cnnlab; stderr says where that lies.

    Raises: RequestError for a name that is no file's and none of cnnlab's, with the nearest.
    """
    from cnnlab.config.shipped import config_file

    found = config_file(asked)
    if found != asked:
        err_console().print(f"{asked} is the config that comes with cnnlab: {found}", style="dim", soft_wrap=True)
    return found


ConfigArgument = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG",
        help="A YAML file, or the name of a config of cnnlab, such as cifar (cnnlab list models).",
        show_default=False,
        callback=named_config,
    ),
]
ChangedConfigArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CONFIG] [KEY=VALUE]…",
        help="A YAML file (the built-in quickstart without one), and changes to it.",
        show_default=False,
    ),
]


def config_and_changes(arguments: Sequence[str] | None) -> tuple[str | None, list[str]]:
    """The CONFIG, where one is named, and the changes to it."""
    words = list(arguments or ())
    return (words[0], words[1:]) if words and "=" not in words[0] else (None, words)


def named_or_quickstart(config: str | None) -> Path:
    """The file of a CONFIG that may be left out, as `named_config`."""
    from cnnlab.config import QUICKSTART

    return QUICKSTART if config is None else named_config(Path(config))


OverridesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]…", help="Changes to the config, such as optimizer.lr=0.05.")
]
DepthOption = Annotated[
    int | None, typer.Option(min=1, max=MOST, help="How deep the table goes into layers of layers.")
]

OutOption = Annotated[Path | None, typer.Option(metavar="DIR", help="The folder for figures, tables and the page.")]

VALUES_BY_DEFAULT = {"--effective": "32"}
"""Options that may stand without a value, and the value that they have then."""


def with_values(arguments: Sequence[str]) -> list[str]:
    """The command line with the values of `VALUES_BY_DEFAULT` put in where they are left out."""
    whole: list[str] = []
    for place, word in enumerate(arguments):
        whole.append(word)
        following = arguments[place + 1] if place + 1 < len(arguments) else ""
        if word in VALUES_BY_DEFAULT and not following.isdecimal():
            whole.append(VALUES_BY_DEFAULT[word])
    return whole


def err_console() -> "Console":
    """The console of progress and remarks: stderr, so that stdout holds results only."""
    from cnnlab.view.terminal import Terminal

    return Terminal(stderr=True)


def out_console() -> "Console":
    """The console of results: stdout."""
    from cnnlab.view.terminal import Terminal

    return Terminal()


def print_json(document: Any) -> None:
    """One JSON document on stdout; numbers that are not finite become null.

    Where stdout cannot say a letter, JSON's own escapes can.
    """
    from cnnlab.view import json

    unicode = (result_stream().encoding or "utf-8").lower().startswith("utf")
    print_document(json.text(document, ascii_only=not unicode) + "\n")


def seconds_of(text: str) -> float:
    """`90`, `90s`, `10m` or `1.5h` in seconds.

    Raises: RequestError for anything else.
    """
    from cnnlab.core import durations

    seconds = durations.seconds_of(text)
    if seconds is None:
        raise RequestError(f"--time-budget is '{text}', expected a time such as {durations.SUCH_AS}")
    return seconds


class Split(StrEnum):
    """Which images of a run's data set."""

    train = "train"
    validation = "validation"
    test = "test"


Open = Literal["train", "validation"]
"""The parts that may be looked into."""


def looked_into(split: Split | None) -> Open | None:
    """`split`, where it is a part that may be looked into.

    Raises: RequestError for the test part: what is learned from it is learned too early.
    """
    if split is Split.test:
        raise RequestError("the test part is opened by `cnnlab eval --split test` alone; use --split validation")
    return None if split is None else "train" if split is Split.train else "validation"


class TestTime(StrEnum):
    """Test-time augmentation."""

    none = "none"
    flip = "flip"
    six = "six"


ViewsOption = Annotated[
    TestTime,
    typer.Option(
        help="Views the answers are averaged over; flip: image and mirror image; six: both, and moved by 1 px."
    ),
]
LeastSureOption = Annotated[
    float,
    typer.Option(
        min=0.0, max=1.0, help="With --tta: further views for this share of the images alone, the least sure."
    ),
]


class Weights(StrEnum):
    """Which weights of a run."""

    best = "best"
    last = "last"
