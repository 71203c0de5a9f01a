"""Scenes: that everything is drawn at its pixel; the expected places follow from the axes alone."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure as Sheet

from cnnlab.view import json as documents
from cnnlab.view import png
from cnnlab.view.blocks import Figure, Report
from cnnlab.view.description import description
from cnnlab.view.png import heat
from cnnlab.view.png.panel import extent
from cnnlab.view.scenes import Box, Contour, Point, Scene, Scenes

GREY = np.full((16, 16, 3), 128, dtype=np.uint8)
RED = 1
"""Of the theme's lines, vermilion."""


def drawn(drawing: Scene | Scenes, theme: png.Theme = png.LIGHT) -> tuple[np.ndarray, Sheet]:
    figure = Figure("p", "Title", drawing)
    return png.pixels(figure, theme=theme), png.draw(figure, theme=theme)


def at(image: np.ndarray, axes: Axes, row: float, column: float) -> list[int]:
    """The colour that stands at a place of the scene."""
    x, y = axes.transData.transform((column, row))
    return image[image.shape[0] - 1 - int(y), int(x)].tolist()


def rgb(colour: str) -> list[int]:
    return [round(255 * part) for part in to_rgb(colour)]


def words(sheet: Sheet) -> list[str]:
    return [text.get_text() for text in sheet.findobj(lambda artist: hasattr(artist, "get_text"))]


@pytest.mark.parametrize("theme", [png.LIGHT, png.DARK], ids=lambda theme: theme.name)
def test_a_box_runs_around_its_pixels(theme: png.Theme) -> None:
    image, sheet = drawn(Scene((16, 16), GREY, boxes=(Box("b", 2, 5, 3, 12, colour=RED),)), theme)
    axes = sheet.axes[0]
    red = rgb(theme.lines[RED])
    for row, column in ((1.5, 8), (5.5, 8), (4, 2.5), (4, 12.5)):
        assert at(image, axes, row, column) == red
    for row, column in ((2, 8), (5, 8), (4, 3), (4, 12), (6, 8), (1, 8), (4, 2), (4, 13)):
        assert at(image, axes, row, column) == [128] * 3


def test_every_pixel_of_a_small_image_is_an_equal_square() -> None:
    small = np.random.default_rng(0).integers(0, 255, (7, 11, 3), dtype=np.uint8)
    image, sheet = drawn(Scenes((Scene((7, 11), small), Scene((7, 11), small[::-1])), columns=2))
    for axes, expected in zip(sheet.axes, (small, small[::-1]), strict=True):
        box = axes.get_window_extent()
        times = box.width / 11
        assert times == pytest.approx(round(times), abs=0.01)
        assert box.height / 7 == pytest.approx(times, abs=0.01)
        left, top, side = round(box.x0), image.shape[0] - round(box.y1), round(times)
        inside = image[top : top + 7 * side, left : left + 11 * side].reshape(7, side, 11, side, 3)
        # But for the frame, which covers the outermost pixels of the outermost squares.
        assert (inside[:, 2:-2, :, 2:-2] == expected[:, None, :, None]).all()


def test_a_box_beyond_the_image_gets_paper_around_it() -> None:
    scene = Scene((16, 16), GREY, boxes=(Box("field", -10, 5, -4, 30, colour=RED),))
    left, right, top, bottom = extent(scene)
    assert left < -4.5 < 30.5 < right
    assert top < -10.5
    assert bottom > 15.5
    image, sheet = drawn(scene)
    axes = sheet.axes[0]
    assert at(image, axes, -10.5, 10) == at(image, axes, 0, 30.5) == rgb(png.LIGHT.lines[RED])
    assert at(image, axes, 8, 8) == [128] * 3
    assert at(image, axes, 8, 22) == rgb(png.LIGHT.grid)


