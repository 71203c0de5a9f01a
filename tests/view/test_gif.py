import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from cnnlab.view import gif, png
from cnnlab.view.blocks import Figure
from cnnlab.view.scenes import Box, Scene

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 255, (16, 16, 3), dtype=np.uint8)


def frames() -> list[Figure]:
    return [
        Figure("f", f"Layer {i}", Scene((16, 16), PHOTO, boxes=(Box("field", 8 - i, 8 + i, 8 - i, 8 + i),)))
        for i in (1, 3, 12)
    ]


def shown(path: Path) -> list[np.ndarray]:
    with Image.open(path) as file:
        return [np.asarray(page.convert("RGB")) for page in ImageSequence.Iterator(file)]


def test_frames_follow_each_other_for_ever_and_the_last_is_held(tmp_path: Path) -> None:
    gif.save(frames(), tmp_path / "deep" / "a.gif", seconds=0.5)
    with Image.open(tmp_path / "deep" / "a.gif") as file:
        assert file.info["loop"] == 0
        times = [page.info["duration"] for page in ImageSequence.Iterator(file)]
    assert times == [500, 500, 1500]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.gif"]


@pytest.mark.parametrize("theme", [png.LIGHT, png.DARK], ids=lambda theme: theme.name)
def test_frames_are_of_one_size_and_the_rest_is_paper(tmp_path: Path, theme: png.Theme) -> None:
    gif.save(frames(), tmp_path / "a.gif", seconds=0.5, theme=theme)
    originals = [png.pixels(frame, theme=theme) for frame in frames()]
    size = tuple(max(image.shape[axis] for image in originals) for axis in (0, 1))
    assert len({image.shape for image in originals}) > 1
    paper = [int(theme.paper[i : i + 2], 16) for i in (1, 3, 5)]
    for page, original in zip(shown(tmp_path / "a.gif"), originals, strict=True):
        height, width = original.shape[:2]
        assert page.shape[:2] == size
        assert (page[height:] == paper).all()
        assert (page[:, width:] == paper).all()
        # Noise has more colours than a GIF; each stays near its own.
        assert np.abs(page[:height, :width].astype(int) - original).mean() < 6


def test_what_stays_keeps_its_colour_to_the_bit(tmp_path: Path) -> None:
    gif.save(frames()[:2], tmp_path / "a.gif", seconds=0.1)
    one, two = shown(tmp_path / "a.gif")
    first, second = (png.pixels(frame) for frame in frames()[:2])
    still = (first == second).all(2)
    assert 0.5 < still.mean() < 1
    assert (one[still] == two[still]).all()


def test_few_colours_are_kept_exactly() -> None:
    page = np.array([[[1, 2, 3], [250, 0, 9]], [[255, 255, 255], [7, 7, 7]]], dtype=np.uint8)
    encoded = gif._encoded([page, page[::-1]], 0.1, (255, 255, 255))
    buffer = io.BytesIO(encoded)
    with Image.open(buffer) as file:
        found = [np.asarray(one.convert("RGB")) for one in ImageSequence.Iterator(file)]
    assert [(a == b).all() for a, b in zip(found, [page, page[::-1]], strict=True)] == [True, True]


def test_the_same_frames_are_the_same_file(tmp_path: Path) -> None:
    for name in ("a.gif", "b.gif"):
        gif.save(frames()[:2], tmp_path / name, seconds=0.1)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


def test_nothing_and_no_time_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without frames"):
        gif.save([], tmp_path / "a.gif", seconds=1)
    with pytest.raises(ValueError, match=r"0 s a frame: expected 0\.02 to 200"):
        gif.save(frames(), tmp_path / "a.gif", seconds=0)
    assert list(tmp_path.iterdir()) == []


def test_letters_and_the_peak_of_a_map_keep_their_colours_beside_noise() -> None:
    page = RNG.integers(90, 200, (96, 96, 3), dtype=np.uint8)
    page[:2, :12], page[90:, 90:94] = (31, 35, 40), (255, 250, 190)
    with Image.open(io.BytesIO(gif._encoded([page], 0.1, (255, 255, 255)))) as file:
        found = np.asarray(file.convert("RGB")).astype(int)
    for rare in (np.s_[:2, :12], np.s_[90:, 90:94]):
        assert np.abs(found[rare] - page[rare]).max() <= 10
