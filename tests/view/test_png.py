import io
import warnings
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from cnnlab.view import png
from cnnlab.view.blocks import Figure, Report
from cnnlab.view.drawings import Curves, Drawing, Gallery, Lattice, Matrix, Series
from cnnlab.view.png.plots import in_percent
from cnnlab.view.png.surfaces import told_apart


def pixels(figure: Figure, theme: png.Theme = png.LIGHT) -> np.ndarray:
    return decoded(png.encode(figure, theme=theme))


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.fixture(scope="module")
def every_drawn(every_figure: tuple[Figure, ...]) -> dict[str, png.Drawn]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return {figure.name: png.drawn(figure) for figure in every_figure}


@pytest.mark.parametrize("theme", [png.LIGHT, png.DARK], ids=lambda theme: theme.name)
def test_every_drawing_is_a_figure_and_not_blank(every_drawn: dict[str, png.Drawn], theme: png.Theme) -> None:
    paper = [int(theme.paper[i : i + 2], 16) for i in (1, 3, 5)]
    for name, both in every_drawn.items():
        image = decoded(getattr(both, theme.name))
        assert image.shape[1] >= 200
        assert image[0, 0].tolist() == paper
        assert 0.005 < (image != paper).any(2).mean() < 0.98, name


def test_on_dark_paper_it_is_the_same_with_a_layout_of_its_own(
    every_figure: tuple[Figure, ...], every_drawn: dict[str, png.Drawn]
) -> None:
    for figure in every_figure:
        assert png.encode(figure, theme=png.DARK) == every_drawn[figure.name].dark, figure.name


def test_every_kind_of_drawing_has_one_way_and_is_drawn_here(every_figure: tuple[Figure, ...]) -> None:
    assert not png.LAID_OUT.keys() & png.PLOTTED.keys()
    assert png.LAID_OUT.keys() | png.PLOTTED.keys() == set(get_args(Drawing)) == {type(p.drawing) for p in every_figure}


def test_nothing_is_cut_off_at_the_edges(every_drawn: dict[str, png.Drawn]) -> None:
    for name, both in every_drawn.items():
        image = decoded(both.light)
        border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        assert (border == 255).all(), name


def test_the_same_figure_is_the_same_file(every_figure: tuple[Figure, ...]) -> None:
    assert png.encode(every_figure[0]) == png.encode(every_figure[0])


def test_a_gallery_keeps_each_pixel_a_sharp_square() -> None:
    tile = np.random.default_rng(0).integers(0, 200, (8, 8, 3), dtype=np.uint8)
    image = pixels(Figure("g", "G", Gallery((tile,), columns=1)))
    times = 19  # 150 / 8, rounded
    enlarged = tile.repeat(times, 0).repeat(times, 1)
    windows = np.lib.stride_tricks.sliding_window_view(image, enlarged.shape)[:, :, 0]
    candidates = np.argwhere((image[: windows.shape[0], : windows.shape[1]] == tile[0, 0]).all(2))
    assert sum((windows[y, x] == enlarged).all() for y, x in candidates) == 1


def test_each_number_of_a_coloured_lattice_has_one_colour_and_what_is_not_read_that_of_the_paper() -> None:
    values = np.full((8, 8), np.nan)
    values[2, :] = values[5, :] = 1
    values[3, :] = 2
    image = pixels(Figure("l", "L", Lattice(values, coloured=True)))
    plane = image[image.shape[0] // 4 : -image.shape[0] // 4, image.shape[1] // 4 : image.shape[1] // 2].reshape(-1, 3)
    colours, counts = np.unique(plane, axis=0, return_counts=True)
    large = {tuple(colour) for colour, count in zip(colours.tolist(), counts, strict=True) if count > len(plane) // 20}
    assert len(large) == 3
    assert (255, 255, 255) in large


def test_figures_stay_small() -> None:
    rng = np.random.default_rng(0)
    gallery = Gallery(
        tuple(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8) for _ in range(25)), ("x",) * 25, columns=5
    )
    names = tuple(f"class {i}" for i in range(100))
    matrix = Matrix(rng.integers(0, 9, (100, 100)), names, names, "truth", "answer", "images")
    assert len(png.encode(Figure("g", "G", gallery))) < 250_000
    assert len(png.encode(Figure("m", "M", matrix))) < 250_000


def test_files_are_written_whole(report: Report, tmp_path: Path) -> None:
    *_, section = report.blocks
    two = replace(report, blocks=(replace(section, blocks=section.blocks[:2]),))
    written = png.save(two, tmp_path / "reports")
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == sorted(path.name for path in written)
    assert [path.name for path in written] == ["curves.png", "log.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


def test_a_logarithmic_axis_has_plain_numbers_and_names_few_places() -> None:
    """Less than a decade high, where there is hardly a power of ten; formulas are switched off."""
    drawing = Curves((Series("a", (2.0, 16.0, 256.0), (2.1, 2.3, 2.2)),), "m", "loss", "log", "log")
    axes = png.draw(Figure("log", "Log", drawing)).axes[0]
    axes.figure.canvas.draw()
    below = [label.get_text() for label in axes.get_xticklabels()]
    low, high = axes.get_ylim()
    labels = [label for label in axes.get_yticklabels(which="both") if low <= label.get_position()[1] <= high]
    beside = [label.get_text() for label in labels if label.get_text()]
    assert below == ["2", "16", "256"]
    assert beside
    assert all(2 < float(text) < 2.4 for text in beside)


@pytest.mark.parametrize(
    ("heights", "form"), [((0.02, 0.5, 13), ".2g"), ((2.3011, 2.304, 2.31), ".4g"), ((1, 1), ".2g")]
)
def test_heights_are_written_with_the_digits_that_tell_them_apart(heights: tuple[float, ...], form: str) -> None:
    assert told_apart(heights) == form


def test_an_axis_in_percent_says_so_once() -> None:
    assert [in_percent(label) for label in ("dead channels", "accuracy (%)", "")] == [
        "dead channels (%)",
        "accuracy (%)",
        "",
    ]
