"""`cnnlab` as a person calls it, and one trained run that many tests look at."""

import io
import json
import os
import sys
from collections.abc import Iterator
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


@contextmanager
def undrawn() -> Iterator[None]:
    """Figures are a pixel each, where what is in them is no matter: they take nine tenths of the time of a command."""
    from cnnlab.view import html, png

    pixel = io.BytesIO()
    Image.new("RGB", (1, 1)).save(pixel, "PNG")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(png, "encode", lambda *image, **theme: pixel.getvalue())
        patched.setattr(png, "drawn", lambda image: png.Drawn(pixel.getvalue(), pixel.getvalue()))
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
