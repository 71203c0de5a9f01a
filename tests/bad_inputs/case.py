"""A wrong request: what is wrong with it, how it comes about, what is typed, and what is printed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Make = Callable[[Path], object]
"""Makes the bad input in the working folder. `runs/tiny` lies there already where the case wants a run."""

TINY = """\
data:
  dataset: {shapes: {train_count: 60, test_count: 20, size: 16}}
model:
  - conv_bn_act: {channels: 4, stride: 2}
  - global_avg_pool
  - linear
training: {epochs: 1, batch_size: 20}
logging: {histograms_every_epochs: 0, pictures: false, graph: false}
"""
"""A sound config, and that of the run `tiny`."""


def nothing(folder: Path) -> None:
    """The command line alone is wrong."""


@dataclass(frozen=True)
class Case:
    """One row of the table; paths in `message` are relative to the working folder, or begin with /place."""

    wrong: str
    command: str
    message: str
    exit_code: int = 2
    make: Make = nothing
    run: bool = False
    """Whether there is a trained run `runs/tiny`."""
    stdin: bytes = b""
    stdout: str = ""
    leaves: tuple[str, ...] = ()
    """What is there afterwards on purpose: a run that says how it failed."""
    content: str = field(default="", repr=False)
    """The decisive line of the file, for the page."""


def file(name: str, content: str | bytes) -> Make:
    """One file."""

    def make(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return make


def both(*makes: Make) -> Make:
    """One after the other."""

    def make(folder: Path) -> None:
        for one in makes:
            one(folder)

    return make


MODEL = "model: [global_avg_pool, linear]\n"
SMALL = "data: {dataset: {shapes: {train_count: 60, size: 16}}}\n"
"""Images that are made in no time."""


def config(wrong: str, text: str | bytes, message: str, *, rest: str = "", **more: Any) -> Case:
    """A config that is wrong, in `bad.yaml`: `text`, and `rest`, where nothing is wrong."""
    whole = text + rest.encode() if isinstance(text, bytes) else f"{text}\n{rest}"
    shown = text if isinstance(text, str) and len(text) <= 100 and "\n" not in text else ""
    made = {"command": "cnnlab train bad.yaml", "make": nothing, "content": shown} | more
    return Case(wrong, message=message, **{**made, "make": both(file("bad.yaml", whole), made["make"])})
