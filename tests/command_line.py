"""`cnnlab` as a person calls it, and one trained run that many tests look at."""

import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from cnnlab.main import main

TINY = """
data:
  dataset: {shapes: {train_count: 200, test_count: 60, size: 16}}
  augment: [flip]
model:
  - conv_bn_act: {channels: 8, stride: 2}
  - conv_bn_act: {channels: 16, stride: 2}
  - global_avg_pool
  - linear
training: {epochs: 2, batch_size: 32}
optimizer: {sgd: {lr: 0.1}}
logging: {every_steps: 1, histograms_every_epochs: 2, graph: false, pictures: false}
"""


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The whole of stdout as one document."""
        return json.loads(self.out)


def call(*arguments: object, stdin: bytes = b"") -> Result:
    """`cnnlab ARGUMENTS` in this process, from the entry point on."""
    out, err = io.StringIO(), io.StringIO()
    words = ["cnnlab", *map(str, arguments)]
    with (
        patch.object(sys, "argv", words),
        patch.object(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin))),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return Result(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Place:
    """A folder that a person works in."""

    folder: Path

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def config(self, text: str = TINY, name: str = "tiny.yaml") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def __call__(self, *arguments: object, stdin: bytes = b"") -> Result:
        # its own data folder, so that no test writes into the user's
        with chdir(self.folder), patch.dict(os.environ, CNNLAB_DATA=str(self.folder / "data")):
            return call(*arguments, stdin=stdin)


@pytest.fixture
def cnnlab(tmp_path: Path) -> Place:
    """A fresh folder with `tiny.yaml`, and the command line in it."""
    place = Place(tmp_path)
    place.config()
    return place


@pytest.fixture(scope="session")
def place_of() -> type[Place]:
    """The command line in a folder that the test makes."""
    return Place


@dataclass(frozen=True)
class Trained:
    """A whole training, and what it printed."""

    place: Place
    result: Result

    @property
    def run(self) -> Path:
        return self.place.runs / "tiny"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """`cnnlab train tiny.yaml --json` with graph, images and histograms; tests only read it."""
    place = Place(tmp_path_factory.mktemp("trained"))
    place.config(TINY.replace("graph: false, pictures: false", "graph: true, pictures: true"))
    result = place("train", "tiny.yaml", "--device", "cpu", "--json")
    assert result.code == 0, result.err
    return Trained(place, result)


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report takes most of the time of a tiny training."""
    import cnnlab.training.loop

    monkeypatch.setattr(cnnlab.training.loop, "write_training_report", lambda *arguments, **options: (None, None))


def pixel() -> bytes:
    """A figure of one pixel, as a PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "PNG")
    return buffer.getvalue()


_drawn: set[str] = set()
"""Names of the figures that this process has drawn, without their numbers."""


@pytest.fixture(autouse=True)
def each_figure_is_drawn_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """That it can be drawn is seen the first time; afterwards it is a pixel, since drawing is most of a command's time.

    What a module's fixtures draw is always whole, and so is all of a test with the mark `figures`, which looks at it.
    """
    png = sys.modules.get("cnnlab.view.png")
    if png is None or request.node.get_closest_marker("figures"):
        return

    def once(draw: Callable[..., Any], instead: Any) -> Callable[..., Any]:
        def drawn(figure: Any, **theme: Any) -> Any:
            name = re.sub(r"\d+", "", figure.name)
            if name in _drawn:
                return instead
            _drawn.add(name)
            return draw(figure, **theme)

        return drawn

    monkeypatch.setattr(png, "encode", once(png.encode, pixel()))
    monkeypatch.setattr(png, "drawn", once(png.drawn, png.Drawn(pixel(), pixel())))


@contextmanager
def undrawn() -> Iterator[None]:
    """Nothing is drawn, not even once."""
    from cnnlab.view import html, png

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(png, "encode", lambda *image, **theme: pixel())
        patched.setattr(png, "drawn", lambda image: png.Drawn(pixel(), pixel()))
        patched.setattr(png, "pixels", lambda *image, **theme: np.zeros((2, 2, 3), np.uint8))
        patched.setattr(html, "overlay", lambda scene: np.zeros((1, 1, 3), np.uint8))
        yield


@pytest.fixture
def nothing_is_drawn() -> Iterator[None]:
    """The same for a test."""
    with undrawn():
        yield


@pytest.fixture
def torch_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """`cnnlab doctor` imports torch in two processes, as its own test does; this one has it."""
    from cnnlab.project import doctor

    def imported(code: str) -> doctor.ImportTrial:
        printed: list[str] = []
        exec(code, {"print": printed.append})
        return doctor.ImportTrial(json.loads(printed[0]))

    monkeypatch.setattr(doctor, "try_import", imported)