def test_a_window_keeps_the_image_still() -> None:
    window = (-4, 19, -4, 19)
    scenes = [Scene((16, 16), GREY, boxes=(Box("b", 8 - i, 8 + i, 8 - i, 8 + i),), window=window) for i in (1, 5, 10)]
    assert {extent(scene) for scene in scenes} == {extent(scenes[0])}
    assert len({drawn(scene)[0].shape for scene in scenes}) == 1
    with pytest.raises(ValueError, match="window"):
        Scene((16, 16), window=(3, 2, 0, 0))


@pytest.mark.parametrize("size", [(11, 7), (6.5, 5.25)])
@pytest.mark.parametrize("dpi", [150, 72])
def test_a_figure_of_a_given_size_has_it_to_the_pixel(size: tuple[float, float], dpi: int) -> None:
    heat_map = np.random.default_rng(0).random((4, 4))
    panels = tuple(Scene((16, 16), GREY, heat_map if i > 2 else None, "logit", title="T", caption="c " * 50,
                         boxes=(Box("b", 0, 20, 0, 3),)) for i in range(6))  # fmt: skip
    image, sheet = drawn(Scenes(panels, columns=3, figure_size=size, dpi=dpi))
    assert image.shape == (round(size[1] * dpi), round(size[0] * dpi), 3)
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert (border == 255).all()
    assert len(sheet.axes) == 6 + 3


def test_a_map_of_zeros_is_a_sentence_and_not_a_map() -> None:
    zeros = np.zeros((4, 4))
    _, sheet = drawn(Scene((16, 16), GREY, zeros, "logit"))
    assert "no positive evidence" in words(sheet)
    assert len(sheet.axes) == 1
    assert "zero everywhere" in words(drawn(Scene((16, 16), GREY, zeros, "logit", heat_scale="signed"))[1])
    assert "no cell pays" in words(drawn(Scene((16, 16), GREY, zeros, "logit", nothing="no cell pays"))[1])
    assert "no finite value" in words(drawn(Scene((16, 16), GREY, zeros * math.nan, "logit"))[1])
    _, sheet = drawn(Scenes((Scene((16, 16), GREY, zeros, "a"), Scene((16, 16), GREY, zeros + 1, "a")), columns=2))
    assert (words(sheet).count("no positive evidence"), len(sheet.axes)) == (1, 3)


def test_where_there_is_no_heat_the_image_shows() -> None:
    values = np.zeros((16, 16))
    values[8:, :] = 2.0
    scene = Scene((16, 16), GREY, values, "logit", alpha=0.5)
    image, sheet = drawn(scene)
    assert at(image, sheet.axes[0], 3, 8) == [128] * 3
    hottest = heat.colours("positive", 0.5, over_image=True)(1.0)
    expected = [0.5 * 128 + 0.5 * 255 * part for part in hottest[:3]]
    assert at(image, sheet.axes[0], 12, 8) == pytest.approx(expected, abs=1.5)


def test_signed_heat_is_symmetric_about_nothing() -> None:
    values = np.array([[-1.0, 0.0, 4.0]])
    norm = heat.norm([Scene((1, 3), None, values, "x", heat_scale="signed")])
    assert (norm.vmin, norm.vmax) == (-4, 4)
    shades = heat.colours("signed", 0.7, over_image=True)
    assert shades(0.5)[3] < 0.01
    assert (shades(0.0)[3], shades(1.0)[3]) == pytest.approx((0.7, 0.7))
    assert shades(0.0)[2] > shades(0.0)[0]
    assert shades(1.0)[0] > shades(1.0)[2]


def test_a_log_scale_leaves_out_what_is_not_positive() -> None:
    values = np.array([[0.0, 1e-3, 1.0, math.nan]])
    norm = heat.norm([Scene((1, 4), None, values, "x", heat_scale="log")])
    assert (norm.vmin, norm.vmax) == (1e-3, 1)
    assert heat.ticks(norm) == pytest.approx([1e-3, 1e-2, 1e-1, 1])
    image, sheet = drawn(Scene((1, 4), np.full((1, 4, 3), 128, np.uint8), values, "x", heat_scale="log"))
    assert at(image, sheet.axes[0], 0.2, 0) == at(image, sheet.axes[0], 0.2, 3) == [128] * 3
    assert "10⁻²" in words(sheet)


