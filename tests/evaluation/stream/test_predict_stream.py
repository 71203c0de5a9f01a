"""`cnnlab predict` on a stream: a line for each image, the answers of `predict`, and what it says at the end."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Trained
from PIL import Image

from cnnlab.evaluation.stream import folder as folder_module
from cnnlab.evaluation.stream.answers import StreamOptions, answered
from cnnlab.evaluation.stream.arrival import Arrival
from cnnlab.network.image_files import Source
from cnnlab.network.open import open_run
from cnnlab.network.session import Session

COUNT = 5


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (COUNT, 24, 20, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def files(trained: Trained, pixels: np.ndarray) -> list[Path]:
    folder = trained.place.folder / "stream"
    folder.mkdir()
    for number, one in enumerate(pixels):
        Image.fromarray(one).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


def lines(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_stream_has_the_answers_of_predict(trained: Trained, pixels: np.ndarray, files: list[Path]) -> None:
    expected = trained.place("predict", "tiny", "stream", "--json", "--probabilities").json()
    own = ("path", "frame", "latency_ms", "dropped")
    asked = (
        (("--frames", "20x24:rgb"), pixels.tobytes()),
        (("-", "--frames", "20x24:bgr"), pixels[..., ::-1].tobytes()),
        (("-", "--frames", "images"), b"".join(path.read_bytes() for path in files)),
    )
    for words, content in asked:
        result = trained.place("predict", "tiny", *words, "--every-frame", "--json", "--probabilities", stdin=content)
        assert result.code == 0, result.err
        found = lines(result.out)
        assert [one["path"] for one in found] == [f"<stdin> frame {number}" for number in range(COUNT)]
        assert [(one["frame"], one["dropped"]) for one in found] == [(number, 0) for number in range(COUNT)]
        for one, same in zip(found, expected, strict=True):
            assert one.pop("probabilities") == pytest.approx(same["probabilities"], abs=1e-6)
            assert one["label"] == same["label"]
            assert one.keys() - {*own} == same.keys() - {"path", "probabilities"}
        assert result.err.startswith(f"{COUNT} images, ")


def test_words_and_a_frame_that_is_cut_off(trained: Trained, pixels: np.ndarray) -> None:
    content = pixels.tobytes()[:-1]
    result = trained.place("predict", "tiny", "--frames", "20x24", "--every-frame", "--reject-below", 1, stdin=content)
    assert result.code == 1
    assert len(result.out.splitlines()) == COUNT - 1
    assert result.out.startswith("<stdin> frame 0  rejected  ")
    assert "unreadable: <stdin> frame 4: the stream ends after 1,439 of its 1,440 bytes\n" in result.err
    assert "; 1 unreadable\n" in result.err


def test_watching_ends_with_ctrl_c(trained: Trained, files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = trained.place.folder / "inbox"
    inbox.mkdir()
    left = [*files]

    def sleep(seconds: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop().rename(inbox / f"{len(left)}.png")

    monkeypatch.setattr(folder_module, "wait", sleep)
    result = trained.place("predict", "tiny", "--watch", "inbox", "--top", 1, "--json")
    assert result.code == 0, result.err
    assert {str(one["path"]) for one in lines(result.out)} == {f"inbox/{number}.png" for number in range(1, COUNT)}
    assert result.err.startswith("4 images, ")


def test_smoothing_is_the_mean_of_the_last_probabilities(trained: Trained, pixels: np.ndarray) -> None:
    network = open_run("tiny", Session(runs=trained.place.runs, device_name="cpu"))
    arrived = [Arrival(Source(str(n), image=Image.fromarray(one)), 0.0, n) for n, one in enumerate(pixels)]
    arrived.insert(2, Arrival(Source("gone", fault="no image"), 0.0, 9))
    plain, smooth = (
        [getattr(one.result, "probabilities", None) for one in answered(network, arrived, StreamOptions(smooth=k))]
        for k in (1, 3)
    )
    assert plain.pop(2) is None
    assert smooth.pop(2) is None
    means = [np.mean(plain[max(0, place - 2) : place + 1], axis=0) for place in range(COUNT)]
    assert np.allclose(smooth, means, atol=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no images: give files, folders or patterns, - for stdin, or --watch or --frames"),
        (("--watch", ".", "--frames", "images"), "--watch and --frames are two streams; ask for one"),
        (("a.png", "--existing"), "--existing goes with --watch"),
        (("--watch", ".", "--every-frame"), "--every-frame goes with --frames"),
        (("a.png", "--smooth", "3"), "--smooth goes with --watch or --frames"),
        (("a.png", "--watch", "."), "'a.png': with --watch no images are named"),
        (("a.png", "--frames", "images"), "'a.png': with --frames images come on standard input alone"),
        (("--watch", "gone"), "--watch is 'gone': no such folder"),
        (("--watch", ".", "--csv"), "--csv is a table, and a stream has no end"),
        (("--frames", "96"), "--frames is '96', expected WIDTHxHEIGHT"),
    ],
)
def test_what_cannot_be_asked(trained: Trained, words: tuple[str, ...], message: str) -> None:
    result = trained.place("predict", "tiny", *words, stdin=io.BytesIO().getvalue())
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {message}")
