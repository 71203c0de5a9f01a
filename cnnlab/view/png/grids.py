"""Drawings made of cells: matrices, lattices and galleries."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import Normalize, PowerNorm, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from PIL import Image

from cnnlab.core.characters import printable, shortened
from cnnlab.view.blocks import shown
from cnnlab.view.drawings import Gallery, Lattice, Matrix
from cnnlab.view.png.heat import in_colour
from cnnlab.view.png.plots import in_percent
from cnnlab.view.png.theme import DIVERGING, DPI, SEQUENTIAL, Theme, fitted, width

MOST_NAMED = 12
"""Numbers up to which the legend of a lattice names their colours."""

MOST_WRITTEN = 25
"""Rows and columns up to which a cell's number is written into it."""

_TILE = 150
"""Pixels that a tile's longer side comes near to."""
_GAP = 14
_MARGIN = 26
_TITLE = 60
_LINE = 17
"""Pixels from one line of a caption to the next."""
_CAPTION = 7.4
"""Points."""


def matrix(figure: Figure, drawing: Matrix, theme: Theme) -> None:
    """Coloured cells, rows downwards; numbers in them while they can be read."""
    rows, columns = drawing.values.shape
    cell = 0.56 if max(rows, columns) <= 12 else 0.42 if max(rows, columns) <= MOST_WRITTEN else None
    longest = max((len(label) for label in drawing.row_labels), default=0)
    side = min(2.0, 0.085 * longest)
    wide, height = (columns * cell, rows * cell) if cell else (7.0, 7.0 * min(1.6, rows / columns))
    figure.set_size_inches(max(4.8, wide + side + 2.2), max(3.2, height + min(1.4, 0.062 * longest) + 1.1))
    axes = figure.add_subplot()
    shades = np.asarray(drawing.values if drawing.shades is None else drawing.shades, dtype=float)
    image = axes.imshow(shades, cmap=DIVERGING if drawing.diverging else SEQUENTIAL, norm=_norm(drawing, shades))
    image.set_interpolation("nearest")
    _labels(axes, drawing)
    axes.set_xlabel(printable(drawing.column_title))
    axes.set_ylabel(printable(drawing.row_title))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03, aspect=28)
    bar.set_label(in_percent(drawing.colour_label) if drawing.percent else drawing.colour_label)
    bar.outline.set_visible(False)
    if drawing.percent:
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1, symbol="", decimals=0))
    if cell:
        _write(axes, drawing, np.asarray(image.cmap(image.norm(shades))), size=8.5 if cell > 0.5 else 6.5)


def _norm(drawing: Matrix, shades: NDArray[np.float64]) -> Normalize:
    finite = shades[np.isfinite(shades)]
    high = float(finite.max()) if finite.size else 1.0
    low = float(finite.min()) if finite.size else 0.0
    if drawing.diverging:
        bound = max(abs(low), abs(high)) or 1.0
        return Normalize(-bound, bound)
    low = min(0.0, low)
    high = 1.0 if drawing.percent else high
    high = high if high > low else low + 1
    return PowerNorm(0.5, low, high) if drawing.root and low == 0 else Normalize(low, high)