@pytest.mark.parametrize("scale", ["positive", "signed", "log", "linear"])
def test_a_map_that_is_the_same_everywhere_has_colours_too(scale: Any) -> None:
    norm = heat.norm([Scene((1, 2), None, np.full((1, 2), 2.0), "x", heat_scale=scale)])
    assert norm.vmin is not None
    assert norm.vmax is not None
    assert norm.vmin < norm.vmax


def test_panels_share_a_scale_or_have_their_own() -> None:
    panels = tuple(Scene((4, 4), None, np.full((4, 4), value), "logit") for value in (1.0, 10.0))
    assert len(drawn(Scenes(panels, columns=2))[1].axes) == 4
    image, sheet = drawn(Scenes(panels, columns=2, shared_scale=True))
    assert len(sheet.axes) == 3
    assert at(image, sheet.axes[0], 2, 2) != at(image, sheet.axes[1], 2, 2)
    assert {"0", "5", "10"} <= set(words(sheet))
    with pytest.raises(ValueError, match="positive, signed cannot share"):
        Scenes(
            (panels[0], Scene((4, 4), None, np.ones((4, 4)), "x", heat_scale="signed")), columns=2, shared_scale=True
        )


def test_a_range_holds_whatever_the_values_are() -> None:
    norm = heat.norm([Scene((4, 4), None, np.ones((4, 4)), "logit", heat_range=(0.0, 5.0))])
    assert (norm.vmin, norm.vmax) == (0, 5)


@pytest.mark.parametrize(("cells", "size"), [(4, 16), (5, 13), (8, 8), (16, 40), (1, 7), (9, 4)])
def test_maps_are_enlarged_as_torch_does_with_half_pixel_centres(cells: int, size: int) -> None:
    values = np.random.default_rng(cells).normal(size=(cells, cells + 1))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], (size, size + 3), mode="bilinear", align_corners=False
    )[0, 0]
    assert heat.enlarged(values, size, size + 3) == pytest.approx(expected.numpy(), abs=1e-12)
    nearest = torch.nn.functional.interpolate(torch.from_numpy(values)[None, None], (size, size), mode="nearest-exact")
    # nearest-exact takes the cell in which a place's centre lies.
    if size >= cells:
        assert (heat.enlarged(values, size, size, smooth=False) == nearest[0, 0].numpy()).all()


def test_a_gap_in_a_map_stays_a_gap() -> None:
    values = np.array([[1.0, math.nan, 3.0]])
    assert np.isnan(heat.enlarged(values, 1, 3)).tolist() == [[False, True, False]]
    assert np.isnan(heat.enlarged(values, 1, 9)).sum() == 5


@pytest.mark.parametrize("cells", [64, 32])
def test_the_contour_of_a_gaussian_has_its_radius(cells: int) -> None:
    # exp(−r² / 2σ²) is 1/e at r = √2 σ, in pixels of the image whatever the map's resolution.
    side, sigma, centre = 64, 9.0, (31.5, 25.5)
    places = (np.arange(cells) + 0.5) * side / cells - 0.5
    squares = (places[:, None] - centre[0]) ** 2 + (places[None] - centre[1]) ** 2
    contour = Contour(np.exp(-squares / (2 * sigma**2)), math.exp(-1), "1/e")
    _, sheet = drawn(Scene((side, side), contours=(contour,)))
    (found,) = [artist for artist in sheet.axes[0].collections if isinstance(artist, QuadContourSet)]
    (path,) = found.get_paths()
    radii = np.hypot(path.vertices[:, 1] - centre[0], path.vertices[:, 0] - centre[1])
    assert radii == pytest.approx(math.sqrt(2) * sigma, abs=0.1)


