import math

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from cnnlab.view import png
from cnnlab.view.blocks import Figure
from cnnlab.view.description import description
from cnnlab.view.drawings import Lattice, Span, Spans
from cnnlab.view.sketches import lattice_lines, span_lines

DILATED = np.full((5, 5), math.nan)
DILATED[::2, ::2] = np.arange(9).reshape(3, 3)


def at(image: np.ndarray, axes: Axes, row: float, column: float) -> list[int]:
    """The colour that stands at a place of the axes."""
    x, y = axes.transData.transform((column, row))
    return image[image.shape[0] - 1 - int(y), int(x)].tolist()


def rgb(colour: str) -> list[int]:
    return [round(255 * part) for part in to_rgb(colour)]


def test_a_dilated_kernel_leaves_gaps() -> None:
    full, gaps = "● · ● · ●", "· · · · ·"
    assert lattice_lines(Lattice(DILATED)) == [full, gaps, full, gaps, full]


def test_spans_stand_over_one_axis() -> None:
    spans = Spans((Span("conv1", 2, 6), Span("conv2", 0, 8, (3, 5)), Span("pool", -math.inf, math.inf)), "column (px)",
                  "field", extent=(0, 8))  # fmt: skip
    assert span_lines(spans, 8 + 5 + 6 + 2) == [
        "conv1 ··████··      4",
        "conv2 ▒▒▒██▒▒▒      8",
        "pool  ████████ no end",
        "      0      8",
    ]


def test_spans_without_length_and_without_ends_are_still_lines() -> None:
    point, endless = Spans((Span("a", 3, 3),), "x", "field"), Spans((Span("a", -math.inf, math.inf),), "x", "field")
    assert span_lines(point, 40)[0].count("█") == 1
    assert endless.limits == (0, 1)
    for drawing in (point, endless):
        assert png.encode(Figure("p", "P", drawing))


def test_bars_are_where_they_begin_and_end() -> None:
    figure = Figure("p", "P", Spans((Span("a", 2, 6, (3, 4)), Span("b", 0, 8)), "x", "field", "inner", (0, 10)))
    image, sheet = png.pixels(figure), png.draw(figure)
    sheet.canvas.draw()
    axes = sheet.axes[0]
    outer, inner = rgb(png.LIGHT.lines[5]), rgb(png.LIGHT.lines[0])
    assert at(image, axes, 0, 2.1) == at(image, axes, 0, 5.9) == outer
    assert at(image, axes, 0, 1.9) == at(image, axes, 0, 6.1) == rgb(png.LIGHT.grid)
    assert at(image, axes, 0, 3.1) == at(image, axes, 0, 3.9) == inner
    assert at(image, axes, 0, 2.9) == at(image, axes, 0, 4.1) == outer
    assert at(image, axes, 1, 0.1) == at(image, axes, 1, 7.9) == outer


def test_cells_that_are_read_are_filled() -> None:
    figure = Figure("p", "P", Lattice(DILATED, (2, 2), "index"))
    image, sheet = png.pixels(figure), png.draw(figure)
    sheet.canvas.draw()
    axes = sheet.axes[0]
    for row in range(5):
        for column in range(5):
            filled = at(image, axes, row - 0.3, column - 0.3) == rgb(png.LIGHT.lines[0])
            assert filled == (row % 2 == column % 2 == 0)
    assert at(image, axes, 2, 1.5) == rgb(png.LIGHT.lines[1])
    assert [text.get_text() for text in axes.texts] == list("012345678")


def test_the_words_say_what_is_to_be_seen() -> None:
    assert "9 are read. Row by row: ● · ● · ●; · · · · ·;" in description(Figure("p", "P", Lattice(DILATED)))
    spans = Spans((Span("conv1", 0, 3), Span("conv9", -9.5, 30)), "column", "theoretical field")
    assert description(Figure("p", "P", spans)).endswith(
        "2 bars of the theoretical field over column, from conv1 with 3 to conv9 with 39.5."
    )


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="span 'a': from 3 to 2"):
        Span("a", 3, 2)
    with pytest.raises(ValueError, match="span 'a': from 5 to 4"):
        Span("a", 0, 9, (5, 4))
    with pytest.raises(ValueError, match="without a row"):
        Spans((), "x", "field")
    with pytest.raises(ValueError, match=r"centre at \(5, 0\)"):
        Lattice(DILATED, (5, 0))
    with pytest.raises(ValueError, match="two dimensions"):
        Lattice(np.zeros(3))