def _labels(axes: Any, drawing: Matrix) -> None:
    for set_ticks, labels in ((axes.set_xticks, drawing.column_labels), (axes.set_yticks, drawing.row_labels)):
        # More than about a hundred labels would touch one another.
        step = max(1, -(-len(labels) // 100))
        places = range(0, len(labels), step)
        texts = [shortened(printable(labels[i]), 22) for i in places]
        size = 8.5 if len(labels) <= MOST_WRITTEN else 7 if len(labels) <= 50 else 4.8
        turned = set_ticks == axes.set_xticks and (len(labels) > 12 or max(map(len, texts), default=0) > 5)
        turn = {"rotation": 90 if len(labels) > MOST_WRITTEN else 45, "ha": "center"} if turned else {}
        if turn.get("rotation") == 45:
            turn |= {"ha": "right", "rotation_mode": "anchor"}
        set_ticks(list(places), texts, fontsize=size, **turn)


def _write(axes: Any, drawing: Matrix, colours: NDArray[np.float64], size: float) -> None:
    for row in range(drawing.values.shape[0]):
        for column in range(drawing.values.shape[1]):
            value = drawing.values[row, column]
            if value == 0 or value != value:
                continue
            # Relative luminance (ITU-R BT.709): dark letters on light cells.
            light = float(colours[row, column, :3] @ np.array([0.2126, 0.7152, 0.0722])) > 0.45
            text = format(value.item(), drawing.form)
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color="#111" if light else "#fff")


def lattice(figure: Figure, drawing: Lattice, theme: Theme) -> None:
    """Squares, those that are read filled and with their numbers, the centre framed."""
    rows, columns = drawing.values.shape
    cell = max(0.12, min(0.5, 6.5 / max(rows, columns)))
    figure.set_size_inches(max(4.0, columns * cell + 1.0), rows * cell + 1.1)
    axes = figure.add_subplot()
    read = drawing.read
    if drawing.coloured:
        _coloured(figure, axes, drawing, theme)
        return
    for row, column in np.ndindex(rows, columns):
        filled = bool(read[row, column])
        face = theme.lines[0] if filled else theme.paper
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=face, edgecolor=theme.quiet, linewidth=0.6))
        if filled and cell > 0.3:
            text = shown(drawing.values[row, column].item(), drawing.form)
            size = 10 if len(text) < 4 else 8 if len(text) < 6 else 6
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=theme.paper)
    names = [Patch(facecolor=theme.lines[0], label=f"read, with its {printable(drawing.label)}")]
    if drawing.centre is not None:
        row, column = drawing.centre
        frame: dict[str, Any] = {"facecolor": "none", "edgecolor": theme.lines[1], "linewidth": 2.6}
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, zorder=3, **frame))
        names.append(Patch(**frame, label="centre"))
    axes.set(xlim=(-0.56, columns - 0.44), ylim=(rows - 0.44, -0.56), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    figure.legend(handles=names, loc="outside lower left", ncols=2)


def _coloured(figure: Figure, axes: Any, drawing: Lattice, theme: Theme) -> None:
    """Each number in a colour of its own, the other cells in that of the paper."""
    numbers = sorted(set(drawing.values[drawing.read].tolist()))
    colours = matplotlib.colormaps["turbo"](np.linspace(0.06, 0.94, len(numbers)))
    cells = np.empty((*drawing.values.shape, 4))
    cells[:] = to_rgba(theme.paper)
    for number, colour in zip(numbers, colours, strict=True):
        cells[drawing.values == number] = colour
    axes.imshow(cells, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=theme.quiet)
    if len(numbers) <= MOST_NAMED:
        names = [
            Patch(color=colour, label=shown(number, drawing.form))
            for number, colour in zip(numbers, colours, strict=True)
        ]
        figure.legend(handles=names, loc="outside right upper", title=printable(drawing.label))


def gallery(figure: Figure, drawing: Gallery, theme: Theme, *, title: str) -> None:
    """Tiles laid out to the pixel, each enlarged by a whole number, so that pixels stay equal squares."""
    tiles = [_sized(image) for image in drawing.images]
    cell_width = max(max(tile.shape[1] for tile in tiles), 96)
    cell_height = max(tile.shape[0] for tile in tiles)
    captions = [printable(caption, keep="\n") for caption in drawing.captions]
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    labels = [shortened(printable(label), 18) for label in drawing.row_labels]
    beside = 12 + max((width(label, 8.5) for label in labels), default=-12)
    above = _TITLE + (24 if drawing.column_titles else 0)
    step_x, step_y = cell_width + _GAP, cell_height + _GAP + (8 + lines * _LINE if lines else 0)
    columns = min(drawing.columns, len(tiles))
    rows = -(-len(tiles) // columns)
    # The title must fit too, above a single narrow tile as well.
    needed = max(columns * step_x - _GAP + beside, width(title, 12, bold=True) + 8)
    across, height = 2 * _MARGIN + int(needed), above + rows * step_y - _GAP + _MARGIN
    figure.set_size_inches(across / DPI, height / DPI)

    def write(text: str, x: float, y: float, size: float, **more: Any) -> None:
        figure.text(x / across, 1 - y / height, text, fontsize=size, **more)

    write(title, _MARGIN, 20, 12, va="top", fontweight="bold")
    for i, name in enumerate(drawing.column_titles[:columns]):
        x = _MARGIN + beside + i * step_x + cell_width / 2
        write(fitted(printable(name), cell_width, 8.5), x, above - 8, 8.5, ha="center", va="bottom", color=theme.quiet)
    for i, tile in enumerate(tiles):
        row, column = divmod(i, columns)
        left, top = _MARGIN + beside + column * step_x, above + row * step_y
        x, y = left + (cell_width - tile.shape[1]) // 2, top + (cell_height - tile.shape[0]) // 2
        figure.figimage(tile, x, height - y - tile.shape[0], origin="upper")
        if captions:
            for number, line in enumerate(captions[i].split("\n")):
                place = top + cell_height + 7 + number * _LINE
                colour = theme.ink if number == 0 else theme.quiet
                shown = fitted(line, cell_width + _GAP - 8, _CAPTION)
                write(shown, left + cell_width / 2, place, _CAPTION, ha="center", va="top", color=colour)
        if column == 0 and row < len(labels):
            write(labels[row], _MARGIN, top + cell_height / 2, 8.5, va="center")


def _sized(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, wide = image.shape[:2]
    colours = in_colour(image)
    longer = max(height, wide)
    if longer > 1.5 * _TILE:
        factor = _TILE / longer
        size = max(1, round(wide * factor)), max(1, round(height * factor))
        return np.asarray(Image.fromarray(colours).resize(size, Image.Resampling.LANCZOS))
    times = max(1, round(_TILE / longer))
    return colours.repeat(times, axis=0).repeat(times, axis=1)