def test_the_legend_names_each_thing_once() -> None:
    box, twin = Box("field", 0, 3, 0, 3), Box("field", 1, 2, 1, 2)
    flat = Contour(np.ones((4, 4)), 2.0, "90 %")
    one = Scene((16, 16), GREY, boxes=(box, twin), contours=(flat,), points=(Point(1, 1, "peak"), Point(2, 2)))
    _, sheet = drawn(Scenes((one, one), columns=2))
    assert [text.get_text() for text in sheet.legends[0].get_texts()] == ["field", "90 % (nowhere)", "peak"]
    many = Scene((16, 16), GREY, boxes=tuple(Box(f"b{i}", i, i, 0, 0) for i in range(16)))
    named = [text.get_text() for text in drawn(many)[1].legends[0].get_texts()]
    assert (len(named), named[-1]) == (12, "and 5 more")


def test_forty_panels_have_their_words_and_fit() -> None:
    panels = tuple(Scene((8, 8), None, np.full((8, 8), 1.0 + i), "logit", caption=f"caption {i}") for i in range(40))
    image, sheet = drawn(Scenes(panels, 8, shared_scale=True, row_labels=tuple("abcde"), column_titles=("column",) * 8))
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert (border == 255).all()
    assert {f"caption {i}" for i in range(40)} <= set(words(sheet))
    boxes = [axes.get_window_extent() for axes in sheet.axes[:40]]
    assert all(not a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_texts_of_a_scene_do_not_run_into_one_another() -> None:
    long = "a sentence with quite a number of words that needs more than a line or two to be told"
    panels = tuple(Scene((16, 16), GREY, np.eye(4), "logit of a class with a long name", title=long, caption=long,
                         boxes=(Box(f"{long} {i}", 0, 1, 0, 1),)) for i in range(6))  # fmt: skip
    for drawing in (Scenes(panels, 3), Scenes(panels, 3, figure_size=(11, 7), dpi=150), Scenes(panels[:1], 1)):
        sheet = png.draw(Figure("p", long, drawing))
        sheet.canvas.draw()
        renderer = sheet.canvas.get_renderer()  # type: ignore[attr-defined]
        texts = [text.get_window_extent(renderer) for text in sheet.texts]
        texts += [axes.get_window_extent(renderer) for axes in sheet.axes]
        texts.append(sheet.legends[0].get_window_extent(renderer))
        assert all(not a.padded(-2).overlaps(b.padded(-2)) for i, a in enumerate(texts) for b in texts[:i])
        assert all(sheet.bbox.x0 <= box.x0 and box.x1 <= sheet.bbox.x1 + 1 for box in texts)


def test_the_same_scene_is_the_same_file() -> None:
    scene = Scene((16, 16), GREY, np.random.default_rng(0).random((4, 4)), "logit", boxes=(Box("b", 0, 3, 0, 3),))
    assert png.encode(Figure("p", "T", scene)) == png.encode(Figure("p", "T", scene))


def test_large_maps_are_summed_up_and_small_ones_written() -> None:
    small, large = np.arange(16.0).reshape(4, 4), np.arange(1024.0).reshape(32, 32)
    contour = Contour(large, 921.6, "90 %")
    report = Report("r", (Figure("s", "S", Scene((32, 32), None, small, "x", contours=(contour,))),
                          Figure("l", "L", Scene((32, 32), None, large, "x"))))  # fmt: skip
    first, second = (block["drawing"] for block in documents.document(report)["blocks"])
    assert first["heat"]["values"] == small.tolist()
    assert {name: first["contours"][0][name] for name in ("shape", "level", "max")} == {
        "shape": [32, 32], "level": 921.6, "max": 1023,
    }  # fmt: skip
    assert "values" not in second["heat"]
    assert second["heat"]["sum"] == 1024 * 1023 / 2
    assert second["heat"]["peak"] == {"value": 1023, "row": 31, "column": 31}
    assert len(json.dumps(second)) < 1000


def test_the_words_say_what_is_to_be_seen() -> None:
    heat_map = np.zeros((4, 4))
    heat_map[1, 2] = 0.5
    scene = Scene((16, 16), GREY, heat_map, "Grad-CAM (logit)", boxes=(Box("field", -2, 9, 3, 14),),
                  contours=(Contour(heat_map, 0.1, "90 %"),), points=(Point(1, 2, "peak"),))  # fmt: skip
    assert description(Figure("p", "Why cat", scene)) == (
        "Why cat. Image of 16 × 16 px; Grad-CAM (logit), strongest with 0.5 at row 5.5, column 9.5; "
        "box field: rows -2 to 9, columns 3 to 14; contour 90 %; peak at row 1, column 2."
    )
    empty = Scene((2, 3), None, np.zeros((1, 1)), "logit", title="none")
    assert description(Figure("p", "T", Scenes((scene, empty), columns=1, row_labels=("a", "b")))).endswith(
        "b, none: Empty paper of 2 × 3 px; logit: no positive evidence."
    )


def test_a_peak_counts_the_sign_out_only_where_there_is_one() -> None:
    values = np.array([[-3.0, 2.0]])
    signed = Scene((1, 2), None, values, "x", heat_scale="signed").peak
    linear = Scene((1, 2), None, values, "x", heat_scale="linear").peak
    assert signed is not None
    assert linear is not None
    assert (signed.value, signed.column, linear.value, linear.column) == (-3, 0, 2, 1)


def test_a_bare_overlay_has_the_same_colours() -> None:
    values = np.random.default_rng(0).random((16, 16))
    scene = Scene((16, 16), GREY, values, "x")
    bare = heat.overlay(scene)
    times = bare.shape[0] // 16
    image, sheet = drawn(scene)
    for row, column in ((0.2, 3.1), (7, 7), (15, 14)):
        place = bare[int((row + 0.5) * times), int((column + 0.5) * times)].tolist()
        assert at(image, sheet.axes[0], row, column) == pytest.approx(place, abs=1.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scene((0, 4)), "0 × 4"),
        (lambda: Scene((4, 4), np.zeros((4, 5, 3), np.uint8)), "expected uint8 \\[4, 4, 1 or 3\\]"),
        (lambda: Scene((4, 4), None, np.zeros((2, 2), int), "x"), "int64"),
        (lambda: Scene((4, 4), None, np.zeros((2, 0)), "x"), "two dimensions"),
        (lambda: Scene((4, 4), None, np.zeros((2, 2))), "without a label"),
        (lambda: Scene((4, 4), None, np.array([[-0.5, math.nan]]), "x"), "down to -0.5 .* expected 'signed'"),
        (lambda: Scene((4, 4), None, np.ones((2, 2)), "x", heat_range=(1, 2)), "heat from 1 to 2"),
        (lambda: Scene((4, 4), alpha=0), "alpha 0"),
        (lambda: Box("b", 4, 3, 0, 0), "box 'b': rows 4 to 3"),
        (lambda: Contour(np.zeros(3), 0.0, "c"), "contour 'c'"),
        (lambda: Scenes((), 1), "0 scenes"),
        (lambda: Scenes((Scene((1, 1)),), 1, row_labels=("a", "b")), "2 row labels for 1 rows"),
        (lambda: Scenes((Scene((1, 1)),), 1, column_titles=("a", "b")), "2 column titles"),
        (lambda: Scenes((Scene((1, 1)),), 1, figure_size=(0, 3)), "0 × 3 inches"),
        (lambda: Scenes((Scene((1, 1)),), 1, dpi=0), "0 pixels per inch"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
